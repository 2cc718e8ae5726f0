package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// TestEveryBitFlipIsRefused: but for base offset and leader epoch, which lie outside the CRC and are overwritten.
func TestEveryBitFlipIsRefused(t *testing.T) {
	for _, codec := range codecs {
		b := sample(codec).Bytes()
		for bit := range len(b) * 8 {
			at := bit / 8
			b[at] ^= 1 << (bit % 8)
			_, err := Validate(b, Limits{})
			outside := at < lengthAt || at >= leaderEpochAt && at < magicAt
			if (err == nil) != outside {
				t.Errorf("%v: byte %d bit %d: %v", codec, at, bit%8, err)
			}
			// Damage is never called the client's fault; a wrong magic cannot be told from an old client's.
			if err != nil && at != magicAt && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: byte %d bit %d: %v is not corrupt", codec, at, bit%8, err)
			}
			b[at] ^= 1 << (bit % 8)
		}
	}
}

// TestEveryBitFlipUnderTheCRC: with the CRC made right again, nothing panics, and what is accepted reads to its end.
func TestEveryBitFlipUnderTheCRC(t *testing.T) {
	for _, codec := range codecs {
		b := sample(codec).Bytes()
		accepted := 0
		for bit := attributesAt * 8; bit < len(b)*8; bit++ {
			c := bytes.Clone(b)
			c[bit/8] ^= 1 << (bit % 8)
			info, err := Validate(rechecked(c), Limits{})
			if err != nil {
				continue
			}
			accepted++
			if got, err := collect(c); err != nil || len(got) != int(info.NumRecords) {
				t.Fatalf("%v: bit %d accepted, but reads %d of %d records: %v", codec, bit, len(got), info.NumRecords, err)
			}
		}
		if accepted == 0 {
			t.Errorf("%v: no flipped value or time was accepted; the test tests nothing", codec)
		}
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	for _, codec := range codecs {
		b := sample(codec).Bytes()
		for n := range len(b) {
			if _, err := Validate(b[:n], Limits{}); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: %d of %d bytes: %v", codec, n, len(b), err)
			}
			// With length and CRC of the shorter batch.
			if n >= HeaderBytes {
				if _, err := Validate(rechecked(bytes.Clone(b[:n])), Limits{}); err == nil {
					t.Errorf("%v: %d of %d bytes accepted", codec, n, len(b))
				}
			}
		}
	}
}

// TestRefusals: what is wrong, what it is called, and which byte.
func TestRefusals(t *testing.T) {
	put16 := func(at int, v int16) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint16(b[at:], uint16(v)); return rechecked(b) }
	}
	put32 := func(at int, v int32) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], uint32(v)); return rechecked(b) }
	}
	put64 := func(at int, v int64) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], uint64(v)); return rechecked(b) }
	}
	// Of one record: length 7, attributes, time 0, delta 0, null key, value "v", no headers.
	record := func(bytes ...byte) func([]byte) []byte {
		return func([]byte) []byte { return wrap(CodecNone, 1, bytes) }
	}
	const r = HeaderBytes
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		kind   error
		at     int
	}{
		"magic 1":               {func(b []byte) []byte { b[magicAt] = 1; return b }, ErrUnsupportedMagic, magicAt},
		"length below header":   {func(b []byte) []byte { binary.BigEndian.PutUint32(b[lengthAt:], 48); return b }, ErrCorrupt, lengthAt},
		"negative length":       {func(b []byte) []byte { b[lengthAt] = 0x80; return b }, ErrCorrupt, lengthAt},
		"two batches":           {func(b []byte) []byte { return append(b, b...) }, ErrInvalidRecord, len(sample(CodecNone).Bytes())},
		"crc":                   {func(b []byte) []byte { b[crcAt]++; return b }, ErrCorrupt, crcAt},
		"codec 5":               {put16(attributesAt, 5), ErrUnsupportedCodec, attributesAt + 1},
		"control":               {put16(attributesAt, controlBit), ErrInvalidRecord, attributesAt + 1},
		"transactional":         {put16(attributesAt, transactionalBit), ErrInvalidRecord, attributesAt + 1},
		"log append time":       {put16(attributesAt, logAppendTimeBit), ErrInvalidTimestamp, attributesAt + 1},
		"delete horizon":        {put16(attributesAt, deleteHorizonBit), ErrInvalidRecord, attributesAt + 1},
		"no records":            {put32(numRecordsAt, 0), ErrInvalidRecord, numRecordsAt},
		"negative records":      {put32(numRecordsAt, -1), ErrInvalidRecord, numRecordsAt},
		"negative last delta":   {put32(lastOffsetDeltaAt, -1), ErrInvalidRecord, lastOffsetDeltaAt},
		"last delta":            {put32(lastOffsetDeltaAt, 3), ErrInvalidRecord, lastOffsetDeltaAt},
		"producer id":           {put64(producerIDAt, -2), ErrInvalidRecord, producerIDAt},
		"producer epoch":        {put16(producerEpochAt, -1), ErrInvalidRecord, producerEpochAt},
		"sequence":              {put32(baseSequenceAt, -1), ErrInvalidRecord, baseSequenceAt},
		"more records":          {func(b []byte) []byte { return put32(lastOffsetDeltaAt, 3)(put32(numRecordsAt, 4)(b)) }, ErrInvalidRecord, len(sample(CodecNone).Bytes())},
		"fewer records":         {func(b []byte) []byte { return put32(lastOffsetDeltaAt, 1)(put32(numRecordsAt, 2)(b)) }, ErrInvalidRecord, len(sample(CodecNone).Bytes()) - 7},
		"trailing bytes":        {func(b []byte) []byte { return rechecked(append(b, 0)) }, ErrInvalidRecord, len(sample(CodecNone).Bytes())},
		"timestamp overflow":    {put64(baseTimestampAt, 1<<63-3), ErrInvalidTimestamp, r + 27},
		"good":                  {record(14, 0, 0, 0, 1, 2, 'v', 0), nil, 0},
		"delta 1":               {record(14, 0, 0, 2, 1, 2, 'v', 0), ErrInvalidRecord, r},
		"negative delta":        {record(14, 0, 0, 1, 1, 2, 'v', 0), ErrInvalidRecord, r},
		"record length long":    {record(16, 0, 0, 0, 1, 2, 'v', 0), ErrInvalidRecord, r},
		"record length short":   {record(12, 0, 0, 0, 1, 2, 'v', 0), ErrInvalidRecord, r + 7},
		"record length beyond":  {record(14, 0, 0, 0, 1, 2, 'v', 0, 0), ErrInvalidRecord, r + 8},
		"fields end early":      {record(16, 0, 0, 0, 1, 2, 'v', 0, 0), ErrInvalidRecord, r + 8},
		"negative record":       {record(1), ErrInvalidRecord, r},
		"empty record":          {record(0), ErrInvalidRecord, r + 1},
		"key beyond record":     {record(14, 0, 0, 0, 20, 2, 'v', 0), ErrInvalidRecord, r + 4},
		"key length -2":         {record(14, 0, 0, 0, 3, 2, 'v', 0), ErrInvalidRecord, r + 4},
		"value beyond record":   {record(14, 0, 0, 0, 1, 20, 'v', 0), ErrInvalidRecord, r + 5},
		"negative headers":      {record(14, 0, 0, 0, 1, 2, 'v', 1), ErrInvalidRecord, r + 7},
		"headers that are not":  {record(14, 0, 0, 0, 1, 2, 'v', 20), ErrInvalidRecord, r + 8},
		"null header key":       {record(18, 0, 0, 0, 1, 2, 'v', 2, 1, 1), ErrInvalidRecord, r + 8},
		"null header value":     {record(18, 0, 0, 0, 1, 2, 'v', 2, 0, 1), nil, 0},
		"header value beyond":   {record(18, 0, 0, 0, 1, 2, 'v', 2, 0, 2), ErrInvalidRecord, r + 9},
		"varint of six bytes":   {record(0x80, 0x80, 0x80, 0x80, 0x80, 0), ErrInvalidRecord, r},
		"varint above 32 bits":  {record(0xff, 0xff, 0xff, 0xff, 0x1f), ErrInvalidRecord, r},
		"time of eleven bytes":  {record(34, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 1, 2, 'v', 0), ErrInvalidRecord, r + 2},
		"time above 64 bits":    {record(32, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0, 1, 2, 'v', 0), ErrInvalidRecord, r + 2},
		"count of two billion":  {func([]byte) []byte { return wrap(CodecNone, 1<<31-1, []byte{14, 0, 0, 0, 1, 2, 'v', 0}) }, ErrInvalidRecord, r + 8},
		"other base offset":     {func(b []byte) []byte { PatchServed(b, 99, 7); return b }, nil, 0},
		"gzip of nothing":       {func([]byte) []byte { return wrap(CodecGzip, 1, nil) }, ErrCorrupt, r},
		"snappy of nothing":     {func([]byte) []byte { return wrap(CodecSnappy, 1, nil) }, ErrCorrupt, r},
		"lz4 of nothing":        {func([]byte) []byte { return wrap(CodecLZ4, 1, nil) }, ErrCorrupt, r},
		"zstd of nothing":       {func([]byte) []byte { return wrap(CodecZstd, 1, nil) }, ErrCorrupt, r},
		"gzip of no gzip":       {func([]byte) []byte { return wrap(CodecGzip, 3, raw()) }, ErrCorrupt, r + 10},
		"transactional no id":   {func(b []byte) []byte { return put64(producerIDAt, -1)(put16(attributesAt, transactionalBit)(b)) }, ErrInvalidRecord, attributesAt + 1},
		"uncompressed as zstd":  {put16(attributesAt, int16(CodecZstd)), ErrCorrupt, r},
		"compressed as nothing": {func([]byte) []byte { return put16(attributesAt, 0)(sample(CodecGzip).Bytes()) }, ErrInvalidRecord, r},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Validate(c.change(sample(CodecNone).Bytes()), Limits{})
			if c.kind == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.At != c.at || e.Inner {
				t.Fatalf("%v, want %v at byte %d", err, c.kind, c.at)
			}
		})
	}
}

func TestRefusalInsideACompressedBatchSaysSo(t *testing.T) {
	records := []byte{14, 0, 0, 2, 1, 2, 'v', 0} // begins with delta 1
	for _, codec := range codecs[1:] {
		_, err := Validate(wrap(codec, 1, compress(nil, codec, records)), Limits{})
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrInvalidRecord) || !e.Inner || e.At != 0 {
			t.Errorf("%v: %v", codec, err)
		}
	}
}

func TestTransactionalNeedsAProducer(t *testing.T) {
	b := NewBuilder()
	b.Transactional = true
	b.Append(Record{Value: []byte("v")})
	if _, err := Validate(b.Bytes(), Limits{Allow: AllowTransactional}); !errors.Is(err, ErrInvalidRecord) {
		t.Fatal(err)
	}
}

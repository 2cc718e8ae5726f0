package batch

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// xerial frames records as Java's snappy stream does, in blocks of the given size.
func xerial(records []byte, blockBytes int) []byte {
	out := append([]byte(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for len(records) > 0 {
		n := min(blockBytes, len(records))
		block := snappy.Encode(nil, records[:n])
		out = binary.BigEndian.AppendUint32(out, uint32(len(block)))
		out = append(out, block...)
		records = records[n:]
	}
	return out
}

func lz4Frame(t testing.TB, records []byte, options ...lz4.Option) []byte {
	var out bytes.Buffer
	w := lz4.NewWriter(&out)
	if err := w.Apply(options...); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(records); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstdStream(t testing.TB, records []byte, options ...zstd.EOption) []byte {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, append(options, zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		t.Fatal(err)
	}
	// Flushed in between: a stream whose size nobody declared.
	for _, half := range [][]byte{records[:len(records)/2], records[len(records)/2:]} {
		if _, err := w.Write(half); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(t testing.TB, records []byte) []byte {
	var out bytes.Buffer
	w := stdgzip.NewWriter(&out)
	w.Name = "named"
	if _, err := w.Write(records); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestClientsFramings: the ways in which clients write each codec, all with the sample's fingerprint.
func TestClientsFramings(t *testing.T) {
	records := raw()
	for name, c := range map[string]struct {
		codec      Codec
		compressed []byte
	}{
		"gzip with a name":        {CodecGzip, gzipped(t, records)},
		"gzip of two members":     {CodecGzip, append(gzipped(t, records[:20]), gzipped(t, records[20:])...)},
		"snappy raw":              {CodecSnappy, snappy.Encode(nil, records)},
		"snappy of Java":          {CodecSnappy, xerial(records, 32<<10)},
		"snappy of Java, blocks":  {CodecSnappy, xerial(records, 7)},
		"lz4 64 KiB":              {CodecLZ4, lz4Frame(t, records, lz4.BlockSizeOption(lz4.Block64Kb))},
		"lz4 4 MiB, all checked":  {CodecLZ4, lz4Frame(t, records, lz4.BlockSizeOption(lz4.Block4Mb), lz4.BlockChecksumOption(true), lz4.ChecksumOption(true))},
		"lz4 without checksums":   {CodecLZ4, lz4Frame(t, records, lz4.ChecksumOption(false))},
		"lz4 with its size":       {CodecLZ4, lz4Frame(t, records, lz4.SizeOption(uint64(len(records))))},
		"lz4 slow":                {CodecLZ4, lz4Frame(t, records, lz4.CompressionLevelOption(lz4.Level9))},
		"zstd of declared size":   {CodecZstd, zstdEncoder.EncodeAll(records, nil)},
		"zstd stream":             {CodecZstd, zstdStream(t, records)},
		"zstd stream, checked":    {CodecZstd, zstdStream(t, records, zstd.WithEncoderCRC(true))},
		"zstd of two frames":      {CodecZstd, append(zstdEncoder.EncodeAll(records[:20], nil), zstdEncoder.EncodeAll(records[20:], nil)...)},
		"zstd of a 128 MiB level": {CodecZstd, zstdStream(t, records, zstd.WithWindowSize(128<<20))},
	} {
		t.Run(name, func(t *testing.T) {
			b := sample(c.codec)
			h, err := DecodeHeader(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			info := mustValidate(t, rechecked(append(AppendHeader(nil, h), c.compressed...)), Limits{})
			if info.Fingerprint != fingerprintOfSample || info.UncompressedBytes != len(records) {
				t.Fatalf("%v", info)
			}
		})
	}
}

// TestWhatJavaConsumersCannotRead is refused although a decoder of ours might read it.
func TestWhatJavaConsumersCannotRead(t *testing.T) {
	dependent := lz4Frame(t, raw())
	dependent[4] &^= lz4Independent
	dependent[6] = byte(xxh32(dependent[4:6]) >> 8)
	dictionary := append([]byte{}, dependent[:6]...)
	dictionary[4] |= lz4Independent | lz4Dictionary
	dictionary = append(append(dictionary, 1, 2, 3, 4, 0), dependent[7:]...)
	// An S2 block with a repeated offset, which snappy has no word for.
	text := []byte(strings.Repeat("payment 1000 to account 4711; payment 1001 to account 4712; ", 50))
	builder := NewBuilder()
	builder.Append(Record{Value: text})
	s2Block := s2.EncodeBest(nil, builder.Bytes()[HeaderBytes:])
	for name, c := range map[string]struct {
		codec      Codec
		compressed []byte
	}{
		"lz4 dependent blocks": {CodecLZ4, dependent},
		"lz4 dictionary":       {CodecLZ4, dictionary},
		"lz4 trailing bytes":   {CodecLZ4, append(lz4Frame(t, raw()), 0)},
		"lz4 no end mark":      {CodecLZ4, lz4Frame(t, raw(), lz4.ChecksumOption(false))[:len(lz4Frame(t, raw(), lz4.ChecksumOption(false)))-4]},
		"gzip trailing bytes":  {CodecGzip, append(gzipped(t, raw()), 0)},
		"zstd trailing bytes":  {CodecZstd, append(zstdEncoder.EncodeAll(raw(), nil), 0)},
		"xerial cut":           {CodecSnappy, xerial(raw(), 10)[:30]},
		"xerial header cut":    {CodecSnappy, xerial(raw(), 10)[:12]},
	} {
		if _, err := Validate(wrap(c.codec, 3, c.compressed), Limits{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Validate(wrap(CodecSnappy, 1, s2Block), Limits{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("s2 block: %v", err)
	}
}

// bomb is a batch of one record of n zero bytes.
func bomb(codec Codec, n int) []byte {
	b := NewBuilder()
	b.Codec = codec
	b.Append(Record{Value: make([]byte, n)})
	return b.Bytes()
}

// TestBombs: what unfolds beyond the limit is refused as too large, without memory beyond the limit.
func TestBombs(t *testing.T) {
	const limit, size = 1 << 20, 64 << 20
	for _, codec := range codecs[1:] {
		b := bomb(codec, size)
		if codec == CodecZstd {
			b = wrap(codec, 1, zstdStream(t, bomb(CodecNone, size)[HeaderBytes:])) // does not declare its size
		}
		allocated := allocates(func() {
			if _, err := Validate(b, Limits{UncompressedBytesMax: limit}); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v: %v", codec, err)
			}
		})
		// Doubling from 64 KiB, and the decoders' own tables.
		if allocated > 8*limit {
			t.Errorf("%v: allocated %d bytes for a limit of %d", codec, allocated, limit)
		}
		t.Logf("%v: %d bytes claim %d, allocated %d", codec, len(b), size, allocated)
	}
	if _, err := Validate(bomb(CodecNone, limit), Limits{UncompressedBytesMax: limit}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("none: %v", err)
	}
	if _, err := Validate(bomb(CodecNone, limit), Limits{BatchBytesMax: limit}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("none: %v", err)
	}
}

// TestLimitIsExact: the last byte that fits fits, with every codec, warm or cold.
func TestLimitIsExact(t *testing.T) {
	for _, codec := range codecs {
		for _, n := range []int{0, 1, 100, scratchBytesMin - 10, scratchBytesMin, 3 * scratchBytesMin, 1<<20 + 1} {
			b := bomb(codec, n)
			records := mustValidate(t, b, Limits{}).UncompressedBytes
			if _, err := Validate(b, Limits{UncompressedBytesMax: records}); err != nil {
				t.Errorf("%v: %d bytes with that limit: %v", codec, records, err)
			}
			if _, err := Validate(b, Limits{UncompressedBytesMax: records - 1}); !errors.Is(err, ErrTooLarge) {
				t.Errorf("%v: %d bytes with a limit of one less: %v", codec, records, err)
			}
		}
	}
}

// TestLyingSizes: a few bytes that claim to be many are refused before memory is made for them.
func TestLyingSizes(t *testing.T) {
	snappyClaim := append(binary.AppendUvarint(nil, 60<<20), 0, 'x')
	zstdClaim := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x80 | 0x20, 0xff, 0xff, 0xff, 0x7f, 1, 0, 0}          // declares 2 GiB
	zstdWindow := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 1, 0, 0}                                     // a window of terabytes
	zstdEmpty := bytes.Repeat([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0}, 1000)                  // a thousand frames of nothing
	lz4Claim := append(lz4Frame(t, nil, lz4.ChecksumOption(false))[:7], 0xff, 0xff, 0x3f, 0, 'x', 'y') // a block of 4 MiB
	for name, c := range map[string]struct {
		codec      Codec
		compressed []byte
	}{
		"snappy": {CodecSnappy, snappyClaim}, "zstd size": {CodecZstd, zstdClaim}, "zstd window": {CodecZstd, zstdWindow},
		"zstd empty": {CodecZstd, zstdEmpty}, "lz4": {CodecLZ4, lz4Claim},
	} {
		b := wrap(c.codec, 1, c.compressed)
		allocated := allocates(func() {
			if _, err := Validate(b, Limits{}); err == nil {
				t.Errorf("%s: accepted", name)
			}
		})
		if allocated > 1<<20 {
			t.Errorf("%s: %d bytes made it allocate %d", name, len(b), allocated)
		}
	}
}

func allocates(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // twice: pools survive one
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestValidateDoesNotAllocate once pools are warm: it runs for every batch produced.
func TestValidateDoesNotAllocate(t *testing.T) {
	for _, b := range typicalBatches(t) {
		if n := testing.AllocsPerRun(100, func() {
			if _, err := Validate(b.bytes, Limits{}); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", b.name, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, _, _, err := FindTimestamp(b.bytes, 1<<40); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("FindTimestamp %s: %v allocations", b.name, n)
		}
	}
}

// TestPoolsCrossBubbles: what one test's bubble left in the pools serves the next and those outside.
func TestPoolsCrossBubbles(t *testing.T) {
	validateAll := func(t *testing.T) {
		for _, codec := range codecs {
			mustValidate(t, sample(codec).Bytes(), Limits{})
		}
	}
	synctest.Test(t, validateAll)
	validateAll(t)
	synctest.Test(t, validateAll)
}

func TestXXH32(t *testing.T) {
	for text, sum := range map[string]uint32{"": 0x02CC5D05, "a": 0x550D7456, "abc": 0x32D153FF} {
		if got := xxh32([]byte(text)); got != sum {
			t.Errorf("xxh32(%q) = %#x, want %#x", text, got, sum)
		}
	}
	// Longer ones against the checksums that the lz4 library writes.
	for n := range 100 {
		content := bytes.Repeat([]byte("tally"), n)[:n]
		frame := lz4Frame(t, content)
		if got, wrote := xxh32(content), binary.LittleEndian.Uint32(frame[len(frame)-4:]); got != wrote {
			t.Errorf("%d bytes: %#x, want %#x", n, got, wrote)
		}
	}
}

type typical struct {
	name  string
	bytes []byte
}

// typicalBatches are of 100 records of 1 KiB that compress about fourfold.
func typicalBatches(t testing.TB) []typical {
	b := NewBuilder()
	value := []byte(strings.Repeat(`{"from":"account-4711","to":"account-0815","amount":`, 20))
	for i := range 100 {
		value = append(value[:0:0], value...)
		for j := 0; j < len(value); j += 5 {
			value[j] = byte('a' + (i*j+i)%26)
		}
		b.Append(Record{Timestamp: int64(i), Key: []byte{byte(i)}, Value: value})
	}
	var all []typical
	for _, codec := range codecs {
		b.Codec = codec
		all = append(all, typical{codec.String(), b.Bytes()})
	}
	h, err := DecodeHeader(all[CodecSnappy].bytes)
	if err != nil {
		t.Fatal(err)
	}
	return append(all, typical{"snappy of Java", rechecked(append(AppendHeader(nil, h), xerial(b.records, 32<<10)...))},
		typical{"zstd stream", rechecked(append(AppendHeader(nil, withCodec(h, CodecZstd)), zstdStream(t, b.records)...))})
}

func withCodec(h Header, codec Codec) Header {
	h.Attributes = h.Attributes&^codecMask | int16(codec)
	return h
}

func BenchmarkValidate(b *testing.B) {
	for _, batch := range typicalBatches(b) {
		b.Run(batch.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(mustValidate(b, batch.bytes, Limits{}).UncompressedBytes))
			for b.Loop() {
				if _, err := Validate(batch.bytes, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestZstdStreamsGrow: streams that do not declare their size are accepted whatever the buffer was before.
func TestZstdStreamsGrow(t *testing.T) {
	for _, n := range []int{100 << 10, 130 << 10, 300 << 10, 1 << 20, 5 << 20} {
		for _, zeros := range []bool{true, false} {
			b := NewBuilder()
			value := make([]byte, n)
			for i := range value {
				if !zeros {
					value[i] = byte('a' + (i*i>>7)%13)
				}
			}
			b.Append(Record{Value: value})
			s := new(scratch) // cold
			records, err := s.decompress(CodecZstd, zstdStream(t, b.records), UncompressedBytesMaxDefault)
			if err != nil || !bytes.Equal(records, b.records) {
				t.Errorf("%d bytes, zeros %v: %v", n, zeros, err)
			}
		}
	}
}

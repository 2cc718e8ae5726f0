package batch

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var codecs = []Codec{CodecNone, CodecGzip, CodecSnappy, CodecLZ4, CodecZstd}

// drawBytes draws null, empty and other byte strings, some that compress.
func drawBytes(t *rapid.T, label string) []byte {
	switch rapid.IntRange(0, 4).Draw(t, label+" kind") {
	case 0:
		return nil
	case 1:
		return []byte{}
	case 2:
		return bytes.Repeat([]byte("ab"), rapid.IntRange(1, 3000).Draw(t, label+" repeats"))
	}
	return rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, label)
}

func drawRecord(t *rapid.T) Record {
	r := Record{
		Timestamp:  rapid.OneOf(rapid.Int64Range(-1, 50), rapid.Int64Range(0, 1<<50)).Draw(t, "timestamp"),
		Attributes: rapid.Int8().Draw(t, "attributes"),
		Key:        drawBytes(t, "key"),
		Value:      drawBytes(t, "value"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		r.Headers = append(r.Headers, RecordHeader{Key: rapid.String().Draw(t, "header key"), Value: drawBytes(t, "header value")})
	}
	return r
}

// drawBuilder draws a batch of 1..20 records without gaps, as a producer sends it, and what its records are.
func drawBuilder(t *rapid.T) (*Builder, []Record) {
	b := NewBuilder()
	b.BaseOffset = rapid.Int64Range(0, 1<<40).Draw(t, "base offset")
	if rapid.Bool().Draw(t, "idempotent") {
		b.ProducerID, b.ProducerEpoch, b.BaseSequence = 7, 1, rapid.Int32Range(0, 1<<31-1).Draw(t, "sequence")
	}
	records := rapid.SliceOfN(rapid.Custom(drawRecord), 1, 20).Draw(t, "records")
	for i := range records {
		b.Append(records[i])
		records[i].Offset = b.BaseOffset + int64(i)
	}
	return b, records
}

func collect(b []byte) ([]Record, error) {
	var all []Record
	for r, err := range Records(b) {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

func sameRecord(a, b Record) bool {
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	return a.Offset == b.Offset && a.Timestamp == b.Timestamp && a.Attributes == b.Attributes && same(a.Key, b.Key) && same(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(a, b RecordHeader) bool { return a.Key == b.Key && same(a.Value, b.Value) })
}

// sample is a small batch of three records, the second the latest.
func sample(codec Codec) *Builder {
	b := NewBuilder()
	b.Codec = codec
	b.ProducerID, b.ProducerEpoch, b.BaseSequence = 4711, 2, 10
	b.Append(Record{Timestamp: 1000, Key: []byte("account-1"), Value: []byte("debit 10.00")})
	b.Append(Record{Timestamp: 1005, Key: []byte("account-2"), Value: []byte("credit 10.00"), Headers: []RecordHeader{{Key: "trace", Value: []byte("a1")}, {Key: "null"}}})
	b.Append(Record{Timestamp: 1005, Value: []byte{}})
	return b
}

// rechecked sets length and CRC to what the bytes are, so that a test's damage lies behind them.
func rechecked(b []byte) []byte {
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-lengthExcludes))
	binary.BigEndian.PutUint32(b[crcAt:], checksum(b))
	return b
}

// wrap makes a batch of compressed bytes of a test's own making.
func wrap(codec Codec, n int32, compressed []byte) []byte {
	h := Header{Magic: Magic2, Attributes: int16(codec), LastOffsetDelta: n - 1, ProducerID: NoProducerID, ProducerEpoch: -1, BaseSequence: -1, NumRecords: n}
	return rechecked(append(AppendHeader(nil, h), compressed...))
}

// raw is the sample's records, uncompressed.
func raw() []byte { return sample(CodecNone).Bytes()[HeaderBytes:] }

func mustValidate(t testing.TB, b []byte, limits Limits) Info {
	t.Helper()
	info, err := Validate(b, limits)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// fingerprintOfSample is the fingerprint of sample under every codec.
const fingerprintOfSample = 0x4451ed2f310f5193

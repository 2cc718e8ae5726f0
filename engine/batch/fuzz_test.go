package batch

import (
	"bytes"
	"testing"
)

func seeds(f *testing.F) {
	for _, codec := range codecs {
		f.Add(sample(codec).Bytes())
	}
	f.Add(wrap(CodecSnappy, 3, xerial(raw(), 20)))
	f.Add(wrap(CodecZstd, 3, zstdStream(f, raw())))
}

func FuzzDecodeHeader(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := DecodeHeader(b)
		if err != nil {
			return
		}
		if again := AppendHeader(nil, h); !bytes.Equal(again, b[:HeaderBytes]) {
			t.Fatalf("%x decodes and encodes as %x", b[:HeaderBytes], again)
		}
		_ = h.String()
	})
}

// FuzzValidate makes length and CRC right first, or no input would come past them. What is accepted must read to its
// end, and its records built again must have the same fingerprint.
func FuzzValidate(f *testing.F) {
	seeds(f)
	limits := Limits{UncompressedBytesMax: 1 << 20, Allow: AllowTransactional | AllowControl | AllowLogAppendTime | AllowDeleteHorizon}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < HeaderBytes {
			return
		}
		b = rechecked(bytes.Clone(b))
		info, err := Validate(b, limits)
		if err != nil {
			return
		}
		records, err := collect(b)
		if err != nil || len(records) != int(info.NumRecords) || info.UncompressedBytes > limits.UncompressedBytesMax {
			t.Fatalf("%v accepted, but reads %d records: %v", info, len(records), err)
		}
		again := NewBuilder()
		for _, r := range records {
			again.Append(r)
		}
		rebuilt := mustValidate(t, again.Bytes(), Limits{})
		if rebuilt.NumRecords != info.NumRecords || rebuilt.MaxTimestamp != info.MaxTimestamp || rebuilt.NullKey != info.NullKey {
			t.Fatalf("%v, built again %v", info, rebuilt)
		}
	})
}

func FuzzRecords(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for r, err := range Records(b) {
			if err != nil {
				break
			}
			_ = r
		}
		_, _, _, _ = FindTimestamp(b, 1000)
	})
}

func FuzzDecodeControl(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1}, []byte{0, 0, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		c, err := DecodeControl(Record{Key: key, Value: value})
		if err != nil {
			return
		}
		if again, err := DecodeControl(c.Record(0)); err != nil || again != c {
			t.Fatalf("%v reads again as %v, %v", c, again, err)
		}
	})
}

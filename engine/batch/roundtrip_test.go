package batch

import (
	"bytes"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// TestRoundtrip: what is built is accepted, reads back equal, and has one fingerprint whatever the codec.
func TestRoundtrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		builder, records := drawBuilder(t)
		var first Info
		for i, codec := range codecs {
			builder.Codec = codec
			b := builder.Bytes()
			before := bytes.Clone(b)
			info, err := Validate(b, Limits{})
			if err != nil {
				t.Fatalf("%v: %v", codec, err)
			}
			if !bytes.Equal(b, before) {
				t.Fatalf("%v: Validate changed the batch", codec)
			}
			checkInfo(t, info, records)
			if i == 0 {
				first = info
			}
			if info.Codec, first.Codec = codec, codec; info != first {
				t.Fatalf("%v: %v, uncompressed %v", codec, info, first)
			}
			got, err := collect(b)
			if err != nil || !slices.EqualFunc(got, records, sameRecord) {
				t.Fatalf("%v: read %v, %v; wrote %v", codec, got, err, records)
			}
			checkFind(t, b, records)
		}
	})
}

func checkInfo(t *rapid.T, info Info, records []Record) {
	latest := records[0]
	nullKey := int32(-1)
	for i, r := range records {
		if r.Timestamp > latest.Timestamp {
			latest = r
		}
		if r.Key == nil && nullKey < 0 {
			nullKey = int32(i)
		}
	}
	if info.NumRecords != int32(len(records)) || info.MaxTimestamp != latest.Timestamp || info.MaxTimestampWrong ||
		int64(info.OffsetOfMaxTimestampDelta) != latest.Offset-records[0].Offset || info.NullKey != nullKey {
		t.Fatalf("%v null key %d of %v", info, info.NullKey, records)
	}
}

// checkFind looks for each record's time and for those around it.
func checkFind(t *rapid.T, b []byte, records []Record) {
	for _, r := range records {
		for _, ts := range []int64{r.Timestamp - 1, r.Timestamp, r.Timestamp + 1} {
			i := slices.IndexFunc(records, func(r Record) bool { return r.Timestamp >= ts })
			offset, timestamp, ok, err := FindTimestamp(b, ts)
			if err != nil || ok != (i >= 0) || ok && (offset != records[i].Offset || timestamp != records[i].Timestamp) {
				t.Fatalf("time %d: found %d at %d, %v, %v; want record %d of %v", ts, timestamp, offset, ok, err, i, records)
			}
		}
	}
}

// TestAgreesWithKmsg compares with a codec that others wrote, in both directions.
func TestAgreesWithKmsg(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		builder, records := drawBuilder(t)
		b := builder.Bytes()
		var theirs kmsg.RecordBatch
		if err := theirs.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		if int(theirs.NumRecords) != len(records) || theirs.FirstOffset != builder.BaseOffset || theirs.FirstSequence != builder.BaseSequence {
			t.Fatalf("kmsg reads %+v", theirs)
		}
		if again := theirs.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("kmsg writes\n%x\nwe write\n%x", again, b)
		}
		rest := theirs.Records
		for _, want := range records {
			var r kmsg.Record
			n, _, _ := varint32(rest, 0)
			size := varintBytes(int64(n)) + int(n)
			if err := r.ReadFrom(rest[:size]); err != nil {
				t.Fatal(err)
			}
			if again := r.AppendTo(nil); !bytes.Equal(again, rest[:size]) {
				t.Fatalf("kmsg writes record\n%x\nwe write\n%x", again, rest[:size])
			}
			rest = rest[size:]
			if !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) || len(r.Headers) != len(want.Headers) {
				t.Fatalf("kmsg reads %+v, want %+v", r, want)
			}
		}
	})
}

// TestFingerprintTellsRecordsApart: each change of what a record says changes the fingerprint.
func TestFingerprintTellsRecordsApart(t *testing.T) {
	seen := map[uint64]string{}
	add := func(name string, change func(b *Builder, r *Record)) {
		b := NewBuilder()
		r := Record{Timestamp: 5, Key: []byte("k"), Value: []byte("v"), Headers: []RecordHeader{{Key: "h", Value: []byte("x")}}}
		change(b, &r)
		b.Append(r)
		info := mustValidate(t, b.Bytes(), Limits{})
		if other, ok := seen[info.Fingerprint]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[info.Fingerprint] = name
	}
	add("the record", func(*Builder, *Record) {})
	add("other key", func(_ *Builder, r *Record) { r.Key = []byte("K") })
	add("null key", func(_ *Builder, r *Record) { r.Key = nil })
	add("empty key", func(_ *Builder, r *Record) { r.Key = []byte{} })
	add("other value", func(_ *Builder, r *Record) { r.Value = []byte("w") })
	add("other header", func(_ *Builder, r *Record) { r.Headers[0].Key = "g" })
	add("other time", func(_ *Builder, r *Record) { r.Timestamp = 6 })
	add("one more", func(b *Builder, r *Record) { b.Append(*r) })
}

// TestFingerprintIgnoresTheJourney: offsets, epochs, producer and codec are not what the records are.
func TestFingerprintIgnoresTheJourney(t *testing.T) {
	want := mustValidate(t, sample(CodecNone).Bytes(), Limits{}).Fingerprint
	b := sample(CodecZstd)
	b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = 9, 9, 9, true
	served := b.Bytes()
	PatchServed(served, 1234, 5)
	if got := mustValidate(t, served, Limits{Allow: AllowTransactional}).Fingerprint; got != want {
		t.Fatalf("%x, want %x", got, want)
	}
	// Stored in replicated state, so it never changes.
	if want != fingerprintOfSample {
		t.Fatalf("the definition of the fingerprint changed: %#x", want)
	}
}

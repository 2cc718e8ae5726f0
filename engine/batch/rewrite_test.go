package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// What Rewrite keeps is byte for byte what was there, in every codec; readers find it at the offsets of before.
func TestRewrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBuilder()
		b.Codec = Codec(rapid.IntRange(0, 4).Draw(t, "codec"))
		b.BaseOffset = rapid.Int64Range(0, 1000).Draw(t, "base")
		if rapid.Bool().Draw(t, "producer") {
			b.ProducerID, b.ProducerEpoch, b.BaseSequence = 9, 3, 77
		}
		n := rapid.IntRange(1, 20).Draw(t, "records")
		for i := range n {
			r := Record{Timestamp: 1000 + rapid.Int64Range(-50, 50).Draw(t, "timestamp"), Value: []byte(fmt.Sprint("value", i))}
			if rapid.IntRange(0, 4).Draw(t, "no key") > 0 {
				r.Key = []byte(fmt.Sprint("key", i%5))
			}
			if rapid.IntRange(0, 3).Draw(t, "tombstone") == 0 {
				r.Value = nil
			}
			if rapid.Bool().Draw(t, "header") {
				r.Headers = []RecordHeader{{Key: "h", Value: []byte("x")}, {Key: "null"}}
			}
			b.Append(r)
		}
		whole := b.Bytes()
		chosen := map[int32]bool{}
		for i := range int32(n) {
			chosen[i] = rapid.Bool().Draw(t, "kept")
		}
		var want []Record
		tombstones := int32(0)
		for r, err := range Records(whole) {
			if err != nil {
				t.Fatal(err)
			}
			if chosen[int32(r.Offset-b.BaseOffset)] {
				want = append(want, r)
				if r.Key != nil && r.Value == nil {
					tombstones++
				}
			}
		}
		before := bytes.Clone(whole)
		out, r, err := Rewrite([]byte("before"), whole, func(k Keyed) bool { return chosen[k.OffsetDelta] })
		if err != nil || !bytes.Equal(before, whole) || !bytes.HasPrefix(out, []byte("before")) {
			t.Fatalf("%v %+v", err, r)
		}
		out = out[len("before"):]
		if r.Records != int32(n) || int(r.Kept) != len(want) || r.Tombstones != tombstones {
			t.Fatalf("%+v, want %d of %d and %d tombstones", r, len(want), n, tombstones)
		}
		if len(want) == 0 || len(want) == n {
			if len(out) != 0 {
				t.Fatalf("%+v: written anew without need", r)
			}
			return
		}
		info, err := Validate(out, Limits{Allow: AllowGaps})
		if err != nil || info.MaxTimestamp != r.MaxTimestamp || info.MaxTimestampWrong || info.OffsetOfMaxTimestampDelta != r.MaxTimestampDelta ||
			info.ProducerID != b.ProducerID || info.BaseSequence != b.BaseSequence || info.Codec != b.Codec || int(info.LastOffsetDelta) != n-1 {
			t.Fatalf("%v %v %+v", info, err, r)
		}
		var got []Record
		for rec, err := range Records(out) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rec)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || r.FirstDelta != int32(want[0].Offset-b.BaseOffset) {
			t.Fatalf("got  %v\nwant %v\n%+v", got, want, r)
		}
		// A second time, on what is left.
		last := int32(got[len(got)-1].Offset - b.BaseOffset)
		again, r2, err := Rewrite(nil, out, func(k Keyed) bool { return k.OffsetDelta == last })
		if err != nil || r2.Kept != 1 || r2.Records != r.Kept || r2.Kept == r2.Records != (len(again) == 0) {
			t.Fatalf("again: %+v %v", r2, err)
		}
	})
}

func TestEachKey(t *testing.T) {
	b := NewBuilder()
	b.Append(Record{Key: []byte("a"), Value: []byte("1")})
	b.Append(Record{Key: []byte{}})
	b.Append(Record{Value: []byte("2")})
	b.Append(Record{})
	var got []string
	if err := EachKey(b.Bytes(), func(k Keyed) bool {
		got = append(got, fmt.Sprintf("%d %q %v %v", k.OffsetDelta, k.Key, k.Key == nil, k.Tombstone))
		return k.OffsetDelta < 2
	}); err != nil {
		t.Fatal(err)
	}
	if want := `[0 "a" false false 1 "" false true 2 "" true false]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	damaged := b.Bytes()
	binary.BigEndian.PutUint32(damaged[numRecordsAt:], 9)
	if err := EachKey(damaged, func(Keyed) bool { return true }); err == nil {
		t.Error("nine records of four")
	}
	if _, _, err := Rewrite(nil, damaged, func(Keyed) bool { return true }); err == nil {
		t.Error("nine records of four, rewritten")
	}
}

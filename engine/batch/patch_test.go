package batch

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tallymq/tallymq/internal/invariant"
)

func TestPatchServedKeepsTheCRC(t *testing.T) {
	b := sample(CodecLZ4).Bytes()
	PatchServed(b, 1<<40, 9)
	mustValidate(t, b, Limits{})
	h, err := DecodeHeader(b)
	if err != nil || h.BaseOffset != 1<<40 || h.LeaderEpoch != 9 {
		t.Fatalf("%v, %v", h, err)
	}
	if got, err := collect(b); err != nil || got[2].Offset != 1<<40+2 {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestPatchLogAppendTime(t *testing.T) {
	for _, codec := range codecs {
		b := sample(codec).Bytes()
		before := mustValidate(t, b, Limits{})
		PatchLogAppendTime(b, 7777)
		if _, err := Validate(b, Limits{}); !errors.Is(err, ErrInvalidTimestamp) {
			t.Errorf("%v: a producer may not send it: %v", codec, err)
		}
		info := mustValidate(t, b, Limits{Allow: AllowLogAppendTime})
		if info.MaxTimestamp != 7777 || info.OffsetOfMaxTimestampDelta != 0 || info.Fingerprint != before.Fingerprint {
			t.Errorf("%v: %v", codec, info)
		}
		got, err := collect(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			if r.Timestamp != 7777 {
				t.Errorf("%v: record at %d has time %d", codec, r.Offset, r.Timestamp)
			}
		}
		if offset, ts, ok, err := FindTimestamp(b, 7000); err != nil || !ok || offset != 0 || ts != 7777 {
			t.Errorf("%v: found %d %d %v %v", codec, offset, ts, ok, err)
		}
		if _, _, ok, err := FindTimestamp(b, 7778); err != nil || ok {
			t.Errorf("%v: found a time after the last, %v", codec, err)
		}
	}
}

func TestBuilderWritesWhatPatchLogAppendTimeWrites(t *testing.T) {
	patched, built := sample(CodecNone).Bytes(), sample(CodecNone)
	PatchLogAppendTime(patched, 7777)
	built.LogAppendTime = 7777
	if !bytes.Equal(patched, built.Bytes()) {
		t.Fatalf("patched %x, built %x", patched, built.Bytes())
	}
}

func TestMaxTimestampThatLies(t *testing.T) {
	b := sample(CodecNone).Bytes()
	PatchMaxTimestamp(b, 99)
	info := mustValidate(t, b, Limits{})
	if !info.MaxTimestampWrong || info.MaxTimestamp != 1005 || info.OffsetOfMaxTimestampDelta != 1 {
		t.Fatalf("%v", info)
	}
	PatchMaxTimestamp(b, info.MaxTimestamp)
	if !bytes.Equal(b, sample(CodecNone).Bytes()) {
		t.Fatal("put right, it is not the batch it was")
	}
}

func TestPatchingAPartIsABug(t *testing.T) {
	b := sample(CodecNone).Bytes()
	for name, f := range map[string]func(){
		"served":     func() { PatchServed(b[:60], 1, 1) },
		"short":      func() { PatchLogAppendTime(b[:len(b)-1], 1) },
		"long":       func() { PatchLogAppendTime(append(bytes.Clone(b), 0), 1) },
		"max":        func() { PatchMaxTimestamp(b[:60], 1) },
		"append at":  func() { sample(CodecNone).AppendAt(Record{Offset: 2}) },
		"end before": func() { sample(CodecNone).EndAt(1) },
		"codec":      func() { sample(9).Bytes() },
	} {
		func() {
			defer func() {
				if _, ok := invariant.AsViolation(recover()); !ok {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}

// TestCompactedBatch: gaps, a missing end and no records at all are accepted where compaction wrote, and only there.
func TestCompactedBatch(t *testing.T) {
	b := NewBuilder()
	b.BaseOffset = 100
	b.Codec = CodecZstd
	b.AppendAt(Record{Offset: 101, Timestamp: 5, Value: []byte("x")})
	b.AppendAt(Record{Offset: 107, Timestamp: 9, Value: []byte("y")})
	b.EndAt(109)
	if _, err := Validate(b.Bytes(), Limits{}); !errors.Is(err, ErrInvalidRecord) {
		t.Fatalf("from a producer: %v", err)
	}
	info := mustValidate(t, b.Bytes(), Limits{Allow: AllowGaps})
	if info.NumRecords != 2 || info.LastOffsetDelta != 9 || info.OffsetOfMaxTimestampDelta != 7 {
		t.Fatalf("%v", info)
	}
	if got, err := collect(b.Bytes()); err != nil || len(got) != 2 || got[1].Offset != 107 {
		t.Fatalf("%v, %v", got, err)
	}
	if offset, _, ok, err := FindTimestamp(b.Bytes(), 6); err != nil || !ok || offset != 107 {
		t.Fatalf("found %d, %v, %v", offset, ok, err)
	}
	b.Reset()
	b.EndAt(109)
	if info := mustValidate(t, b.Bytes(), Limits{Allow: AllowGaps}); info.NumRecords != 0 || info.MaxTimestamp != NoTimestamp {
		t.Fatalf("%v", info)
	}
	h, err := DecodeHeader(b.Bytes())
	if err != nil || h.LastOffset() != 109 {
		t.Fatalf("%v, %v", h, err)
	}
}

func TestControlBatch(t *testing.T) {
	for _, want := range []ControlRecord{{ControlCommit, 3}, {ControlAbort, 1 << 30}} {
		b := NewBuilder()
		b.ProducerID, b.ProducerEpoch, b.Transactional, b.Control = 7, 1, true, true
		b.Append(want.Record(5))
		if _, err := Validate(b.Bytes(), Limits{Allow: AllowTransactional}); !errors.Is(err, ErrInvalidRecord) {
			t.Fatalf("from a client: %v", err)
		}
		mustValidate(t, b.Bytes(), Limits{Allow: AllowTransactional | AllowControl})
		got, err := collect(b.Bytes())
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		if c, err := DecodeControl(got[0]); err != nil || c != want {
			t.Fatalf("%v, %v; want %v", c, err, want)
		}
	}
	for _, r := range []Record{{}, {Key: []byte{0, 0, 0}}, {Key: []byte{0, 0, 0, 2}, Value: make([]byte, 6)}, {Key: []byte{0, 0, 0, 1}, Value: make([]byte, 5)}, {Key: []byte{0xff, 0, 0, 1}, Value: make([]byte, 6)}} {
		if c, err := DecodeControl(r); !errors.Is(err, ErrInvalidRecord) {
			t.Errorf("%v decodes as %v, %v", r, c, err)
		}
	}
}

func TestHeaderAccessors(t *testing.T) {
	b := sample(CodecZstd)
	b.Transactional, b.Control, b.LogAppendTime = true, true, 8
	h, err := DecodeHeader(b.Bytes())
	if err != nil || h.Codec() != CodecZstd || !h.Transactional() || !h.Control() || h.TimestampType() != LogAppendTime || !h.HasProducer() {
		t.Fatalf("%v, %v", h, err)
	}
	if _, ok := h.DeleteHorizon(); ok {
		t.Fatal("a delete horizon out of nothing")
	}
	h.Attributes |= deleteHorizonBit
	if ms, ok := h.DeleteHorizon(); !ok || ms != 1000 {
		t.Fatalf("delete horizon %d, %v", ms, ok)
	}
	if got := h.String(); got == "" || h.TotalBytes() != len(b.Bytes()) {
		t.Fatalf("%s", got)
	}
}

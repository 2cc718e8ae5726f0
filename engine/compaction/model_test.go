package compaction

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/txn"
	"pgregory.net/rapid"
)

// reader reads what is committed of the log from its beginning, a few records at a time, and keeps the state that the records stand for.
type reader struct {
	next  broker.Offset
	since uint64 // clock
	state map[string]string
}

func (r *reader) read(w *world, n int) {
	h := w.head()
	for _, rec := range w.log() {
		if rec.offset < r.next || n == 0 || rec.offset >= h.Stable() {
			continue
		}
		n--
		r.next = rec.offset + 1
		switch {
		case !w.appended[rec.offset].fate.counts():
		case rec.tombstone():
			delete(r.state, string(rec.key))
		case rec.key != nil:
			r.state[string(rec.key)] = string(rec.value)
		}
	}
	if n > 0 {
		r.next = h.Stable()
	}
}

// judge holds the log against all that was ever appended.
func (w *world) judge(before []record) []record {
	w.t.Helper()
	h, log := w.head(), w.log()
	there := map[broker.Offset]bool{}
	for i, r := range log {
		want := w.appended[r.offset]
		if i > 0 && log[i-1].offset >= r.offset {
			w.t.Fatalf("%v after %v", r, log[i-1])
		}
		if r.String() != want.String() || (r.key == nil) != (want.key == nil) || (r.value == nil) != (want.value == nil) {
			w.t.Fatalf("%v was appended as %v", r, want)
		}
		there[r.offset] = true
	}
	for i := range before { // none comes back
		if r := before[i]; r.offset >= h.Start && i > 0 {
			for o := before[i-1].offset + 1; o < r.offset; o++ {
				if there[o] {
					w.t.Fatalf("offset %d was gone and is back", o)
				}
			}
		}
	}
	newest := map[string]broker.Offset{}
	for _, r := range w.appended {
		if r.key != nil && r.fate.counts() {
			newest[string(r.key)] = r.offset
		}
	}
	for _, r := range w.appended {
		if r.offset < h.Start || there[r.offset] {
			continue
		}
		switch {
		case r.fate == undecided, r.offset >= h.Stable():
			w.t.Fatalf("%v is undecided, or behind what is, and is gone", r)
		case r.fate == marker && string(r.key) == txn.Abort.String():
			w.t.Fatalf("the end %v of an aborted transaction is gone", r)
		case r.fate == marker, r.fate == aborted:
		case r.key == nil:
			w.t.Fatalf("%v has no key and is gone", r)
		case r.offset >= h.Untouched():
			w.t.Fatalf("%v is of the last stable batch and is gone", r)
		case h.Compaction.MinLagMs > 0 && r.timestamp > w.times.Wall-h.Compaction.MinLagMs:
			w.t.Fatalf("%v is younger than the lag and is gone", r)
		case newest[string(r.key)] > r.offset:
		case !r.tombstone():
			w.t.Fatalf("%v is the newest of its key and is gone", r)
		case w.times.Clock < r.clock+uint64(h.Compaction.DeleteRetentionMs):
			w.t.Fatalf("the tombstone %v is gone at %d", r, w.times.Clock)
		}
	}
	return log
}

func (w *world) stable() broker.Offset {
	h := w.head()
	return h.Stable()
}

// state is what the stable part of the log stands for.
func (w *world) state() map[string]string {
	state := map[string]string{}
	for _, r := range w.appended[:w.stable()] {
		if !r.fate.counts() {
			continue
		}
		if r.tombstone() {
			delete(state, string(r.key))
		} else if r.key != nil {
			state[string(r.key)] = string(r.value)
		}
	}
	return state
}

// Whatever is appended and however passes are cut off: the newest of each key stays, at its offset, and readers end with
// the right state.
func TestCompactionAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := command.CompactionConfig{Compact: true, DeleteRetentionMs: 100, MaxLagMs: math.MaxInt64, DirtyMillionths: 0,
			MinLagMs: rapid.SampledFrom([]int64{0, 0, 60}).Draw(t, "min lag")}
		w := newWorld(t, config)
		var seen []record
		var readers []*reader
		long := string(bytes.Repeat([]byte{'x'}, keyWholeBytesMax))
		keys := []string{"", "a", "b", "c", long, long + "1", long + "2"}
		limits := func(t *rapid.T) Limits {
			return Limits{KeysBytes: rapid.SampledFrom([]int{1, 200, 0}).Draw(t, "keys"), SliceBytes: rapid.SampledFrom([]int{1, 200, 0}).Draw(t, "slice"),
				SliceRows: rapid.SampledFrom([]int{1, 3, 0}).Draw(t, "rows")}
		}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				rs := make([]record, rapid.IntRange(1, 5).Draw(t, "records"))
				for i := range rs {
					w.version++
					rs[i] = record{timestamp: w.times.Wall - rapid.Int64Range(0, 50).Draw(t, "age"), key: []byte(rapid.SampledFrom(keys).Draw(t, "key")),
						value: []byte(fmt.Sprint(w.version))}
					switch rapid.IntRange(0, 5).Draw(t, "kind") {
					case 0:
						rs[i].value = nil
					case 1:
						rs[i].key = nil
					}
				}
				stamp := rapid.SampledFrom([]int64{-1, w.times.Wall}).Draw(t, "stamp")
				producer := txn.ProducerID(rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "producer"))
				w.append(batch.Codec(rapid.IntRange(0, 4).Draw(t, "codec")), stamp, producer, rs...)
			},
			"decide": func(t *rapid.T) {
				w.decide(txn.ProducerID(rapid.IntRange(1, 2).Draw(t, "producer")), rapid.SampledFrom([]txn.Outcome{txn.Commit, txn.Abort}).Draw(t, "outcome"))
			},
			"time": func(t *rapid.T) {
				ms := rapid.SampledFrom([]uint64{10, 40, 101}).Draw(t, "ms")
				w.times.Clock += ms
				w.times.Wall += int64(ms)
			},
			"pass": func(t *rapid.T) {
				l := limits(t)
				if w.pass(l, math.MaxInt) && l.KeysBytes == 0 {
					w.oneOfEach()
				}
			},
			"pass cut off": func(t *rapid.T) { w.pass(limits(t), rapid.IntRange(0, 3).Draw(t, "commands")) },
			"passes until none is due": func(t *rapid.T) {
				for n := 0; ; n++ {
					h := w.head()
					why, err := Due(w.rows, &h, w.times)
					if err != nil || n > len(w.appended)+2 {
						t.Fatalf("%q after %d passes: %v", why, n, err)
					}
					if why == NotDue {
						break
					}
					w.pass(limits(t), math.MaxInt)
				}
				for _, r := range w.log() {
					if h := w.head(); r.tombstone() && r.offset < h.Cleaned && h.NextHorizon < 0 {
						t.Fatalf("the tombstone %v stays for ever: %s", r, h.Describe())
					}
				}
			},
			"trim": func(t *rapid.T) {
				h := w.head()
				to := broker.Offset(rapid.Int64Range(int64(h.Start), int64(h.Next)).Draw(t, "to"))
				if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
					return
				}
				if c, ok, err := partition.TrimAt(w.rows, &h, to); err != nil {
					t.Fatalf("trim to %d: %v", to, err)
				} else if ok {
					w.apply(&c)
					w.apply(&command.Sweep{Budget: 100, ProducerExpireMs: -1})
					readers = nil // they are not promised anything any more
				}
			},
			"reader": func(*rapid.T) {
				if w.head().Start == 0 {
					readers = append(readers, &reader{since: w.times.Clock, state: map[string]string{}})
				}
			},
			"read": func(t *rapid.T) {
				for _, r := range readers {
					r.read(w, rapid.IntRange(1, 6).Draw(t, "n"))
					if r.next == w.stable() && w.times.Clock < r.since+uint64(config.DeleteRetentionMs) && fmt.Sprint(r.state) != fmt.Sprint(w.state()) {
						t.Fatalf("a reader since %d has at %d\n%v, want\n%v", r.since, w.times.Clock, r.state, w.state())
					}
				}
				readers = slices.DeleteFunc(readers, func(r *reader) bool { return r.next == w.stable() })
			},
			"": func(*rapid.T) {
				w.free()
				seen = w.judge(seen)
				h := w.head()
				var size uint64
				_ = partition.Batches(w.rows, &h, 0, func(b partition.Batch) bool {
					size += uint64(b.Name.Length)
					if b.Last == h.Cleaned-1 && b.BytesEnd != h.CleanedBytes {
						t.Fatalf("%s: clean to %d bytes", h.Describe(), b.BytesEnd)
					}
					if at, fixed := w.horizons[b.Last]; fixed && b.Horizon > at {
						t.Fatalf("the tombstones of %v were to go at %d", b, at)
					}
					if b.Horizon >= 0 {
						w.horizons[b.Last] = b.Horizon
					}
					return true
				})
				if last, ok, err := partition.FindBatch(w.rows, &h, h.Stable()-1); h.Start < h.Stable() && (err != nil || !ok || last.Hole()) {
					t.Fatalf("%s: readers of what is committed do not get to the end of it: %v %v", h.Describe(), last, err)
				}
				if size != h.Bytes() {
					t.Fatalf("%s: batches of %d bytes", h.Describe(), size)
				}
			},
		})
	})
}

// oneOfEach wants at most one record of a key below the clean end.
func (w *world) oneOfEach() {
	w.t.Helper()
	at := map[string]broker.Offset{}
	for _, r := range w.log() {
		if r.key == nil || r.offset >= w.head().Cleaned || w.appended[r.offset].fate == marker {
			continue
		}
		if w.appended[r.offset].fate == aborted {
			w.t.Fatalf("%v was aborted and is still there", r)
		}
		if o, known := at[string(r.key)]; known {
			w.t.Fatalf("key %q is at %d and at %d", r.key, o, r.offset)
		}
		at[string(r.key)] = r.offset
	}
}

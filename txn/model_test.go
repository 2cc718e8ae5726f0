package txn_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/txn"
)

// model remembers every batch of the epoch, so it knows what the window may forget.
type model struct {
	known   bool
	epoch   txn.Epoch
	batches []txn.Batch
}

func (m *model) check(epoch txn.Epoch, first, last txn.Sequence, print uint64) (txn.Action, txn.Code, txn.Batch) {
	none := txn.Batch{}
	if !m.known {
		return txn.Append, txn.None, none
	}
	if epoch < m.epoch {
		return txn.Refuse, txn.InvalidProducerEpoch, none
	}
	if epoch > m.epoch || len(m.batches) == 0 {
		if first == 0 {
			return txn.Append, txn.None, none
		}
		return txn.Refuse, txn.OutOfOrderSequence, none
	}
	remembered := max(0, len(m.batches)-txn.WindowBatchesMax)
	for _, b := range m.batches[remembered:] {
		if b.FirstSequence == first && b.LastSequence == last {
			if b.Fingerprint == print {
				return txn.Duplicate, txn.None, b
			}
			return txn.Refuse, txn.OutOfOrderSequence, none
		}
	}
	if m.next() == first {
		return txn.Append, txn.None, none
	}
	// Older than the window: each of its sequences lies in a forgotten batch.
	forgotten := map[txn.Sequence]bool{}
	for _, b := range m.batches[:remembered] {
		for s := b.FirstSequence; ; s = s.Next() {
			forgotten[s] = true
			if s == b.LastSequence {
				break
			}
		}
	}
	for s := first; forgotten[s]; s = s.Next() {
		if s == last {
			return txn.Refuse, txn.DuplicateSequence, none
		}
	}
	return txn.Refuse, txn.OutOfOrderSequence, none
}

func (m *model) next() txn.Sequence { return m.batches[len(m.batches)-1].LastSequence.Next() }

func TestWindowAgainstModel(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var w txn.Window
		var m model
		offset := int64(0)
		// Near the wrap more often than chance would have it.
		base := rapid.SampledFrom([]txn.Sequence{0, 0, txn.SequenceMax - 30, 1000}).Draw(t, "base")
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			n := rapid.Int32Range(1, 5).Draw(t, "n")
			epoch := m.epoch + txn.Epoch(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -1}).Draw(t, "epoch"))
			epoch = max(epoch, 0)
			first, print := base, uint64(rapid.IntRange(1, 2).Draw(t, "print"))
			if len(m.batches) > 0 {
				switch rapid.IntRange(0, 5).Draw(t, "kind") {
				case 0, 1, 2: // the next one
					first = m.next()
				case 3: // one that was sent before
					b := m.batches[rapid.IntRange(0, len(m.batches)-1).Draw(t, "which")]
					first, n = b.FirstSequence, int32(b.LastOffset-b.BaseOffset+1)
				case 4: // near what was sent before
					back := rapid.Int32Range(0, 40).Draw(t, "back")
					first = m.next()
					for range back {
						first = first.Add(txn.SequenceMax) // one less
					}
				case 5:
					first = 0
				}
			}
			last := txn.LastSequence(first, n)
			v := w.Check(epoch, first, last, print)
			action, code, original := m.check(epoch, first, last, print)
			if v.Action != action || v.Code != code || v.Original != original {
				t.Fatalf("epoch %d sequences %d..%d: %v, the model says %v %v %v\n%s", epoch, first, last, v, action, code, original, w.Describe())
			}
			seen[v.Action.String()+v.Code.String()]++
			if v.Action == txn.Append {
				offset += rapid.Int64Range(0, 3).Draw(t, "others")
				b := txn.Batch{FirstSequence: first, LastSequence: last, BaseOffset: offset, LastOffset: offset + int64(n) - 1, Timestamp: offset, Fingerprint: print}
				w.Record(epoch, b, offset)
				offset += int64(n)
				if !m.known || epoch != m.epoch {
					m = model{known: true, epoch: epoch}
				}
				m.batches = append(m.batches, b)
			}
			mustReload(t, &w)
		}
	})
	// The test is worth something only if it reaches every answer.
	for _, want := range []string{"appendnone", "duplicatenone", "refuseout-of-order-sequence", "refuseduplicate-sequence", "refuseinvalid-producer-epoch"} {
		if seen[want] == 0 {
			t.Errorf("%s never happened: %v", want, seen)
		}
	}
}

func mustReload(t *rapid.T, w *txn.Window) {
	encoded := w.AppendTo(nil)
	again, err := txn.Decode(encoded)
	if err != nil || again != *w || !bytes.Equal(again.AppendTo(nil), encoded) {
		t.Fatalf("decoded %v, %v; was %v", &again, err, w)
	}
}

func FuzzDecode(f *testing.F) {
	var w txn.Window
	f.Add(w.AppendTo(nil))
	w.SetEpoch(3, 9)
	f.Add(w.AppendTo(nil))
	for i := range int64(8) {
		w.Record(3, txn.Batch{FirstSequence: txn.Sequence(i), LastSequence: txn.Sequence(i), BaseOffset: i * 3, LastOffset: i * 3, Fingerprint: 7}, i)
		f.Add(w.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := txn.Decode(b)
		if err != nil {
			return
		}
		if again := w.AppendTo(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes and encodes as %x", b, again)
		}
		_ = w.Describe()
		w.Check(w.Epoch(), 5, 9, 1)
	})
}

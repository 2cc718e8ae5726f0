package txn

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/internal/invariant"
)

// ProducerID names one producer, for ever. Epoch counts its incarnations: a higher one fences the lower.
type (
	ProducerID int64
	Epoch      int16
)

// Batch is what a window remembers of one appended batch.
type Batch struct {
	FirstSequence Sequence
	LastSequence  Sequence // below FirstSequence if the sequences wrapped
	BaseOffset    int64
	LastOffset    int64  // BaseOffset + number of records - 1
	Timestamp     int64  // ms: what the first attempt was answered with (log append time), or the batch's max timestamp
	Fingerprint   uint64 // over the decompressed records
}

// String is one line.
func (b Batch) String() string {
	return fmt.Sprintf("sequences %d..%d offsets %d..%d timestamp %d fingerprint %x",
		b.FirstSequence, b.LastSequence, b.BaseOffset, b.LastOffset, b.Timestamp, b.Fingerprint)
}

// Window is what one partition remembers of one producer id. The zero value knows nothing of the producer. It holds no
// references, so it may be copied.
type Window struct {
	// epoch is the highest seen; meaningless while known is false.
	epoch Epoch
	known bool

	// n is how many of batches are set, 0..WindowBatchesMax; they rise: batches[i+1] begins where batches[i] ended.
	// A known window has none after an epoch was raised without data (SetEpoch).
	n       int
	batches [WindowBatchesMax]Batch

	// lastUsed is the replicated time, in ms, of the last Record or SetEpoch; it never falls.
	lastUsed int64
}

// Known says that the window has seen the producer.
func (w *Window) Known() bool { return w.known }

// Epoch is the highest epoch seen.
func (w *Window) Epoch() Epoch { return w.epoch }

// LastUsed is the replicated time, in ms, of the last change.
func (w *Window) LastUsed() int64 { return w.lastUsed }

// Batches are the remembered batches, oldest first; the caller may keep them.
func (w *Window) Batches() []Batch { return append([]Batch(nil), w.batches[:w.n]...) }

// LastSequence is the last sequence recorded in this epoch; false if none is.
func (w *Window) LastSequence() (Sequence, bool) {
	if w.n == 0 {
		return 0, false
	}
	return w.batches[w.n-1].LastSequence, true
}

// Check says what is to become of a batch with these numbers. It changes nothing.
func (w *Window) Check(epoch Epoch, first, last Sequence, fingerprint uint64) Verdict {
	if epoch < 0 || first < 0 || last < 0 {
		return refuse(OutOfOrderSequence, "epoch %d, sequences %d..%d are not a batch's", epoch, first, last)
	}
	if !w.known {
		return Verdict{Action: Append}
	}
	switch {
	case epoch < w.epoch:
		return refuse(InvalidProducerEpoch, "epoch %d is fenced by %d", epoch, w.epoch)
	case epoch > w.epoch || w.n == 0:
		if first != 0 {
			return refuse(OutOfOrderSequence, "epoch %d begins with sequence %d, not 0", epoch, first)
		}
		return Verdict{Action: Append}
	}
	// Duplicates come first: a remembered batch may end right before the wrap that the next one begins behind.
	for i := w.n - 1; i >= 0; i-- {
		b := w.batches[i]
		if b.FirstSequence != first || b.LastSequence != last {
			continue
		}
		if b.Fingerprint != fingerprint {
			return refuse(OutOfOrderSequence, "sequences %d..%d came with other records before (fingerprint %x, now %x)",
				first, last, b.Fingerprint, fingerprint)
		}
		return Verdict{Action: Duplicate, Original: b}
	}
	newest := w.batches[w.n-1].LastSequence
	if first == newest.Next() {
		return Verdict{Action: Append}
	}
	if behind(last, w.batches[0].FirstSequence) {
		return refuse(DuplicateSequence, "sequences %d..%d lie before %d, the oldest remembered", first, last, w.batches[0].FirstSequence)
	}
	return refuse(OutOfOrderSequence, "sequence %d where %d was expected", first, newest.Next())
}

// behind says that s lies in the half of the circle of sequences before t.
func behind(s, t Sequence) bool { return s != t && count(s, t) <= (SequenceMax+1)/2 }

// Record remembers a batch that Check answered with Append and that was appended at replicated time now, in ms. The
// oldest batch is forgotten when there are more than WindowBatchesMax; a higher epoch forgets all of the older's.
func (w *Window) Record(epoch Epoch, b Batch, now int64) {
	v := w.Check(epoch, b.FirstSequence, b.LastSequence, b.Fingerprint)
	invariant.Check(v.Action == Append, "recording %v in epoch %d: %v", b, epoch, v)
	invariant.Check(count(b.FirstSequence, b.LastSequence) == b.LastOffset-b.BaseOffset+1,
		"%v has more offsets than sequences, or fewer", b)
	if !w.known || epoch != w.epoch {
		w.batches, w.n = [WindowBatchesMax]Batch{}, 0
	}
	w.known, w.epoch = true, epoch
	if w.n == WindowBatchesMax {
		copy(w.batches[:], w.batches[1:])
		w.n--
	}
	w.batches[w.n] = b
	w.n++
	w.lastUsed = max(w.lastUsed, now)
}

// SetEpoch raises the epoch without data, at replicated time now, in ms: batches of lower epochs are refused from here
// on and the next batch begins at sequence 0. It returns false, and changes nothing, if the epoch is not higher.
func (w *Window) SetEpoch(epoch Epoch, now int64) bool {
	if epoch < 0 || w.known && epoch <= w.epoch {
		return false
	}
	w.batches, w.n = [WindowBatchesMax]Batch{}, 0
	w.known, w.epoch = true, epoch
	w.lastUsed = max(w.lastUsed, now)
	return true
}

// Expired says that the window was not used for longer than retention: both in ms, now is replicated time.
func (w *Window) Expired(now, retention int64) bool {
	return w.known && now-w.lastUsed > retention
}

// String is one line.
func (w *Window) String() string {
	if !w.known {
		return "unknown"
	}
	last, ok := w.LastSequence()
	if !ok {
		return fmt.Sprintf("epoch %d, nothing appended, used %d", w.epoch, w.lastUsed)
	}
	return fmt.Sprintf("epoch %d, sequence %d, %d batches, used %d", w.epoch, last, w.n, w.lastUsed)
}

// Describe is String and a line for each remembered batch, oldest first.
func (w *Window) Describe() string {
	var s strings.Builder
	s.WriteString(w.String())
	for _, b := range w.batches[:w.n] {
		s.WriteString("\n  ")
		s.WriteString(b.String())
	}
	return s.String()
}

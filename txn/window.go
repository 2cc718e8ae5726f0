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

	// forgotten is how many sequences of this epoch were appended right before batches[0] and are no longer
	// remembered, at most forgottenMax. Only those are "older than the window": a sequence that was never appended here,
	// because the producer was unknown and began in the middle, is a gap and must not be called a duplicate.
	forgotten int64

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
	if w.forgot(first, last) {
		return refuse(DuplicateSequence, "sequences %d..%d lie before %d, the oldest remembered", first, last, w.batches[0].FirstSequence)
	}
	return refuse(OutOfOrderSequence, "sequence %d where %d was expected", first, newest.Next())
}

// forgot says that first..last lies whole in what was appended and is no longer remembered.
func (w *Window) forgot(first, last Sequence) bool {
	before := count(first, w.batches[0].FirstSequence) - 1 // sequences from first up to the oldest remembered
	return before > 0 && before <= w.forgotten && count(first, last) <= before
}

// Record remembers a batch that Check answered with Append and that was appended at replicated time now, in ms. The
// oldest batch is forgotten when there are more than WindowBatchesMax; a higher epoch forgets all of the older's.
func (w *Window) Record(epoch Epoch, b Batch, now int64) {
	v := w.Check(epoch, b.FirstSequence, b.LastSequence, b.Fingerprint)
	if v.Action != Append { // not Check: its arguments would be allocated on every call
		invariant.Unreachable("recording %v in epoch %d: %v", b, epoch, v)
	}
	if count(b.FirstSequence, b.LastSequence) != b.LastOffset-b.BaseOffset+1 {
		invariant.Unreachable("%v has more offsets than sequences, or fewer", b)
	}
	if !w.known || epoch != w.epoch {
		w.begin(epoch)
	}
	if w.n > 0 {
		newest := w.batches[w.n-1]
		if b.BaseOffset <= newest.LastOffset {
			invariant.Unreachable("%v is appended before %v", b, newest)
		}
	}
	if w.n == WindowBatchesMax {
		oldest := w.batches[0]
		w.forgotten = min(w.forgotten+count(oldest.FirstSequence, oldest.LastSequence), forgottenMax)
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
	w.begin(epoch)
	w.lastUsed = max(w.lastUsed, now)
	return true
}

func (w *Window) begin(epoch Epoch) {
	*w = Window{known: true, epoch: epoch, lastUsed: w.lastUsed}
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
	if w.forgotten > 0 {
		fmt.Fprintf(&s, "\n  %d sequences before these are forgotten", w.forgotten)
	}
	for _, b := range w.batches[:w.n] {
		s.WriteString("\n  ")
		s.WriteString(b.String())
	}
	return s.String()
}

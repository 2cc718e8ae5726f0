package partition

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Queries read rows, so they are given a Reader and a Head that go together: the rows must be at least as new as the
// head (newer ones are not looked at). A log start that moved since then shows as batches that are missing.

// Batches yields the batches of the log, and its holes, from the one that holds offset from on (or the next one after it), ascending,
// until yield returns false. The first may begin below from.
func Batches(r keyspace.Reader, h *Head, from broker.Offset, yield func(Batch) bool) error {
	return scanBatches(r, h.Slot, max(from, h.Start), h.Next-1, yield)
}

// FindBatch is the batch that holds an offset of the log.
func FindBatch(r keyspace.Reader, h *Head, o broker.Offset) (found Batch, ok bool, err error) {
	err = Batches(r, h, o, func(b Batch) bool {
		found, ok = b, b.Base <= o && o >= h.Start
		return false
	})
	return found, ok, err
}

// ByTimestamp is the first batch at or after offset from whose greatest timestamp is at least t, in ms. It holds a
// record with such a timestamp; but where the batch begins below the log start, or below from, that record may be one
// of those: the caller then goes on from Last+1.
func ByTimestamp(r keyspace.Reader, h *Head, from broker.Offset, t int64) (Batch, bool, error) {
	s := search{r, h.Slot, func(n run) bool { return n.maxAge >= t }, func(b Batch) bool { return !b.Hole() && b.MaxTimestamp >= t }}
	return s.first(runLevels, max(from, h.Start), h.Next-1)
}

// MaxTimestampIn is the batch with the greatest timestamp of the log, the first of them if there are several; not ok
// if no record has a timestamp. (Where a client trimmed into that batch, its record may lie below the log start.)
func MaxTimestampIn(r keyspace.Reader, h *Head) (Batch, bool, error) {
	if h.MaxTimestamp < 0 || h.Start == h.Next {
		return Batch{}, false, nil
	}
	if h.MaxTimestampOffset >= h.Start {
		b, ok, err := FindBatch(r, h, h.MaxTimestampOffset)
		if err != nil || ok && b.MaxTimestamp == h.MaxTimestamp {
			return b, ok, err
		}
		// Compaction took that record.
	}
	best, err := greatest(r, h.Slot, runLevels, h.Start, h.Next-1, -1)
	if err != nil || best < 0 {
		return Batch{}, false, err
	}
	return ByTimestamp(r, h, h.Start, best)
}

// greatest is the greatest of best and the timestamps of batches that end at from ≤ offset ≤ to. It looks into the most
// promising runs first, so that the others can be passed over.
func greatest(r keyspace.Reader, slot keyspace.Slot, level uint8, from, to broker.Offset, best int64) (int64, error) {
	if level == 0 {
		err := scanBatches(r, slot, from, to, func(b Batch) bool {
			best = max(best, b.MaxTimestamp)
			return true
		})
		return best, err
	}
	var runs []run
	tail := from
	err := scanRuns(r, slot, level, from, to, func(n run) bool {
		runs, tail = append(runs, n), n.last+1
		return true
	})
	if err == nil {
		best, err = greatest(r, slot, level-1, tail, to, best)
	}
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(b.maxAge, a.maxAge) })
	for _, n := range runs {
		if err != nil || n.maxAge <= best {
			break
		}
		best, err = greatest(r, slot, level-1, max(from, n.first), n.last, best)
	}
	return best, err
}

// search finds the first batch of a log that is accepted, reading runs to pass over what cannot be.
type search struct {
	r    keyspace.Reader
	slot keyspace.Slot
	// maybe must be true of every run that holds an accepted batch.
	maybe  func(run) bool
	accept func(Batch) bool
}

// first looks among the batches that end at from ≤ offset ≤ to, with runs up to a level.
func (s *search) first(level uint8, from, to broker.Offset) (found Batch, ok bool, err error) {
	if from > to {
		return Batch{}, false, nil
	}
	if level == 0 {
		err = scanBatches(s.r, s.slot, from, to, func(b Batch) bool {
			if s.accept(b) {
				found, ok = b, true
			}
			return !ok
		})
		return found, ok, err
	}
	for {
		candidate := run{}
		err = scanRuns(s.r, s.slot, level, from, to, func(n run) bool {
			if s.maybe(n) {
				candidate = n
				return false
			}
			from = n.last + 1
			return true
		})
		if err != nil {
			return Batch{}, false, err
		}
		if candidate.n == 0 { // what lies behind the last full run of this level is in smaller ones
			return s.first(level-1, from, to)
		}
		if found, ok, err = s.first(level-1, from, candidate.last); ok || err != nil {
			return found, ok, err
		}
		from = candidate.last + 1
	}
}

func scanBatches(r keyspace.Reader, slot keyspace.Slot, from, to broker.Offset, yield func(Batch) bool) error {
	if from > to {
		return nil
	}
	var failed error
	err := r.Scan(keyspace.AppendBatchKey(nil, slot, from), keyspace.Next(keyspace.AppendBatchKey(nil, slot, to)), func(k, v []byte) bool {
		_, b, err := decodeBatchRow(k, v)
		if err != nil {
			failed = err
			return false
		}
		return yield(b)
	})
	if failed != nil {
		return failed
	}
	return err
}

func scanRuns(r keyspace.Reader, slot keyspace.Slot, level uint8, from, to broker.Offset, yield func(run) bool) error {
	if from > to {
		return nil
	}
	var failed error
	lo := keyspace.AppendTimeKey(nil, slot, level, from)
	hi := keyspace.Next(keyspace.AppendTimeKey(nil, slot, level, to))
	err := r.Scan(lo, hi, func(k, v []byte) bool {
		n, err := decodeRunRow(k, v)
		if err != nil {
			failed = fmt.Errorf("level %d: %w", level, err)
			return false
		}
		return yield(n)
	})
	if failed != nil {
		return failed
	}
	return err
}

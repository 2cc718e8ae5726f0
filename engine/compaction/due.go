package compaction

import (
	"math"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/engine/partition"
)

// Times are what a pass judges by.
type Times struct {
	Clock uint64 // replicated time, ms: when tombstones go
	Wall  int64  // ms since 1970: how old batches are
}

// Reason is why a pass is due.
type Reason string

// The reasons.
const (
	NotDue       Reason = ""
	ByRatio      Reason = "dirty ratio"
	ByAge        Reason = "age of dirty records"
	ByTombstones Reason = "time of tombstones"
)

// Due says whether a pass over a log would have something to do, and why.
func Due(r keyspace.Reader, h *partition.Head, t Times) (Reason, error) {
	if !h.Compaction.Compact || h.Start == h.Next {
		return NotDue, nil
	}
	if h.NextHorizon >= 0 && t.Clock >= uint64(h.NextHorizon) {
		return ByTombstones, nil
	}
	// What the head tells bounds the dirty part from above, so most logs need no look at their rows.
	most := h.BytesTotal - min(h.BytesTotal, max(h.CleanedBytes, h.BytesBefore))
	if most == 0 || h.Compaction.MaxLagMs == math.MaxInt64 && !above(most, h.Bytes(), h.Compaction.DirtyMillionths) {
		return NotDue, nil
	}
	var dirty, young uint64
	oldest := int64(math.MaxInt64)
	end, err := eachDirty(r, h, t, func(b *partition.Batch) bool {
		dirty += uint64(b.Name.Length)
		if !b.Hole() {
			oldest = min(oldest, b.Age)
		}
		return true
	})
	if err != nil || dirty == 0 {
		return NotDue, err
	}
	err = partition.Batches(r, h, end, func(b partition.Batch) bool {
		young += uint64(b.Name.Length)
		return true
	})
	switch {
	case err != nil:
		return NotDue, err
	case above(dirty, h.Bytes()-min(young, h.Bytes()), h.Compaction.DirtyMillionths):
		return ByRatio, nil
	case h.Compaction.MaxLagMs < math.MaxInt64 && oldest < t.Wall-h.Compaction.MaxLagMs:
		return ByAge, nil
	}
	return NotDue, nil
}

// above compares a share with min.cleanable.dirty.ratio, as Kafka does: it must be exceeded.
func above(part, whole uint64, millionths uint32) bool {
	return whole > 0 && float64(part)/float64(whole) > float64(millionths)/million
}

// eachDirty yields the batches that a pass may take into its map, and gives the offset behind the last one yielded that was
// taken. Rows that do not cover every offset are not those of the head: the log was trimmed meanwhile.
func eachDirty(r keyspace.Reader, h *partition.Head, t Times, take func(*partition.Batch) bool) (broker.Offset, error) {
	end := max(h.Cleaned, h.Start)
	gap := false
	err := partition.Batches(r, h, end, func(b partition.Batch) bool {
		if gap = b.Base > end; gap {
			return false
		}
		if b.Last >= h.Untouched() || h.Compaction.MinLagMs > 0 && b.Age > t.Wall-h.Compaction.MinLagMs || !take(&b) {
			return false
		}
		end = b.Last + 1
		return true
	})
	if err == nil && gap {
		err = ErrChanged
	}
	return end, err
}

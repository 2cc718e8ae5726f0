package partition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Head is all that is known of one partition but its batches and producers. It is a snapshot: it never changes after
// it was handed out, and may be kept.
type Head struct {
	Slot      keyspace.Slot
	Partition broker.Partition
	Config    command.PartitionConfig
	BaseEpoch broker.LeaderEpoch
	// Compaction says how the log is compacted; the zero value, that it is not.
	Compaction command.CompactionConfig
	// Epoch is the leader epoch when the snapshot was taken: BaseEpoch plus the shard's term.
	Epoch broker.LeaderEpoch

	// Start ≤ Next: the log is the offsets Start ≤ o < Next. Start may lie inside a batch.
	Start broker.Offset
	Next  broker.Offset

	// stable is the last stable offset: see Stable.
	stable broker.Offset

	// BytesTotal counts the payload bytes ever appended, BytesBefore those of batches that end below Start.
	BytesTotal  uint64
	BytesBefore uint64

	// Rewrites counts the compactions: as long as it is the same, so are the rows between Start and Next.
	Rewrites uint64
	// FreedTotal is by how many bytes compaction made the log smaller, FreedBefore how many of them lay below Start.
	FreedTotal, FreedBefore int64
	// Below Cleaned every key has one record at most; CleanedBytes counts the bytes ever appended up to there.
	Cleaned      broker.Offset
	CleanedBytes uint64
	// NextHorizon is the least Horizon of batches below Cleaned, −1 if none has one.
	NextHorizon int64

	// MaxTimestamp is the greatest ever appended, −1 if none, and MaxTimestampOffset the first record that has it. It
	// may lie below Start; then it says nothing of the log (MaxTimestampIn finds the answer).
	MaxTimestamp       int64
	MaxTimestampOffset broker.Offset

	// epochs rise in Epoch and Start; the first may begin below Start. Shared between snapshots, so only appended to
	// or copied, never changed in place.
	epochs []EpochStart
}

// EpochStart says that offsets from Start on were appended under leader epoch Epoch.
type EpochStart struct {
	Epoch broker.LeaderEpoch
	Start broker.Offset
}

// Bytes is the size of the log: of all batches that end at or above Start.
func (h *Head) Bytes() uint64 {
	return h.BytesTotal - h.BytesBefore - uint64(h.FreedTotal-h.FreedBefore)
}

// compacts says that the log is compacted, or was.
func (h *Head) compacts() bool { return h.Rewrites > 0 || h.Compaction != command.CompactionConfig{} }

// Stable is the last stable offset: Start ≤ Stable ≤ Next, and no transaction below it is undecided.
func (h *Head) Stable() broker.Offset { return h.stable }

// Epochs are the epochs of the log, oldest first; the first begins at Start at the earliest.
func (h *Head) Epochs() []EpochStart {
	es := slices.Clone(h.epochs)
	for i := range es {
		es[i].Start = max(es[i].Start, h.Start)
	}
	return es
}

// EpochAt is the leader epoch under which the record at an offset of the log was appended; NoEpoch if there is none.
func (h *Head) EpochAt(o broker.Offset) broker.LeaderEpoch {
	for i := len(h.epochs) - 1; i >= 0 && o >= h.Start && o < h.Next; i-- {
		if h.epochs[i].Start <= o {
			return h.epochs[i].Epoch
		}
	}
	return broker.NoEpoch
}

// EpochEnd answers OffsetForLeaderEpoch (KIP-101, KIP-320) as Kafka's LeaderEpochFileCache does: the greatest epoch
// at or below the one asked for, and where the next one begins; for the current epoch the log's end. An epoch before
// all that is known gets its own number and the first known start. (NoEpoch, −1) when asked for none or for an epoch
// that is still to come.
func (h *Head) EpochEnd(asked broker.LeaderEpoch) (broker.LeaderEpoch, broker.Offset) {
	if asked <= broker.NoEpoch || asked > h.Epoch {
		return broker.NoEpoch, -1
	}
	if asked == h.Epoch {
		return asked, h.Next
	}
	found, end := asked, h.Next // the current epoch begins at the log's end as long as it appended nothing
	for i := len(h.epochs) - 1; i >= 0; i-- {
		if h.epochs[i].Epoch <= asked {
			found = h.epochs[i].Epoch
			break
		}
		end = h.epochs[i].Start
	}
	return found, max(end, h.Start)
}

// String is one line.
func (h *Head) String() string {
	return fmt.Sprintf("slot %d %v: offsets %d..%d, %d bytes, epoch %d, max timestamp %d at %d", h.Slot, h.Partition,
		h.Start, h.Next, h.Bytes(), h.Epoch, h.MaxTimestamp, h.MaxTimestampOffset) + h.unstable()
}

// unstable is empty if everything is decided.
func (h *Head) unstable() string {
	if h.stable == h.Next {
		return ""
	}
	return fmt.Sprintf(", stable %d", h.stable)
}

// Describe is String, the configuration and the epochs.
func (h *Head) Describe() string {
	var s strings.Builder
	s.WriteString(h.String())
	fmt.Fprintf(&s, "\n  bytes %d - %d, base epoch %d", h.BytesTotal, h.BytesBefore, h.BaseEpoch)
	fmt.Fprintf(&s, "\n  config %v", h.Config)
	if h.compacts() {
		fmt.Fprintf(&s, "\n  compaction %v\n  rewrites %d, freed %d - %d bytes, clean to %d at %d bytes, tombstones from %d", h.Compaction, h.Rewrites,
			h.FreedTotal, h.FreedBefore, h.Cleaned, h.CleanedBytes, h.NextHorizon)
	}
	s.WriteString("\n  epochs")
	for _, e := range h.epochs {
		fmt.Fprintf(&s, " %d@%d", e.Epoch, e.Start)
	}
	return s.String()
}

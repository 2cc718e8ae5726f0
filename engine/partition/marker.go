package partition

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/invariant"
)

// Marker is what a control batch says that ends a transaction. Its batch has no payload in the journal: the row has all
// of it, and AppendMarker makes the bytes.
type Marker struct {
	ProducerID       broker.ProducerID
	Epoch            broker.ProducerEpoch // of the decision: the records' epoch, or a higher one (KIP-890)
	Commit           bool
	CoordinatorEpoch int32
}

// String is one line.
func (k Marker) String() string {
	what := "abort"
	if k.Commit {
		what = "commit"
	}
	return fmt.Sprintf("%s of %d/%d, coordinator epoch %d", what, k.ProducerID, k.Epoch, k.CoordinatorEpoch)
}

// markerBytes is the length of every marker's batch: its one record has nothing of variable length.
const markerBytes uint32 = 78

// IsMarker says that the batch is a control batch. Clients cannot append those.
func (b *Batch) IsMarker() bool { return b.Attributes&controlBit != 0 }

// Transactional says that the batch is of a transaction: data or marker.
func (b *Batch) Transactional() bool { return b.Attributes&transactionalBit != 0 }

// AppendMarker appends a marker's batch as Kafka writes it. What is patched into every batch that is served is still to be
// patched.
func (b *Batch) AppendMarker(dst []byte) []byte {
	t := batch.ControlAbort
	if b.Marker.Commit {
		t = batch.ControlCommit
	}
	from := len(dst)
	w := batch.NewBuilder()
	w.BaseOffset, w.LeaderEpoch = int64(b.Base), int32(b.Epoch)
	w.ProducerID, w.ProducerEpoch = int64(b.Marker.ProducerID), int16(b.Marker.Epoch)
	w.Transactional, w.Control = true, true
	w.Append(batch.ControlRecord{Type: t, CoordinatorEpoch: b.Marker.CoordinatorEpoch}.Record(b.MaxTimestamp))
	dst = w.AppendTo(dst)
	invariant.Check(uint32(len(dst)-from) == markerBytes, "a marker of %d bytes, not %d", len(dst)-from, markerBytes)
	return dst
}

func appendMarkerRow(e *encoder, k *Marker) {
	e.uint(uint64(k.ProducerID))
	e.uint(uint64(k.Epoch))
	e.bool(k.Commit)
	e.uint(uint64(k.CoordinatorEpoch))
}

func decodeMarkerRow(d *decoder) (k Marker) {
	k.ProducerID = broker.ProducerID(d.uint(1<<63 - 1))
	k.Epoch = broker.ProducerEpoch(d.uint(1<<15 - 1))
	k.Commit = d.bool()
	k.CoordinatorEpoch = int32(d.uint(1<<31 - 1))
	return k
}

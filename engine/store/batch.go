package store

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Batch gathers rows for one Commit; a keyspace.Writer. It copies what it is given, once, right into pebble's batch. It
// is used by one goroutine and ends in Commit or Discard, after which it must not be touched.
type Batch struct {
	pb         *pebble.Batch
	replica    *Replica
	generation generation
}

var batchPool = sync.Pool{New: func() any { return new(Batch) }}

func newBatch(r *Replica, g generation) *Batch {
	b := batchPool.Get().(*Batch)
	b.pb, b.replica, b.generation = r.store.db.NewBatch(), r, g
	return b
}

// Set writes a row. A key is at most 16 KiB, a value at most 8 MiB.
func (b *Batch) Set(k, v []byte) {
	invariant.Check(len(k) <= keyBytesMax && len(v) <= valueBytesMax, "row of %d + %d bytes is above %d + %d", len(k), len(v), keyBytesMax, valueBytesMax)
	op := b.pb.SetDeferred(prefixBytes+len(k), len(v))
	putPrefix(op.Key, b.generation)
	copy(op.Key[prefixBytes:], k)
	copy(op.Value, v)
	finish(op)
}

// Delete deletes a row, also one that is not there.
func (b *Batch) Delete(k []byte) {
	op := b.pb.DeleteDeferred(prefixBytes + len(k))
	putPrefix(op.Key, b.generation)
	copy(op.Key[prefixBytes:], k)
	finish(op)
}

// DeleteRange deletes the rows of [lo, hi); nil lo: from the first, nil hi: to the last. Rows set later in the same
// batch stay.
func (b *Batch) DeleteRange(lo, hi []byte) {
	if empty(lo, hi) {
		return
	}
	deleteRange(b.pb, b.generation, lo, hi)
}

// Len is the number of bytes gathered.
func (b *Batch) Len() int { return b.pb.Len() }

// Discard gives an uncommitted batch back.
func (b *Batch) Discard() {
	// Close only returns the memory to pebble's pool; it has nothing to fail at for a batch without an index.
	_ = b.pb.Close()
	*b = Batch{}
	batchPool.Put(b)
}

func (b *Batch) setControl(c control) {
	setControl(b.pb, b.replica.id, c)
}

func setControl(pb *pebble.Batch, id ID, c control) {
	invariant.Check(len(c.meta) <= metaBytesMax, "meta of %d bytes is above %d", len(c.meta), metaBytesMax)
	op := pb.SetDeferred(controlKeyBytes, c.size())
	putControlKey(op.Key, id)
	c.put(op.Value)
	finish(op)
}

func deleteRange(pb *pebble.Batch, g generation, lo, hi []byte) {
	highBytes := prefixBytes + len(hi)
	op := pb.DeleteRangeDeferred(prefixBytes+len(lo), highBytes)
	putPrefix(op.Key, g)
	copy(op.Key[prefixBytes:], lo)
	if hi == nil {
		g++
	}
	putPrefix(op.Value, g)
	copy(op.Value[prefixBytes:], hi)
	finish(op)
}

// finish ends a deferred operation; it can fail only in a batch with an index, which ours never have.
func finish(op *pebble.DeferredBatchOp) {
	err := op.Finish()
	invariant.Check(err == nil, "batch without index: %v", err)
}

package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/partition"
)

// reading is the plan of one Read: which batches of which partitions. Rows are read
// first, payloads only once there are enough of them.
type reading struct {
	results []broker.ReadPartitionResult
	batches [][]partition.Batch
	from    []*replica
	heads   []partition.Head
	size    int64
	failed  bool
}

// Read waits for MinBytes, an error or the time, then reads the payloads.
func (e *Engine) Read(ctx context.Context, r *broker.Read) (*broker.ReadResult, error) {
	limit := int64(readBytesMax)
	if r.MaxBytes > 0 {
		limit = min(limit, int64(r.MaxBytes))
	}
	var w *waiter
	var timer *time.Timer
	until := time.Now().Add(max(r.MaxWait, readRoomWait))
	for {
		plan := e.plan(ctx, r, limit)
		if plan.failed || plan.size >= int64(r.MinBytes) || r.MaxWait <= 0 {
			return e.fetch(ctx, plan, until)
		}
		if w == nil {
			// Look once more after registering: an append in between must not be missed.
			w = e.watch.register(partitionsOf(r))
			defer e.watch.drop(w)
			timer = time.NewTimer(r.MaxWait)
			defer timer.Stop()
			continue
		}
		select {
		case <-w.woken:
		case <-timer.C:
			return e.fetch(ctx, e.plan(ctx, r, limit), until)
		case <-ctx.Done():
			return nil, broker.Errorf(broker.CodeUnavailable, "read", "", "%w", ctx.Err())
		case <-e.ctx.Done():
			return nil, broker.Refuse(broker.CodeShuttingDown, "read", "")
		}
	}
}

func partitionsOf(r *broker.Read) []broker.Partition {
	ps := make([]broker.Partition, len(r.Partitions))
	for i := range r.Partitions {
		ps[i] = r.Partitions[i].Partition
	}
	return ps
}

// plan finds the batches to return, over all partitions at most limit bytes, but at
// least one batch when there is any.
func (e *Engine) plan(ctx context.Context, r *broker.Read, limit int64) *reading {
	n := len(r.Partitions)
	p := &reading{results: make([]broker.ReadPartitionResult, n), batches: make([][]partition.Batch, n), from: make([]*replica, n), heads: make([]partition.Head, n)}
	for i := range r.Partitions {
		if err := e.planOne(ctx, &r.Partitions[i], p, i, limit, r.Committed); err != nil {
			p.results[i].Err = err
			p.failed = true
		}
	}
	return p
}

func (e *Engine) planOne(ctx context.Context, q *broker.ReadPartition, p *reading, i int, limit int64, committed bool) error {
	res := &p.results[i]
	res.HighWatermark, res.LastStableOffset, res.LogStartOffset = -1, -1, -1
	r, h, _, err := e.leading(ctx, q.Partition, "read")
	if err != nil {
		return err
	}
	if err := checkEpoch(q.Epoch, h.Epoch, "read", q.Partition); err != nil {
		return err
	}
	if q.Offset > h.Next || q.Offset < h.Start {
		// It may be that this leader has not applied yet what another acknowledged: only
		// after a read index may a client be told to reset its position.
		if err := e.barrier(ctx, r.shard, "read", q.Partition.String()); err != nil {
			return err
		}
		var ok bool
		if h, ok = r.head(q.Partition); !ok {
			return e.notLeader(r.shard, "read", q.Partition.String())
		}
	}
	res.HighWatermark, res.LastStableOffset, res.LogStartOffset = h.Next, h.Stable(), h.Start
	if q.Offset > h.Next || q.Offset < h.Start {
		return broker.Errorf(broker.CodeOffsetOutOfRange, "read", q.Partition.String(), "offset %d is not in %d..%d", q.Offset, h.Start, h.Next)
	}
	p.from[i], p.heads[i] = r, h
	end := h.Next // of what may be read
	if committed {
		end = h.Stable()
	}
	if q.Offset >= end || p.size >= limit {
		return nil
	}
	most := int64(actReadShort.Most(int(min(int64(q.MaxBytes), limit-p.size))))
	var size int64
	next, gap := q.Offset, false
	err = partition.Batches(r.rows, &h, q.Offset, func(b partition.Batch) bool {
		// The rows of a log have no gaps. One here means that the rows are newer than the head: they were
		// trimmed, or replaced by a snapshot, in between. Never skip offsets in silence.
		if b.Base > next {
			gap = true
			return false
		}
		if b.Base >= end {
			return false
		}
		next = b.Last + 1
		if b.Hole() {
			return true // compaction took what was here: the next batch is the answer
		}
		n := int64(b.Name.Length)
		if size+n > most && (p.size > 0 || size > 0) {
			return false
		}
		p.batches[i] = append(p.batches[i], b)
		size += n
		p.size += n
		return size < most
	})
	if err != nil {
		return broker.Errorf(broker.CodeCorrupt, "read", q.Partition.String(), "rows: %w", err)
	}
	if committed && size > 0 {
		if err := p.tellAborted(i); err != nil {
			for _, b := range p.batches[i] {
				p.size -= int64(b.Name.Length)
			}
			p.batches[i] = nil
			return err
		}
	}
	if gap || next == q.Offset {
		if size > 0 {
			return nil // what was found before the gap is right
		}
		return broker.Errorf(broker.CodeUnavailable, "read", q.Partition.String(), "the log changed while offset %d was looked for", q.Offset)
	}
	return nil
}

// tellAborted adds what a read_committed reader must skip in the batches found. It looks at the list of aborted transactions
// after the batches: what is trimmed in between takes their rows with it, and is noticed by that.
func (p *reading) tellAborted(i int) error {
	bs, h := p.batches[i], &p.heads[i]
	if !slices.ContainsFunc(bs, func(b partition.Batch) bool { return b.Transactional() && !b.IsMarker() }) {
		return nil
	}
	aborted, err := partition.Aborted(p.from[i].rows, h, bs[0].Base, bs[len(bs)-1].Last+1)
	if err != nil {
		return broker.Errorf(broker.CodeCorrupt, "read", h.Partition.String(), "rows: %w", err)
	}
	if b, ok, err := partition.FindBatch(p.from[i].rows, h, bs[0].Last); err != nil || !ok || b.Base != bs[0].Base {
		return broker.Errorf(broker.CodeUnavailable, "read", h.Partition.String(), "the log changed while offset %d was read: %v", bs[0].Base, err)
	}
	for _, a := range aborted {
		p.results[i].Aborted = append(p.results[i].Aborted, broker.AbortedTransaction{Producer: broker.ProducerID(a.ProducerID), First: broker.Offset(a.First)})
	}
	return nil
}

func checkEpoch(asked, now broker.LeaderEpoch, op string, p broker.Partition) error {
	switch {
	case asked == broker.NoEpoch || asked == now:
		return nil
	case asked < now:
		return broker.Errorf(broker.CodeStaleLeaderEpoch, op, p.String(), "epoch %d, now %d", asked, now)
	}
	return broker.Errorf(broker.CodeUnknownLeaderEpoch, op, p.String(), "epoch %d, here %d", asked, now)
}

// trim drops what goes beyond a size, but for the first batch: without it nobody gets on.
func (p *reading) trim(limit int64) {
	var size int64
	for i, bs := range p.batches {
		for k := range bs {
			n := int64(bs[k].Name.Length)
			if size > 0 && size+n > limit {
				p.batches[i] = bs[:k]
				clear(p.batches[i+1:])
				p.size = size
				return
			}
			size += n
		}
	}
}

// readBuffers are the buffers of reads; a large one is not kept.
var readBuffers = sync.Pool{New: func() any { b := make([]byte, 0, readBufferBytes); return &b }}

// fetch reads the planned payloads into one buffer and makes them ready for the wire, as
// many as there is room for. When none gets free in time the answer is empty: the client asks again.
func (e *Engine) fetch(ctx context.Context, p *reading, until time.Time) (*broker.ReadResult, error) {
	if p.size == 0 {
		return broker.NewReadResult(p.results, nil), nil
	}
	p.trim(e.reads.share())
	charge := max(p.size, readBufferBytes)
	c, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if err := e.reads.enter(c, charge); err != nil {
		if ctx.Err() != nil {
			return nil, broker.Errorf(broker.CodeUnavailable, "read", "", "%w", ctx.Err())
		}
		return broker.NewReadResult(p.results, nil), nil
	}
	buf := readBuffers.Get().(*[]byte)
	if int64(cap(*buf)) < p.size {
		readBuffers.Put(buf)
		b := make([]byte, 0, p.size)
		buf = &b
	}
	out := (*buf)[:0]
	for i := range p.results {
		for k := range p.batches[i] {
			b := &p.batches[i][k]
			from := len(out)
			var err error
			out, err = p.from[i].payload(b, out)
			if err != nil {
				out = out[:from]
				// What was read so far is right and may be returned; the rest is an error.
				if len(p.results[i].Batches) == 0 {
					p.results[i].Err = payloadError(err, p.heads[i].Partition)
				}
				break
			}
			bytes := out[from:len(out):len(out)]
			serve(bytes, b)
			p.results[i].Batches = append(p.results[i].Batches, bytes)
			p.results[i].Size += len(bytes)
		}
	}
	return broker.NewReadResult(p.results, func() {
		e.reads.leave(charge)
		if cap(out) <= readBufferKept {
			out = out[:0]
			readBuffers.Put(&out)
		}
	}), nil
}

// payload appends a batch's bytes as they are stored; serve makes them ready for the wire.
func (r *replica) payload(b *partition.Batch, dst []byte) ([]byte, error) {
	if b.IsMarker() {
		return b.AppendMarker(dst), nil
	}
	return r.e.opt.Journal.ReadPayload(uint64(r.shard), r.id, journal.Name(b.Name), dst)
}

func payloadError(err error, p broker.Partition) error {
	if errors.Is(err, journal.ErrDamaged) {
		return broker.Errorf(broker.CodeCorrupt, "read", p.String(), "%w", err)
	}
	return broker.Errorf(broker.CodeUnavailable, "read", p.String(), "payload not here yet: %w", err)
}

// serve patches a batch as it is told by its row: base offset and leader epoch, and
// under LogAppendTime the stamp with the checksum over it. A maximum timestamp that the
// client got wrong is put right, as Kafka does.
func serve(b []byte, row *partition.Batch) {
	batch.PatchServed(b, int64(row.Base), int32(row.Epoch))
	if row.LogAppendTime >= 0 {
		batch.PatchLogAppendTime(b, row.LogAppendTime)
	} else if int64(binary.BigEndian.Uint64(b[maxTimestampAt:])) != row.MaxTimestamp {
		batch.PatchMaxTimestamp(b, row.MaxTimestamp)
	}
}

// Where a batch's header holds its attributes and its maximum timestamp.
const (
	attributesAt   = 21
	maxTimestampAt = 35
)

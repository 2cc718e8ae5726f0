package engine

import (
	"context"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/partition"
)

// leadingNow is leading after a read index: the head is no older than what anyone was
// told before the call.
func (e *Engine) leadingNow(ctx context.Context, p broker.Partition, epoch broker.LeaderEpoch, op string) (*replica, partition.Head, error) {
	r, _, _, err := e.leading(ctx, p, op)
	if err != nil {
		return nil, partition.Head{}, err
	}
	if err := e.barrier(ctx, r.shard, op, p.String()); err != nil {
		return nil, partition.Head{}, err
	}
	h, ok := r.head(p)
	if !ok {
		return nil, partition.Head{}, e.notLeader(r.shard, op, p.String())
	}
	return r, h, checkEpoch(epoch, h.Epoch, op, p)
}

// ListOffset answers after a read index.
func (e *Engine) ListOffset(ctx context.Context, q broker.OffsetQuery) (broker.OffsetAnswer, error) {
	r, h, err := e.leadingNow(ctx, q.Partition, q.Epoch, "list offsets")
	if err != nil {
		return broker.OffsetAnswer{}, err
	}
	end := h.Next // of what the asker may read
	if q.Committed {
		end = h.Stable()
	}
	none := broker.OffsetAnswer{Offset: -1, Timestamp: -1, Epoch: broker.NoEpoch}
	switch q.Timestamp {
	case broker.TimestampEarliest:
		return broker.OffsetAnswer{Offset: h.Start, Timestamp: -1, Epoch: h.EpochAt(h.Start)}, nil
	case broker.TimestampLatest:
		return broker.OffsetAnswer{Offset: end, Timestamp: -1, Epoch: h.Epoch}, nil
	case broker.TimestampMax:
		b, ok, err := partition.MaxTimestampIn(r.rows, &h)
		if err != nil {
			return broker.OffsetAnswer{}, broker.Errorf(broker.CodeCorrupt, "list offsets", q.Partition.String(), "%w", err)
		}
		if !ok || b.MaxAt >= end {
			return none, nil
		}
		return broker.OffsetAnswer{Offset: max(b.MaxAt, h.Start), Timestamp: b.MaxTimestamp, Epoch: b.Epoch}, nil
	}
	if q.Timestamp < 0 {
		return broker.OffsetAnswer{}, broker.Errorf(broker.CodeUnsupported, "list offsets", q.Partition.String(), "timestamp %d", q.Timestamp)
	}
	answer, err := e.offsetAt(r, &h, q)
	if err == nil && answer.Offset >= end {
		return none, nil
	}
	return answer, err
}

// offsetAt finds the first record at or above the log start with a timestamp of at least
// the one asked for: rows tell the batches that can hold it, their records the rest.
func (e *Engine) offsetAt(r *replica, h *partition.Head, q broker.OffsetQuery) (broker.OffsetAnswer, error) {
	answer := broker.OffsetAnswer{Offset: -1, Timestamp: -1, Epoch: broker.NoEpoch}
	var buf []byte
	for from := h.Start; ; {
		b, ok, err := partition.ByTimestamp(r.rows, h, from, q.Timestamp)
		if err != nil {
			return answer, broker.Errorf(broker.CodeCorrupt, "list offsets", q.Partition.String(), "%w", err)
		}
		if !ok {
			return answer, nil
		}
		if buf, err = r.payload(&b, buf[:0]); err != nil {
			return answer, payloadError(err, q.Partition)
		}
		serve(buf, &b)
		for rec, err := range batch.Records(buf) {
			if err != nil {
				return answer, payloadError(err, q.Partition)
			}
			if rec.Timestamp >= q.Timestamp && rec.Offset >= int64(h.Start) {
				return broker.OffsetAnswer{Offset: broker.Offset(rec.Offset), Timestamp: rec.Timestamp, Epoch: b.Epoch}, nil
			}
		}
		from = b.Last + 1
	}
}

// EpochEnd answers after a read index.
func (e *Engine) EpochEnd(ctx context.Context, q broker.EpochQuery) (broker.EpochAnswer, error) {
	_, h, err := e.leadingNow(ctx, q.Partition, q.CurrentEpoch, "offset for leader epoch")
	if err != nil {
		return broker.EpochAnswer{}, err
	}
	epoch, end := h.EpochEnd(q.Epoch)
	return broker.EpochAnswer{Epoch: epoch, End: end}, nil
}

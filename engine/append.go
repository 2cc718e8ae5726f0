package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/txn"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appending is one Append on its way; pooled, since there is one per batch.
type appending struct {
	e     *Engine
	r     *broker.Append
	shard broker.ShardID
	cmd   command.Append
	head  []byte
	bytes int64
	ctx   context.Context
	end   context.CancelFunc
	again bool // it was refused once, and is tried again
}

var appendings = sync.Pool{New: func() any { return new(appending) }}

// Append validates one batch and proposes it. Validation runs on the caller's
// goroutine: a connection's batches stay in order, and connections validate side by side.
func (e *Engine) Append(ctx context.Context, r *broker.Append) {
	id, together := r.TransactionalID, r.Together
	e.append(ctx, r)
	if id != "" && !together {
		e.Appended(id)
	}
}

// Appended asks for what the batches of a transactional id need.
func (e *Engine) Appended(transactionalID string) { e.asks.end(transactionalID) }

func (e *Engine) append(ctx context.Context, r *broker.Append) {
	refuse := func(err error) {
		r.Done(broker.AppendResult{BaseOffset: -1, LogStartOffset: -1, LogAppendTime: -1}, err)
	}
	rep, h, term, err := e.leading(ctx, r.Partition, "append")
	if err != nil {
		refuse(err)
		return
	}
	if e.full(rep.shard) {
		refuse(broker.Errorf(broker.CodeStorageFull, "append", r.Partition.String(), "a disk of the shard is at its watermark"))
		return
	}
	info, err := validate(r, &h)
	if err != nil {
		refuse(err)
		return
	}
	if err := e.gate.enter(ctx, int64(len(r.Batch))); err != nil {
		refuse(broker.Errorf(broker.CodeThrottled, "append", r.Partition.String(), "waiting for room: %w", err))
		return
	}
	a := appendings.Get().(*appending)
	a.e, a.r, a.shard, a.bytes, a.again = e, r, rep.shard, int64(len(r.Batch)), false
	a.cmd = commandOf(r.Partition, r.Batch, &info, h.Config.LogAppendTime)
	a.ctx, a.end = context.WithoutCancel(ctx), nil
	if !r.Deadline.IsZero() {
		a.ctx, a.end = context.WithDeadline(a.ctx, r.Deadline)
	}
	if !info.Transactional {
		a.propose(term, 0)
		return
	}
	if l, ok := e.leadOf(rep.shard); ok && l.term == term {
		l.appendTransactional(a)
		return
	}
	a.done(nil, e.notLeader(rep.shard, "append", r.Partition.String()))
}

// commandOf is the command that appends a validated batch to a partition.
func commandOf(at broker.Partition, b []byte, info *batch.Info, logAppendTime bool) command.Append {
	c := command.Append{
		Topic: at.Topic, Partition: at.Index,
		ProducerID: broker.ProducerID(info.ProducerID), ProducerEpoch: broker.ProducerEpoch(info.ProducerEpoch), BaseSequence: info.BaseSequence,
		Records: info.NumRecords, MaxTimestamp: info.MaxTimestamp, MaxTimestampDelta: info.OffsetOfMaxTimestampDelta,
		Fingerprint: info.Fingerprint, Attributes: int16(binary.BigEndian.Uint16(b[attributesAt:])), LogAppendTime: batch.NoTimestamp,
		PayloadCRC: crc32.Checksum(b, castagnoli), PayloadLength: uint32(len(b)),
	}
	if logAppendTime {
		c.LogAppendTime = time.Now().UnixMilli()
	}
	return c
}

// propose sends the batch on its way, as one of the transaction with this number.
func (a *appending) propose(term uint64, number txn.Number) { a.proposeTo(term, number, a.done) }

// proposeTo is propose for one whose outcome somebody else looks at first.
func (a *appending) proposeTo(term uint64, number txn.Number, done func([]byte, error)) {
	a.cmd.Number = uint64(number)
	a.head = a.cmd.AppendHead(a.head[:0])
	a.e.proposeAsync(a.ctx, a.shard, term, a.head, a.r.Batch, done)
}

// done answers the caller with what apply decided.
func (a *appending) done(out []byte, err error) {
	e, r := a.e, a.r
	if a.end != nil {
		a.end()
	}
	e.gate.leave(a.bytes)
	result := broker.AppendResult{BaseOffset: -1, LogStartOffset: -1, LogAppendTime: -1}
	if err != nil {
		err = asBroker(err, "append", r.Partition.String())
	} else {
		var x command.AppendResult
		if derr := x.Decode(out); derr != nil {
			err = broker.Errorf(broker.CodeInternal, "append", r.Partition.String(), "result: %w", derr)
		} else {
			result = broker.AppendResult{BaseOffset: x.BaseOffset, LogStartOffset: x.LogStart, LogAppendTime: x.LogAppendTime, Duplicate: x.Duplicate}
			if x.Code != broker.CodeNone {
				err = broker.Refuse(x.Code, "append", r.Partition.String())
			}
		}
	}
	shard := a.shard
	a.e, a.r, a.ctx = nil, nil, nil
	appendings.Put(a)
	if refusal := (*broker.Error)(nil); errors.As(err, &refusal) && refusal.Code == broker.CodeNotLeader {
		e.lostLeadership(shard, refusal, func() { r.Done(result, err) })
		return
	}
	r.Done(result, err)
}

// validate checks the batch against the topic's limits and the format.
func validate(r *broker.Append, h *partition.Head) (batch.Info, error) {
	info, err := batch.Validate(r.Batch, batch.Limits{BatchBytesMax: int(h.Config.BatchBytesMax), Allow: batch.AllowTransactional})
	switch {
	case err == nil && h.Compaction.Compact && info.NullKey >= 0:
		return info, broker.Errorf(broker.CodeInvalidRecord, "append", r.Partition.String(), "record %d has no key, and the topic is compacted", info.NullKey)
	case err == nil:
		return info, nil
	}
	code := broker.CodeInvalidRecord
	for _, x := range []struct {
		kind error
		code broker.Code
	}{
		{batch.ErrCorrupt, broker.CodeCorruptBatch}, {batch.ErrInvalidRecord, broker.CodeInvalidRecord},
		{batch.ErrInvalidTimestamp, broker.CodeInvalidTimestamp}, {batch.ErrUnsupportedCodec, broker.CodeUnsupportedCompression},
		{batch.ErrUnsupportedMagic, broker.CodeUnsupportedFormat}, {batch.ErrTooLarge, broker.CodeBatchTooLarge},
	} {
		if errors.Is(err, x.kind) {
			code = x.code
			break
		}
	}
	return info, broker.Errorf(code, "append", r.Partition.String(), "%w", err)
}

// leading finds the local leader replica of a partition and its head, or says who leads.
func (e *Engine) leading(ctx context.Context, p broker.Partition, op string) (*replica, partition.Head, uint64, error) {
	v := e.view.Load()
	t, ok := v.TopicByID(p.Topic)
	if !ok || p.Index < 0 || int(p.Index) >= len(t.Shards) {
		_, t2, err := find(ctx, e, func(v *catalog.View) (*catalog.Topic, bool) { return v.TopicByID(p.Topic) })
		if err != nil {
			return nil, partition.Head{}, 0, err
		}
		if t2 == nil || p.Index < 0 || int(p.Index) >= len(t2.Shards) {
			return nil, partition.Head{}, 0, broker.Refuse(broker.CodeUnknownTopic, op, p.String())
		}
		t = t2
	}
	shard := t.Shards[p.Index]
	term, ok := e.host.Leading(uint64(shard))
	if !ok {
		e.awaitLeader(ctx, shard)
		term, ok = e.host.Leading(uint64(shard))
	}
	r, hosted := e.replica(shard)
	if !ok || !hosted {
		return nil, partition.Head{}, 0, e.notLeader(shard, op, p.String())
	}
	h, ok := r.head(p)
	if !ok {
		// The catalog has it, the shard not yet: its leader is about to create it.
		return nil, partition.Head{}, 0, e.notLeader(shard, op, p.String())
	}
	return r, h, term, nil
}

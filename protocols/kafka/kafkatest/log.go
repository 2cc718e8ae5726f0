package kafkatest

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// partitionLog is the batches of one partition, ready to be served.
type partitionLog struct {
	epoch     broker.LeaderEpoch
	batches   []storedBatch
	end       broker.Offset
	sequences map[sequence]broker.Offset
}

type storedBatch struct {
	base, last   broker.Offset
	maxTimestamp int64
	bytes        []byte
}

type sequence struct {
	producer int64
	epoch    int16
	first    int32
}

const batchHeader = 61

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends at once, or when a test's Hold says so.
func (b *Broker) Append(_ context.Context, a *broker.Append) {
	if err := b.refuse("append", a.Partition.String()); err != nil {
		a.Done(broker.AppendResult{}, err)
		return
	}
	finish := func() { a.Done(b.append(a)) }
	if b.Hold != nil {
		b.Hold(a, finish)
		return
	}
	finish()
}

func (b *Broker) append(a *broker.Append) (broker.AppendResult, error) {
	const op = "append"
	batch := a.Batch
	switch {
	case len(batch) < batchHeader || int(binary.BigEndian.Uint32(batch[8:]))+12 != len(batch):
		return broker.AppendResult{}, broker.Refuse(broker.CodeCorruptBatch, op, a.Partition.String())
	case batch[16] != 2:
		return broker.AppendResult{}, broker.Refuse(broker.CodeUnsupportedFormat, op, a.Partition.String())
	case crc32.Checksum(batch[21:], castagnoli) != binary.BigEndian.Uint32(batch[17:]):
		return broker.AppendResult{}, broker.Refuse(broker.CodeCorruptBatch, op, a.Partition.String())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(a.Partition)
	if l == nil {
		return broker.AppendResult{}, broker.Refuse(broker.CodeUnknownTopicID, op, a.Partition.String())
	}
	s := sequence{
		producer: int64(binary.BigEndian.Uint64(batch[43:])), epoch: int16(binary.BigEndian.Uint16(batch[51:])), first: int32(binary.BigEndian.Uint32(batch[53:])),
	}
	if at, ok := l.sequences[s]; ok && s.producer >= 0 {
		return broker.AppendResult{BaseOffset: at, LogAppendTime: -1, Duplicate: true}, nil
	}
	kept := append([]byte(nil), batch...)
	st := storedBatch{
		base: l.end, last: l.end + broker.Offset(binary.BigEndian.Uint32(batch[23:])), maxTimestamp: int64(binary.BigEndian.Uint64(batch[35:])), bytes: kept,
	}
	binary.BigEndian.PutUint64(kept, uint64(st.base))
	binary.BigEndian.PutUint32(kept[12:], uint32(l.epoch))
	l.batches = append(l.batches, st)
	l.sequences[s] = st.base
	l.end = st.last + 1
	b.appends++
	close(b.changed)
	b.changed = make(chan struct{})
	return broker.AppendResult{BaseOffset: st.base, LogAppendTime: -1}, nil
}

func (b *Broker) log(p broker.Partition) *partitionLog {
	if t := b.byID[p.Topic]; t != nil && p.Index >= 0 && int(p.Index) < len(t.logs) {
		return t.logs[p.Index]
	}
	return nil
}

// Read reads, waiting for MinBytes.
func (b *Broker) Read(ctx context.Context, r *broker.Read) (*broker.ReadResult, error) {
	if err := b.refuse("read", ""); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(r.MaxWait)
	defer timeout.Stop()
	for waiting := true; ; {
		b.mu.Lock()
		ps, total, failed := b.read(r)
		if total >= int(r.MinBytes) || failed || !waiting {
			b.borrowed++
			b.mu.Unlock()
			return broker.NewReadResult(ps, func() {
				b.mu.Lock()
				b.borrowed--
				b.mu.Unlock()
			}), nil
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			waiting = false
		case <-ctx.Done():
			return nil, broker.Errorf(broker.CodeShuttingDown, "read", "", "%w", ctx.Err())
		}
	}
}

func (b *Broker) read(r *broker.Read) (ps []broker.ReadPartitionResult, total int, failed bool) {
	for _, p := range r.Partitions {
		var out broker.ReadPartitionResult
		l := b.log(p.Partition)
		switch {
		case l == nil:
			out.Err = broker.Refuse(broker.CodeUnknownTopicID, "read", p.Partition.String())
		case p.Epoch != broker.NoEpoch && p.Epoch < l.epoch:
			out.Err = broker.Refuse(broker.CodeStaleLeaderEpoch, "read", p.Partition.String())
		case p.Epoch > l.epoch:
			out.Err = broker.Refuse(broker.CodeUnknownLeaderEpoch, "read", p.Partition.String())
		case p.Offset < 0 || p.Offset > l.end:
			out.Err = broker.Refuse(broker.CodeOffsetOutOfRange, "read", p.Partition.String())
		default:
			out.HighWatermark, out.LastStableOffset = l.end, l.end
			for _, st := range l.batches {
				if st.last < p.Offset {
					continue
				}
				if total > 0 && (out.Size+len(st.bytes) > int(p.MaxBytes) || total+len(st.bytes) > int(r.MaxBytes)) {
					break
				}
				out.Batches = append(out.Batches, st.bytes)
				out.Size += len(st.bytes)
				total += len(st.bytes)
			}
		}
		failed = failed || out.Err != nil
		ps = append(ps, out)
	}
	return ps, total, failed
}

// ListOffset finds by the batches' greatest timestamps.
func (b *Broker) ListOffset(_ context.Context, q broker.OffsetQuery) (broker.OffsetAnswer, error) {
	if err := b.refuse("list offset", q.Partition.String()); err != nil {
		return broker.OffsetAnswer{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(q.Partition)
	if l == nil {
		return broker.OffsetAnswer{}, broker.Refuse(broker.CodeUnknownTopic, "list offset", q.Partition.String())
	}
	none := broker.OffsetAnswer{Offset: -1, Timestamp: -1, Epoch: broker.NoEpoch}
	switch q.Timestamp {
	case broker.TimestampLatest:
		return broker.OffsetAnswer{Offset: l.end, Timestamp: -1, Epoch: l.epoch}, nil
	case broker.TimestampEarliest:
		return broker.OffsetAnswer{Offset: 0, Timestamp: -1, Epoch: l.epoch}, nil
	case broker.TimestampMax:
		for _, st := range l.batches {
			if st.maxTimestamp > none.Timestamp {
				none = broker.OffsetAnswer{Offset: st.last, Timestamp: st.maxTimestamp, Epoch: l.epoch}
			}
		}
		return none, nil
	}
	for _, st := range l.batches {
		if st.maxTimestamp >= q.Timestamp {
			return broker.OffsetAnswer{Offset: st.base, Timestamp: st.maxTimestamp, Epoch: l.epoch}, nil
		}
	}
	return none, nil
}

// EpochEnd knows one epoch.
func (b *Broker) EpochEnd(_ context.Context, q broker.EpochQuery) (broker.EpochAnswer, error) {
	if err := b.refuse("epoch end", q.Partition.String()); err != nil {
		return broker.EpochAnswer{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(q.Partition)
	switch {
	case l == nil:
		return broker.EpochAnswer{}, broker.Refuse(broker.CodeUnknownTopic, "epoch end", q.Partition.String())
	case q.Epoch < l.epoch:
		return broker.EpochAnswer{Epoch: broker.NoEpoch, End: -1}, nil
	}
	return broker.EpochAnswer{Epoch: l.epoch, End: l.end}, nil
}

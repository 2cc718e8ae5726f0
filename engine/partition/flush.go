package partition

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/internal/invariant"
)

// Flush writes the rows that changed since the last Flush but were not written yet: one per partition, producer and
// entry, however many commands touched them. The effects are valid until the next Flush; Heads in them may be kept.
func (m *Machine) Flush(w keyspace.Writer) []Effect {
	m.flushReverse(w)
	m.flushHolds(w)
	for i, win := range m.dirtyWindows {
		win.dirty = false
		if !win.gone {
			m.key = keyspace.AppendWindowKey(m.key[:0], win.partition.Slot, win.producer)
			m.value = appendWindowRow(m.value[:0], win)
			w.Set(m.key, m.value)
		}
		m.dirtyWindows[i] = nil
	}
	m.dirtyWindows = m.dirtyWindows[:0]
	m.effects = m.effects[:0]
	for i, p := range m.dirty {
		p.dirty = false
		m.flushPartition(p, w)
		if p.changed != 0 {
			m.effects = append(m.effects, Effect{p.changed, m.snapshot(p)})
			p.changed = 0
		}
		m.dirty[i] = nil
	}
	m.dirty = m.dirty[:0]
	if m.diverged {
		m.diverged = false
		m.effects = append(m.effects, Effect{Change: Diverged})
	}
	if m.dirtySelf {
		m.dirtySelf = false
		m.value = m.appendSelfRow(m.value[:0])
		m.key = append(m.key[:0], keyspace.MachineKey(keyspace.MachinePartition)...)
		w.Set(m.key, m.value)
	}
	return m.effects
}

func (m *Machine) flushPartition(p *partition, w keyspace.Writer) {
	switch {
	case !p.doomed:
		m.key = keyspace.AppendPartitionKey(m.key[:0], p.Slot)
	case m.bySlot[p.Slot] == p:
		m.key = keyspace.AppendDoomedKey(m.key[:0], p.Slot)
	default: // freed whole in the same batch of commands
		return
	}
	m.value = appendHeadRow(m.value[:0], p)
	w.Set(m.key, m.value)
}

const (
	selfVersion  = 1
	epochVersion = 1

	// Heads of logs that are compacted are of version 2, others of 1.
	headVersion          = 1
	headVersionCompacted = 2
)

// appendSelfRow encodes the machine's own row: version | term | next slot | touches | digest [8] | noted index |
// noted digest [8].
func (m *Machine) appendSelfRow(dst []byte) []byte {
	e := encoder{append(dst, selfVersion)}
	e.uint(m.term)
	e.uint(uint64(m.nextSlot))
	e.uint(m.touches)
	e.uint(uint64(m.digest))
	e.uint(m.noted.index)
	e.uint(uint64(m.noted.digest))
	return e.b
}

func (m *Machine) decodeSelfRow(key, value []byte) error {
	d := open(value, selfVersion)
	m.term = d.uint(epochMax)
	m.nextSlot = keyspace.Slot(d.uint(1<<32 - 1))
	m.touches = d.uint(1<<64 - 1)
	m.digest = command.Digest(d.uint(1<<64 - 1))
	m.noted.index = d.uint(1<<64 - 1)
	m.noted.digest = command.Digest(d.uint(1<<64 - 1))
	return d.end("machine", key)
}

// appendHeadRow encodes a partition's head; epochs have rows of their own.
func appendHeadRow(dst []byte, p *partition) []byte {
	if p.freed > p.Start || p.Start > p.Next || p.BytesBefore > p.BytesTotal { // not Check: its arguments would be allocated
		invariant.Unreachable("slot %d: freed %d, start %d, next %d, bytes %d of %d", p.Slot, p.freed, p.Start, p.Next, p.BytesBefore, p.BytesTotal)
	}
	version := byte(headVersion)
	if p.compacts() {
		version = headVersionCompacted
	}
	e := encoder{append(dst, version)}
	e.b = append(e.b, p.Partition.Topic[:]...)
	e.uint(uint64(p.Partition.Index))
	e.uint(uint64(p.BaseEpoch))
	e.uint(p.Config.Version)
	e.uint(uint64(p.Config.BatchBytesMax))
	e.int(p.Config.RetentionMs)
	e.int(p.Config.RetentionBytes)
	e.bool(p.Config.LogAppendTime)
	e.bool(p.Config.DeleteOld)
	e.uint(uint64(p.freed))
	e.uint(uint64(p.Start - p.freed))
	e.uint(uint64(p.Next - p.Start))
	e.uint(p.BytesBefore)
	e.uint(p.BytesTotal)
	e.int(p.MaxTimestamp)
	e.int(int64(p.MaxTimestampOffset))
	for _, r := range p.runs {
		e.uint(uint64(r.n))
		if r.n > 0 {
			e.uint(uint64(r.first))
			e.uint(uint64(r.last - r.first))
			e.int(r.maxAge)
			e.uint(r.bytesEnd)
		}
	}
	if version == headVersionCompacted {
		appendCompaction(&e, &p.Head)
	}
	return e.b
}

// appendCompaction encodes what the head of a compacted log has beside the rest.
func appendCompaction(e *encoder, h *Head) {
	e.bool(h.Compaction.Compact)
	e.int(h.Compaction.DeleteRetentionMs)
	e.int(h.Compaction.MinLagMs)
	e.int(h.Compaction.MaxLagMs)
	e.uint(uint64(h.Compaction.DirtyMillionths))
	e.uint(h.Rewrites)
	e.int(h.FreedTotal)
	e.int(h.FreedBefore)
	e.uint(uint64(h.Cleaned))
	e.uint(h.CleanedBytes)
	e.int(h.NextHorizon)
}

func decodeCompaction(d *decoder, h *Head) {
	h.Compaction.Compact = d.bool()
	h.Compaction.DeleteRetentionMs = d.int()
	h.Compaction.MinLagMs = d.int()
	h.Compaction.MaxLagMs = d.int()
	h.Compaction.DirtyMillionths = uint32(d.uint(1<<32 - 1))
	h.Rewrites = d.uint(1<<64 - 1)
	h.FreedTotal = d.int()
	h.FreedBefore = d.int()
	h.Cleaned = broker.Offset(d.uint(1<<63 - 1))
	h.CleanedBytes = d.uint(1<<64 - 1)
	h.NextHorizon = d.int()
}

func decodeHeadRow(slot keyspace.Slot, key, value []byte) (*partition, error) {
	d, version := openUpTo(value, headVersionCompacted)
	p := &partition{}
	p.NextHorizon = -1
	p.Slot = slot
	copy(p.Partition.Topic[:], d.take(len(p.Partition.Topic)))
	p.Partition.Index = int32(d.uint(1<<31 - 1))
	p.BaseEpoch = broker.LeaderEpoch(d.uint(epochMax))
	p.Config.Version = d.uint(1<<64 - 1)
	p.Config.BatchBytesMax = uint32(d.uint(1<<32 - 1))
	p.Config.RetentionMs = d.int()
	p.Config.RetentionBytes = d.int()
	p.Config.LogAppendTime = d.bool()
	p.Config.DeleteOld = d.bool()
	offset := func(from broker.Offset) broker.Offset {
		return from + broker.Offset(d.uint(uint64(1<<63-1-from)))
	}
	p.freed = offset(0)
	p.Start = offset(p.freed)
	p.Next = offset(p.Start)
	p.BytesBefore = d.uint(1<<64 - 1)
	p.BytesTotal = d.uint(1<<64 - 1)
	p.MaxTimestamp = d.int()
	p.MaxTimestampOffset = broker.Offset(d.int())
	for i := range p.runs {
		r := &p.runs[i]
		if r.n = int(d.uint(runFanOut - 1)); r.n > 0 {
			r.first = offset(0)
			r.last = offset(r.first)
			r.maxAge = d.int()
			r.bytesEnd = d.uint(1<<64 - 1)
		}
	}
	if version == headVersionCompacted {
		decodeCompaction(&d, &p.Head)
		d.failed = d.failed || !p.compacts() || !sound(p.BytesTotal, p.BytesBefore, p.FreedTotal, p.FreedBefore)
	}
	if p.BytesBefore > p.BytesTotal {
		return nil, fmt.Errorf("%w: head %x: %d bytes before of %d", ErrRow, key, p.BytesBefore, p.BytesTotal)
	}
	return p, d.end("head", key)
}

func appendEpochRow(dst []byte, start broker.Offset) []byte {
	e := encoder{append(dst, epochVersion)}
	e.uint(uint64(start))
	return e.b
}

func decodeEpochRow(key, value []byte) (keyspace.Slot, EpochStart, error) {
	slot, epoch, err := keyspace.DecodeEpochKey(key)
	if err != nil {
		return 0, EpochStart{}, fmt.Errorf("%w: epoch: %w", ErrRow, err)
	}
	d := open(value, epochVersion)
	s := EpochStart{epoch, broker.Offset(d.uint(1<<63 - 1))}
	return slot, s, d.end("epoch", key)
}

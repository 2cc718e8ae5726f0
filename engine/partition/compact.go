package partition

import (
	"math"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// compact replaces rows by what the leader made of them; payloadAt is where the rewritten batches begin in the command.
//
// No row is read: those between log start and log end change by nothing but this command, so the count of them says
// whether the leader's are still the ones that are there. docs/COMPACTION.md has the whole argument.
func (m *Machine) compact(ctx Context, c *command.PartitionCompact, payloadAt uint32, w keyspace.Writer) command.PartitionResult {
	p := m.byID[broker.Partition{Topic: c.Topic, Index: c.Partition}]
	if p == nil {
		return refused(broker.CodeUnknownTopic)
	}
	if code := p.judgeCompact(c); code != broker.CodeNone {
		r := answer(p)
		r.Code = code
		return r
	}
	at := ctx.Position + payloadAt
	for i := range c.Items {
		x := &c.Items[i]
		b := itemBatch(x)
		if x.Rewritten {
			b.Name.Index, b.Name.Position = ctx.Index, at
			at += x.Length
		}
		m.replace(p, x, &b, w)
		p.FreedTotal += x.Freed
	}
	p.Rewrites++
	if c.Cleaned >= 0 {
		p.Cleaned, p.CleanedBytes, p.NextHorizon = c.Cleaned, c.CleanedBytes, c.NextHorizon
	}
	m.touch(p, Compacted)
	return answer(p)
}

// replace writes one row over those it covers.
func (m *Machine) replace(p *partition, x *command.CompactItem, b *Batch, w keyspace.Writer) {
	m.key = keyspace.AppendBatchKey(m.key[:0], p.Slot, b.Last)
	if x.Merged {
		w.DeleteRange(keyspace.AppendBatchKey(nil, p.Slot, b.Base), m.key)
	}
	m.value = appendBatchRow(m.value[:0], b)
	w.Set(m.key, m.value)
	if x.Rewritten {
		m.noteReverse(p.Slot, b, w)
	}
}

// judgeCompact refuses what was computed from other rows (CodeUnavailable: compute it anew), and what no correct leader
// proposes.
func (p *partition) judgeCompact(c *command.PartitionCompact) broker.Code {
	switch {
	case c.Rewrites != p.Rewrites, !p.Compaction.Compact:
		return broker.CodeUnavailable
	case len(c.Items) > CompactItemsMax, c.Cleaned < -1, c.Cleaned >= 0 && (c.Cleaned < p.Cleaned || c.Cleaned > p.Next || c.CleanedBytes > p.BytesTotal || c.NextHorizon < -1):
		return broker.CodeInvalidRequest
	}
	next, rewritten, freed := broker.Offset(0), uint64(0), p.FreedTotal
	for i := range c.Items {
		x := &c.Items[i]
		switch {
		case x.Last < p.Start, x.Merged && x.Base < p.Start: // trimmed since: such rows may be freed, and do not come back
			return broker.CodeUnavailable
		case x.Base < next, x.Last < x.Base, x.MaxAt < x.Base, x.MaxAt > x.Last, x.Last >= p.Untouched(), x.LeaderEpoch < 0,
			x.Last-x.Base >= math.MaxUint32, x.Rewritten && x.Length == 0, x.Length > 0 && x.Attributes&controlBit != 0, x.Horizon < -1, x.BytesEnd > p.BytesTotal, x.Appended > x.BytesEnd,
			x.Freed > int64(p.BytesTotal), x.Freed < -math.MaxUint32:
			return broker.CodeInvalidRequest
		}
		if x.Rewritten {
			rewritten += uint64(x.Length)
		}
		next, freed = x.Last+1, freed+x.Freed
	}
	if rewritten != uint64(c.PayloadLength) || !sound(p.BytesTotal, p.BytesBefore, freed, p.FreedBefore) {
		return broker.CodeInvalidRequest
	}
	return broker.CodeNone
}

// sound says that a log has not less than no bytes: a head that says otherwise would make retention delete all of it.
func sound(total, before uint64, freedTotal, freedBefore int64) bool {
	return before <= total && freedTotal-freedBefore <= int64(total-before)
}

// Untouched is where the part of the log begins that no compaction changes: the last batch below the last stable offset,
// of which the last offset at least is known here. So there is a batch behind every hole, below the end of each
// isolation level: a reader's position gets there, as one that waits for the end it was told of must.
func (h *Head) Untouched() broker.Offset { return h.Stable() - 1 }

// itemBatch is the row that an item asks for, but for the place of one that is rewritten.
func itemBatch(x *command.CompactItem) Batch {
	b := Batch{
		Base: x.Base, Last: x.Last, Epoch: x.LeaderEpoch, Attributes: x.Attributes, MaxTimestamp: x.MaxTimestamp, MaxAt: x.MaxAt,
		LogAppendTime: x.LogAppendTime, Age: x.Age, BytesEnd: x.BytesEnd, Appended: x.Appended, Horizon: x.Horizon,
	}
	if x.Length > 0 {
		b.Name = Name{Index: x.Index, Position: x.Position, Length: x.Length, CRC: x.CRC}
	}
	return b
}

// Hole is the row that covers the offsets of batches, one behind the other, of which nothing is left.
func Hole(of ...Batch) Batch {
	first, last := &of[0], &of[len(of)-1]
	b := Batch{Base: first.Base, Last: last.Last, Epoch: last.Epoch, MaxTimestamp: -1, MaxAt: first.Base, LogAppendTime: -1, Age: -1,
		BytesEnd: last.BytesEnd, Horizon: -1}
	for i := range of {
		b.Appended += of[i].Appended
	}
	return b
}

// Item is the part of a PartitionCompact that makes a batch's row what b says; old are the rows that it replaces, in
// order and without a gap. Rewritten: its payload comes with the command, and b.Name has length and CRC of it.
func (b *Batch) Item(rewritten bool, old ...Batch) command.CompactItem {
	x := command.CompactItem{
		Rewritten: rewritten, Merged: len(old) > 1, Base: b.Base, Last: b.Last, Length: b.Name.Length, CRC: b.Name.CRC,
		LeaderEpoch: b.Epoch, Attributes: b.Attributes, MaxTimestamp: b.MaxTimestamp, MaxAt: b.MaxAt,
		LogAppendTime: b.LogAppendTime, Age: b.Age, BytesEnd: b.BytesEnd, Appended: b.Appended, Horizon: b.Horizon,
		Freed: -int64(b.Name.Length),
	}
	if !rewritten {
		x.Index, x.Position = b.Name.Index, b.Name.Position
	}
	for i := range old {
		x.Freed += int64(old[i].Name.Length)
	}
	return x
}

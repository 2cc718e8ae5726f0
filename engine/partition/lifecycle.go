package partition

import (
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/internal/invariant"
)

// create makes the shard own a partition; one that it owns stays as it is.
func (m *Machine) create(c *command.PartitionCreate) command.PartitionResult {
	id := broker.Partition{Topic: c.Topic, Index: c.Partition}
	if p := m.byID[id]; p != nil {
		return answer(p)
	}
	if c.Topic.IsZero() || c.Partition < 0 || c.BaseEpoch < 0 {
		return refused(broker.CodeInvalidRequest)
	}
	p := &partition{Head: Head{
		Slot:               m.nextSlot,
		Partition:          id,
		Config:             c.Config,
		BaseEpoch:          c.BaseEpoch,
		Compaction:         c.Compaction,
		NextHorizon:        -1,
		MaxTimestamp:       -1,
		MaxTimestampOffset: -1,
	}}
	invariant.Check(m.nextSlot+1 != 0, "the shard has given all its partition slots")
	m.nextSlot++
	m.dirtySelf = true
	m.byID[id], m.bySlot[p.Slot] = p, p
	m.touch(p, Created)
	return answer(p)
}

// configure replaces the configuration by a newer version of it.
func (m *Machine) configure(c *command.PartitionConfigure) command.PartitionResult {
	p := m.byID[broker.Partition{Topic: c.Topic, Index: c.Partition}]
	if p == nil {
		return refused(broker.CodeUnknownTopic)
	}
	if c.Config.Version > p.Config.Version {
		p.Config, p.Compaction = c.Config, c.Compaction
		m.touch(p, Configured)
	}
	return answer(p)
}

// delete forgets a partition. Its head goes at once, the rest by Sweep.
func (m *Machine) delete(c *command.PartitionDelete, w keyspace.Writer) command.PartitionResult {
	id := broker.Partition{Topic: c.Topic, Index: c.Partition}
	p := m.byID[id]
	if p == nil {
		return refused(broker.CodeNone)
	}
	r := answer(p)
	delete(m.byID, id)
	p.doomed = true
	m.key = keyspace.AppendPartitionKey(m.key[:0], p.Slot)
	w.Delete(m.key)
	m.trimmed = without(m.trimmed, p.Slot)
	m.doomed = with(m.doomed, p.Slot)
	m.touch(p, Deleted)
	return r
}

// trim moves the log start up.
func (m *Machine) trim(c *command.PartitionTrim, w keyspace.Writer) command.PartitionResult {
	p := m.byID[broker.Partition{Topic: c.Topic, Index: c.Partition}]
	if p == nil {
		return refused(broker.CodeUnknownTopic)
	}
	if c.LogStart < 0 || c.LogStart > p.Next {
		r := answer(p)
		r.Code = broker.CodeOffsetOutOfRange
		return r
	}
	if c.LogStart <= p.Start {
		return answer(p)
	}
	if c.Rewrites != p.Rewrites { // the sizes were added up from other rows
		r := answer(p)
		r.Code = broker.CodeUnavailable
		return r
	}
	if c.LogStart < p.Next && c.BytesBefore > p.BytesBefore && !sound(p.BytesTotal, c.BytesBefore, p.FreedTotal, c.FreedBefore) {
		return refused(broker.CodeInvalidRequest)
	}
	p.Start = c.LogStart
	if p.Start == p.Next {
		p.BytesBefore, p.FreedBefore = p.BytesTotal, p.FreedTotal
	} else if c.BytesBefore > p.BytesBefore {
		p.BytesBefore, p.FreedBefore = c.BytesBefore, c.FreedBefore
	}
	m.trimEpochs(p, w)
	m.trimmed = with(m.trimmed, p.Slot)
	m.touch(p, Trimmed)
	return answer(p)
}

// trimEpochs forgets the epochs that ended at or below the log start; the one that holds it stays, and so does the
// newest of an empty log.
func (m *Machine) trimEpochs(p *partition, w keyspace.Writer) {
	n := 0
	for n+1 < len(p.epochs) && p.epochs[n+1].Start <= p.Start {
		n++
	}
	if n == 0 {
		return
	}
	lo := keyspace.AppendEpochKey(nil, p.Slot, p.epochs[0].Epoch)
	hi := keyspace.AppendEpochKey(nil, p.Slot, p.epochs[n].Epoch)
	w.DeleteRange(lo, hi)
	p.epochs = slices.Clone(p.epochs[n:]) // snapshots share the old one
}

// with and without keep a sorted set of slots.
func with(set []keyspace.Slot, s keyspace.Slot) []keyspace.Slot {
	if i, found := slices.BinarySearch(set, s); !found {
		return slices.Insert(set, i, s)
	}
	return set
}

func without(set []keyspace.Slot, s keyspace.Slot) []keyspace.Slot {
	if i, found := slices.BinarySearch(set, s); found {
		return slices.Delete(set, i, i+1)
	}
	return set
}

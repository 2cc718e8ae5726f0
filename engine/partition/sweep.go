package partition

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// SweepDue says whether a Sweep with this expiry, in ms, would find work at replicated time clock, in ms.
func (m *Machine) SweepDue(clock uint64, producerExpireMs int64) bool {
	return len(m.doomed) > 0 || len(m.trimmed) > 0 || m.expired(clock, producerExpireMs) != nil
}

// sweep does at most Budget pieces of work: first deleted partitions, then trimmed ones, both by slot, then producers
// by their last use.
func (m *Machine) sweep(ctx Context, c *command.Sweep, w keyspace.Writer) command.SweepResult {
	budget := min(c.Budget, sweepBudgetMax)
	done := uint32(0)
	for ; done < budget; done++ {
		switch win := m.expired(ctx.Clock, c.ProducerExpireMs); {
		case len(m.doomed) > 0:
			m.freeDoomed(m.bySlot[m.doomed[0]], w)
		case len(m.trimmed) > 0:
			m.freeTrimmed(m.bySlot[m.trimmed[0]], w)
		case win != nil:
			m.forget(win, w)
		default:
			return command.SweepResult{Done: done}
		}
	}
	return command.SweepResult{Done: done, More: m.SweepDue(ctx.Clock, c.ProducerExpireMs)}
}

// expired is the least recently used producer if its time is over. A negative expiry keeps all. One with an open
// transaction stays, and those behind it wait: not for longer than a transaction may take.
func (m *Machine) expired(clock uint64, expireMs int64) *window {
	if win := m.windows.first; win != nil && expireMs >= 0 && win.Expired(int64(clock), expireMs) && !win.held() {
		return win
	}
	return nil
}

// freeTrimmed deletes the rows of batches below the log start, or a slice of them.
func (m *Machine) freeTrimmed(p *partition, w keyspace.Writer) {
	m.freeOffsets(p, min(p.Start, p.freed+sweepOffsetsMax), w)
	if p.freed == p.Start {
		m.trimmed = m.trimmed[1:]
	}
	m.touch(p, 0)
}

// freeDoomed deletes one piece of a deleted partition: a producer, or a slice of its batches, or at last what is left.
func (m *Machine) freeDoomed(p *partition, w keyspace.Writer) {
	if win := p.byUse.first; win != nil {
		m.forget(win, w)
		return
	}
	if p.freed < p.Next {
		m.freeOffsets(p, min(p.Next, p.freed+sweepOffsetsMax), w)
		p.Start = max(p.Start, p.freed) // nobody reads it any more, and freed ≤ Start holds
		m.touch(p, 0)
		return
	}
	w.DeleteRange(keyspace.SlotRange(keyspace.TableEpoch, p.Slot))
	w.DeleteRange(keyspace.SlotRange(keyspace.TableHold, p.Slot))
	m.key = keyspace.AppendDoomedKey(m.key[:0], p.Slot)
	w.Delete(m.key)
	m.doomed = m.doomed[1:]
	delete(m.bySlot, p.Slot)
}

// freeOffsets deletes the rows of batches and runs that end below to.
func (m *Machine) freeOffsets(p *partition, to broker.Offset, w keyspace.Writer) {
	w.DeleteRange(keyspace.AppendBatchKey(nil, p.Slot, p.freed), keyspace.AppendBatchKey(nil, p.Slot, to))
	for level := uint8(1); level <= runLevels; level++ {
		w.DeleteRange(keyspace.AppendTimeKey(nil, p.Slot, level, p.freed), keyspace.AppendTimeKey(nil, p.Slot, level, to))
	}
	w.DeleteRange(keyspace.AppendAbortedKey(nil, p.Slot, p.freed), keyspace.AppendAbortedKey(nil, p.Slot, to))
	p.freed = to
}

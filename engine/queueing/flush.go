package queueing

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// changes are what the rows do not have yet.
type changes struct {
	// The commands since the last Flush, as rows of deltas.
	rows []deltaRow
	last uint64 // the greatest entry of them

	// What heads and chunks do not have: as many commands and bytes lie in rows of deltas.
	commands, bytes int
	lines           map[broker.QueueID]*lineChange
}

// lineChange is what of a queue is not in its rows.
type lineChange struct {
	line   *line
	chunks map[uint64]bool
}

// deltaRow is one row of deltas.
type deltaRow struct {
	index    uint64
	position uint32
	value    encoder
}

func newChanges() changes { return changes{lines: map[broker.QueueID]*lineChange{}} }

// line notes that a queue's head changed.
func (c *changes) line(l *line) *lineChange {
	x := c.lines[l.id]
	if x == nil {
		x = &lineChange{l, map[uint64]bool{}}
		c.lines[l.id] = x
	}
	return x
}

// message notes that a message changed.
func (c *changes) message(l *line, sequence uint64) { c.line(l).chunks[sequence/chunkMessages] = true }

const deltaVersion = 1

// command notes a command: index | position | clock, with unmeasured if it is old | bytes. A payload is not kept: only its length is looked at.
func (c *changes) command(ctx Context, noted []byte) {
	if n := len(c.rows); n == 0 || len(c.rows[n-1].value.b)+len(noted) > deltaRowBytes {
		c.rows = append(c.rows, deltaRow{ctx.Index, ctx.Position, encoder{[]byte{deltaVersion}}})
	}
	e := &c.rows[len(c.rows)-1].value
	e.uint(ctx.Index)
	e.uint(uint64(ctx.Position))
	clock := ctx.Clock
	if ctx.ClockOld {
		clock |= unmeasured
	}
	e.uint(clock)
	e.text(string(noted))
	c.commands++
	c.bytes += len(noted)
	c.last = ctx.Index
}

// Flush writes what the rows do not have: the commands since the last Flush or, when many are unfolded, heads and chunks
// instead. r reads what was committed before. The effects are valid until the next Apply.
func (m *Machine) Flush(w keyspace.Writer, r keyspace.Reader) (Effects, error) {
	effects := m.effects
	m.effects = Effects{}
	c := &m.changed
	if len(c.rows) == 0 {
		return effects, nil
	}
	if err := m.names.flush(w, r, c.last); err != nil {
		return effects, err
	}
	if c.commands < m.foldAt && c.bytes < foldBytes && !m.foldsNext {
		for i := range c.rows {
			w.Set(keyspace.AppendQueueDeltaKey(nil, c.rows[i].index, c.rows[i].position), c.rows[i].value.b)
		}
		c.rows = nil
		return effects, nil
	}
	m.foldsNext = false
	m.fold(w)
	return effects, nil
}

// FoldNext lets the next Flush that has something to write heads and chunks: when that happens is each replica's own.
func (m *Machine) FoldNext() { m.foldsNext = true }

// fold writes heads and chunks that changed, and deletes the deltas.
func (m *Machine) fold(w keyspace.Writer) {
	c := &m.changed
	for _, id := range slices.SortedFunc(maps.Keys(c.lines), func(a, b broker.QueueID) int { return cmp.Compare(a, b) }) {
		x := c.lines[id]
		l := x.line
		if m.lines[id] != l && !slices.Contains(m.graves, l) {
			w.Delete(keyspace.AppendQueueKey(nil, id))
			lo := keyspace.AppendChunkKey(nil, id, 0)
			w.DeleteRange(lo, keyspace.Next(lo[:len(lo)-8]))
			if l.seen != nil {
				lo = keyspace.AppendQueueSeenKey(nil, id, 0)
				w.DeleteRange(lo, keyspace.Next(lo[:len(lo)-8]))
			}
			continue
		}
		if l.seen != nil {
			l.writeSeen(w)
		}
		w.Set(keyspace.AppendQueueKey(nil, id), appendHead(nil, l))
		for _, n := range slices.Sorted(maps.Keys(x.chunks)) {
			key := keyspace.AppendChunkKey(nil, id, n)
			if v, some := appendChunk(nil, l, n); some {
				w.Set(key, v)
			} else {
				w.Delete(key)
			}
		}
	}
	w.Set(keyspace.MachineKey(keyspace.MachineQueueing), m.appendSelf(nil))
	m.writeHolders(w)
	w.DeleteRange(keyspace.TableRange(keyspace.TableQueueDelta))
	*c = newChanges()
}

package queueing

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Load is the machine that wrote these rows, as it was after its last Flush: what heads and chunks tell, and then the
// commands since.
func Load(r keyspace.Reader) (*Machine, error) {
	m := New()
	if err := scan(r, keyspace.TableQueue, func(k, v []byte) error {
		l, err := decodeHead(k, v)
		if err != nil {
			return err
		}
		if l.next-l.base > 1<<40 {
			return fmt.Errorf("%w: head %x: sequences %d to %d", ErrRow, k, l.base, l.next)
		}
		m.lines[l.id] = l
		return nil
	}); err != nil {
		return nil, err
	}
	key := keyspace.MachineKey(keyspace.MachineQueueing)
	v, ok, err := r.Get(key)
	if err != nil {
		return nil, err
	}
	if ok {
		if err := m.decodeSelf(key, v); err != nil {
			return nil, err
		}
	}
	if err := scan(r, keyspace.TableChunk, func(k, v []byte) error {
		id, n, err := keyspace.DecodeChunkKey(k)
		l := m.lines[id]
		if l == nil {
			l = m.grave(id)
		}
		if err != nil || l == nil {
			return fmt.Errorf("%w: chunk %x of no queue", ErrRow, k)
		}
		return m.loadChunk(l, n, k, v)
	}); err != nil {
		return nil, err
	}
	for _, l := range slices.Concat(slices.Collect(maps.Values(m.lines)), m.graves) {
		if l.base < l.next && l.stateOf(l.base) == gone {
			return nil, fmt.Errorf("%w: queue %d has no message at its base, %d", ErrRow, l.id, l.base)
		}
	}
	for _, l := range m.lines { //lint:sorted each on its own
		l.settleIn()
		m.usedAnew = m.usedAnew || l.used == unmeasured
	}
	if err := scan(r, keyspace.TableQueueSeen, m.loadSeen); err != nil {
		return nil, err
	}
	if err := m.loadHolders(r); err != nil {
		return nil, err
	}
	return m, m.again(r)
}

func (m *Machine) grave(id broker.QueueID) *line {
	for _, l := range m.graves {
		if l.id == id {
			return l
		}
	}
	return nil
}

// scan calls row for every row of a table, and stops at its first error.
func scan(r keyspace.Reader, t keyspace.Table, row func(k, v []byte) error) error {
	lo, hi := keyspace.TableRange(t)
	var failed error
	err := r.Scan(lo, hi, func(k, v []byte) bool {
		failed = row(k, v)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// decodeSelf reads the machine's own row; the queues are there.
func (m *Machine) decodeSelf(key, value []byte) error {
	d := open(value, selfVersion)
	m.clock = d.uint()
	for range d.count() {
		m.dropped[broker.QueueID(d.uint())] = true
	}
	for range d.count() {
		id := broker.QueueID(d.uint())
		if m.lines[id] == nil {
			return fmt.Errorf("%w: machine: dropped queue %d is not there", ErrRow, id)
		}
		m.graves = append(m.graves, m.lines[id])
		delete(m.lines, id)
	}
	for range d.count() {
		n := broker.NodeID(d.int())
		m.leases[n] = &lease{d.uint(), d.uint()}
	}
	for range d.count() {
		x := &consumer{id: broker.ConsumerID(d.uint()), line: m.lines[broker.QueueID(d.uint())], session: d.session(), channel: uint16(d.upTo(1<<16 - 1)), tag: d.text(),
			exclusive: d.bool(), getter: d.bool(), cancelled: d.bool(), priority: int32(d.int()), credit: d.uint32(), out: map[uint64]bool{}}
		if x.line == nil {
			return fmt.Errorf("%w: machine: consumer %d of no queue", ErrRow, x.id)
		}
		turn := x.line.turn
		m.add(x)
		x.line.turn = turn
	}
	for _, l := range m.lines { //lint:sorted each on its own
		if (l.owner != Session{}) {
			m.session(l.owner).owned[l.id] = true
		}
	}
	m.changed = newChanges()
	return d.end("machine", key)
}

// again applies the commands of the deltas.
func (m *Machine) again(r keyspace.Reader) error {
	m.replays = true
	defer func() { m.replays = false }()
	var zeroes []byte
	commands, bytes := 0, 0
	err := scan(r, keyspace.TableQueueDelta, func(k, v []byte) error {
		d := open(append([]byte(nil), v...), deltaVersion)
		for len(d.b) > 0 && !d.failed {
			ctx := Context{Index: d.uint(), Position: d.uint32(), Clock: d.uint()}
			ctx.ClockOld, ctx.Clock = ctx.Clock&unmeasured != 0, ctx.Clock&^unmeasured
			body := []byte(d.text())
			if d.failed {
				break
			}
			commands++
			bytes += len(body)
			body, zeroes = padded(body, zeroes)
			if err := m.replay(ctx, body); err != nil {
				return fmt.Errorf("%w: delta %x: %w", ErrRow, k, err)
			}
		}
		return d.end("delta", k)
	})
	m.effects = Effects{}
	m.names = newNames()
	m.changed.commands, m.changed.bytes = commands, bytes
	return err
}

// padded gives a command that has one a payload of the length that it tells, of zeroes: nobody looks at it.
func padded(body, zeroes []byte) (out, kept []byte) {
	switch kind, err := command.KindOf(body); {
	case err != nil || len(body) < 4:
		return body, zeroes
	case kind != command.KindQueuePublish && kind != command.KindQueueTransact && kind != command.KindQueuePrepare:
		return body, zeroes
	}
	tail := body[len(body)-4:] // PayloadLength is the last field before the payload
	n := int(tail[0])<<24 | int(tail[1])<<16 | int(tail[2])<<8 | int(tail[3])
	if n > len(zeroes) && n <= payloadBytesMax {
		zeroes = make([]byte, n)
	}
	if n > len(zeroes) {
		return body, zeroes
	}
	return append(body, zeroes[:n]...), zeroes
}

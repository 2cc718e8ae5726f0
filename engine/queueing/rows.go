package queueing

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
)

const (
	selfVersion   = 1
	headVersion   = 1
	headVersion2  = 2 // of a queue that ends when it is not used: behind the rest, when it was used last
	chunkVersion  = 1
	chunkVersion3 = 3 // of a queue with priorities: of each message, its own
	chunkVersion2 = 2 // of a queue that keeps the order of keys: in front, the keys; of each message, which one
)

// appendSelf encodes the machine's own row: what is not of one queue.
//
//	version | clock | dropped | graves | leases | consumers, those that take messages in the order of their queue
func (m *Machine) appendSelf(dst []byte) []byte {
	e := encoder{append(dst, selfVersion)}
	e.uint(m.clock)
	e.uint(uint64(len(m.dropped)))
	for _, id := range slices.Sorted(maps.Keys(m.dropped)) {
		e.uint(uint64(id))
	}
	e.uint(uint64(len(m.graves)))
	for _, l := range m.graves {
		e.uint(uint64(l.id))
	}
	e.uint(uint64(len(m.leases)))
	for _, n := range slices.Sorted(maps.Keys(m.leases)) {
		e.int(int64(n))
		e.uint(m.leases[n].run)
		e.uint(m.leases[n].deadline)
	}
	e.uint(uint64(len(m.consumers)))
	for _, id := range slices.Sorted(maps.Keys(m.lines)) {
		for _, x := range m.lines[id].consumers {
			e.consumer(x)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.consumers)) {
		if x := m.consumers[id]; x.cancelled || x.getter {
			e.consumer(x)
		}
	}
	return e.b
}

func (e *encoder) consumer(x *consumer) {
	e.uint(uint64(x.id))
	e.uint(uint64(x.line.id))
	e.session(x.session)
	e.uint(uint64(x.channel))
	e.text(x.tag)
	e.bool(x.exclusive)
	e.bool(x.getter)
	e.bool(x.cancelled)
	e.int(int64(x.priority))
	e.uint(uint64(x.credit))
}

func (d *decoder) session() Session {
	return Session{broker.NodeID(d.int()), d.uint(), d.uint()}
}

// appendHead encodes a queue without its messages and consumers.
func appendHead(dst []byte, l *line) []byte {
	version := byte(headVersion)
	if l.used > 0 {
		version = headVersion2
	}
	e := encoder{append(dst, version)}
	e.text(l.host)
	e.text(l.name)
	// The configuration as the command has it, so that it is written down once.
	create := command.QueueCreate{Config: l.config}
	e.text(string(create.AppendTo(nil)))
	e.session(l.owner)
	e.uint(l.next)
	e.uint(l.base)
	e.uint(l.cursor)
	e.uint(l.numbers)
	e.uint(uint64(l.turn))
	e.bool(l.hadOne)
	e.uint(l.published)
	e.uint(l.gone)
	e.uint(uint64(len(l.doomed)))
	for _, s := range l.doomed {
		e.uint(s.from)
		e.uint(s.to)
	}
	if l.used > 0 {
		e.uint(l.used)
	}
	return e.b
}

func decodeHead(key, value []byte) (*line, error) {
	id, err := keyspace.DecodeQueueKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: head: %w", ErrRow, err)
	}
	version := byte(headVersion)
	if len(value) > 0 && value[0] == headVersion2 {
		version = headVersion2
	}
	d := open(value, version)
	l := &line{id: id, chunks: map[uint64]*chunk{}, out: map[uint64]*taken{}}
	l.host, l.name = d.text(), d.text()
	var create command.QueueCreate
	if err := create.Decode([]byte(d.text())); err != nil && !d.failed {
		return nil, fmt.Errorf("%w: head %x: %w", ErrRow, key, err)
	}
	l.config = create.Config
	l.equip()
	l.owner = d.session()
	l.next, l.base, l.cursor, l.numbers = d.uint(), d.uint(), d.uint(), d.uint()
	l.turn, l.hadOne, l.published, l.gone = int(d.upTo(1<<31)), d.bool(), d.uint(), d.uint()
	for range d.count() {
		l.doomed = append(l.doomed, span{d.uint(), d.uint()})
	}
	if version == headVersion2 {
		l.used = d.uint()
	}
	if l.base > l.cursor || l.cursor > l.next {
		d.failed = true
	}
	return l, d.end("head", key)
}

// appendChunk encodes the messages of a chunk that are not gone, each by its distance from the one before; some: there are any.
//
//	version | 2: keys | for each: distance | state | name | size | returned | expiry | redelivered | 2: place of its key | 3: priority | dying, leaving: why | acquired: number | consumer
func appendChunk(dst []byte, l *line, number uint64) (out []byte, some bool) {
	c := l.chunks[number]
	if c == nil {
		return nil, false
	}
	e := encoder{append(dst, chunkVersion)}
	numbers := map[uint64]uint64{} // of this chunk's deliveries
	for n, t := range l.out {      //lint:sorted only looked up
		if t.sequence/chunkMessages == number {
			numbers[t.sequence] = n
		}
	}
	places := e.keys(c)
	if l.config.Priorities > 0 {
		e.b[len(e.b)-1] = chunkVersion3
	}
	last := number * chunkMessages
	for s, x := range c.all(number) {
		e.uint(s - last)
		last, some = s, true
		e.uint(uint64(x.state))
		e.uint(x.name.Index)
		e.uint(uint64(x.name.Position))
		e.uint(uint64(x.name.Length))
		e.uint(uint64(x.name.CRC))
		e.uint(uint64(x.size))
		e.uint(uint64(x.returned))
		e.uint(x.expiry)
		e.bool(x.redelivered)
		if l.config.Priorities > 0 {
			e.uint(uint64(x.priority))
		}
		if c.keys != nil {
			e.uint(places[c.keys[c.at(s)]])
		}
		if x.state == dying || x.state == leaving {
			e.uint(uint64(x.death))
		}
		if x.state == acquired {
			n, out := numbers[s]
			e.bool(out) // not of a queue that was dropped
			if out {
				e.uint(n)
				e.uint(uint64(l.out[n].consumer.id))
			}
		}
	}
	return e.b, some
}

// keys encodes the keys of a chunk, if it has any: the version before it becomes 2. It gives their places.
func (e *encoder) keys(c *chunk) map[*key]uint64 {
	if c.keys == nil {
		return nil
	}
	e.b[len(e.b)-1] = chunkVersion2
	places := map[*key]uint64{}
	var texts []string
	for _, k := range c.keys {
		if _, has := places[k]; k != nil && !has {
			places[k] = uint64(len(texts))
			texts = append(texts, k.text)
		}
	}
	e.uint(uint64(len(texts)))
	for _, t := range texts {
		e.text(t)
	}
	return places
}

// loadChunk puts the messages of a chunk in their places.
func (m *Machine) loadChunk(l *line, number uint64, row, value []byte) error {
	version := byte(chunkVersion)
	switch {
	case l.order != nil:
		version = chunkVersion2
	case l.config.Priorities > 0:
		version = chunkVersion3
	}
	d := open(value, version)
	var texts []string
	if l.order != nil {
		for range d.count() {
			texts = append(texts, d.text())
		}
	}
	s := number * chunkMessages
	for len(d.b) > 0 && !d.failed {
		s += d.uint()
		x := message{state: state(d.upTo(uint64(parked)))}
		x.name = Name{d.uint(), d.uint32(), d.uint32(), d.uint32()}
		x.size, x.returned, x.expiry, x.redelivered = d.uint32(), d.uint32(), d.uint(), d.bool()
		if version == chunkVersion3 {
			x.priority = uint8(d.upTo(uint64(l.config.Priorities)))
		}
		place := uint64(0)
		if l.order != nil {
			if place = d.upTo(uint64(len(texts))); place >= uint64(len(texts)) {
				return fmt.Errorf("%w: chunk %x: message %d of no key", ErrRow, row, s)
			}
		}
		if x.state == dying || x.state == leaving {
			x.death = death(d.upTo(uint64(deathMax)))
			d.failed = d.failed || x.death == 0
		}
		if s < l.base || s >= l.next || s/chunkMessages != number || x.state == gone || l.stateOf(s) != gone {
			return fmt.Errorf("%w: chunk %x: message %d", ErrRow, row, s)
		}
		var k *key
		if l.order != nil {
			k = l.order.intern(texts[place])
		}
		l.load(s, x, k)
		if x.state == acquired && d.bool() {
			n, c := d.uint(), m.consumers[broker.ConsumerID(d.uint())]
			if c == nil || c.line != l || n > l.numbers || l.out[n] != nil {
				return fmt.Errorf("%w: chunk %x: delivery %d", ErrRow, row, n)
			}
			l.out[n] = &taken{s, c}
			c.out[n] = true
		}
	}
	return d.end("chunk", row)
}

// settleIn counts what was loaded: what is ready, and which of it was delivered before.
func (l *line) settleIn() {
	if c := l.chunks[l.next/chunkMessages]; c != nil {
		c.pad(c.at(l.next), l.order != nil)
	}
	if l.order != nil {
		l.settleOrder()
	}
	doomed := 0
	for s, x := range l.all() {
		if x.state == parked {
			l.parked++
		}
		if x.state == dying {
			l.dying = append(l.dying, s)
		}
		if x.state != ready {
			continue
		}
		for doomed < len(l.doomed) && l.doomed[doomed].to <= s {
			doomed++
		}
		if doomed < len(l.doomed) && l.doomed[doomed].from <= s {
			continue
		}
		l.ready++
		l.readyBytes += uint64(x.size)
		switch {
		case l.order != nil:
		case l.config.Priorities > 0:
			l.ranked.push(l.rank(s, x))
		case s < l.cursor:
			l.returned.push(sequence(s))
		}
	}
}

const (
	holderVersion  = 1
	holderVersion2 = 2 // with keys of the order of its messages
	holderVersion3 = 3 // and with message ids
	holderVersion4 = 4 // and with priorities
)

// appendHolder encodes what is known of a producer's transactions, and what its open one covers.
//
//	version | row of package participant | items: queue | sequence | consumer | outcome | staged: name | size | expiration | 4: priority | 3: has an id, id | targets, 2: each with its key
func (m *Machine) appendHolder(dst []byte, id txn.ProducerID) []byte {
	h := m.held[id]
	if h == nil {
		h = &hold{}
	}
	version, keyed := byte(holderVersion), h.keyed()
	once := slices.ContainsFunc(h.staged, func(y staged) bool { return y.once })
	ranked := slices.ContainsFunc(h.staged, func(y staged) bool { return y.priority > 0 })
	switch {
	case ranked:
		version, keyed, once = holderVersion4, true, true
	case once:
		version, keyed = holderVersion3, true
	case keyed:
		version = holderVersion2
	}
	e := encoder{append(dst, version)}
	row, _ := m.holders.AppendRow(nil, id)
	e.text(string(row))
	e.uint(uint64(len(h.items)))
	for _, i := range h.items {
		e.uint(uint64(i.queue))
		e.uint(i.sequence)
		e.uint(uint64(i.consumer))
		e.uint(uint64(i.outcome))
	}
	e.uint(uint64(len(h.staged)))
	for _, y := range h.staged {
		e.uint(y.name.Index)
		e.uint(uint64(y.name.Position))
		e.uint(uint64(y.name.Length))
		e.uint(uint64(y.name.CRC))
		e.uint(uint64(y.size))
		e.int(y.expirationMs)
		if ranked {
			e.uint(uint64(y.priority))
		}
		if once {
			e.bool(y.once)
			e.b = append(e.b, y.id[:]...)
		}
		e.uint(uint64(len(y.targets)))
		for _, t := range y.targets {
			e.uint(uint64(t.queue))
			if keyed {
				e.text(t.key)
			}
		}
	}
	return e.b
}

// keyed says whether a message of it has a key.
func (h *hold) keyed() bool {
	for _, y := range h.staged {
		for _, t := range y.targets {
			if t.key != "" {
				return true
			}
		}
	}
	return false
}

// writeHolders writes all of them; there are few.
func (m *Machine) writeHolders(w keyspace.Writer) {
	w.DeleteRange(keyspace.TableRange(keyspace.TableQueueHolder))
	for _, id := range m.holders.Producers() {
		w.Set(keyspace.AppendQueueHolderKey(nil, broker.ProducerID(id)), m.appendHolder(nil, id))
	}
}

// loadHolders reads what appendHolder wrote; queues and consumers are there.
func (m *Machine) loadHolders(r keyspace.Reader) error {
	return scan(r, keyspace.TableQueueHolder, func(k, v []byte) error {
		id, err := keyspace.DecodeQueueHolderKey(k)
		if err != nil {
			return fmt.Errorf("%w: holder: %w", ErrRow, err)
		}
		version := byte(holderVersion)
		if len(v) > 0 && v[0] > holderVersion && v[0] <= holderVersion4 {
			version = v[0]
		}
		d := open(v, version)
		if err := m.holders.LoadRow(txn.ProducerID(id), []byte(d.text())); err != nil {
			return fmt.Errorf("%w: holder %x: %w", ErrRow, k, err)
		}
		h := &hold{}
		for range d.count() {
			i := heldItem{queue: broker.QueueID(d.uint()), sequence: d.uint(), consumer: broker.ConsumerID(d.uint()), outcome: broker.Outcome(d.upTo(1<<8 - 1))}
			if err := m.loadHeld(i); err != nil {
				return fmt.Errorf("%w: holder %x: %w", ErrRow, k, err)
			}
			h.items = append(h.items, i)
		}
		for range d.count() {
			y := staged{name: Name{d.uint(), d.uint32(), d.uint32(), d.uint32()}, size: d.uint32(), expirationMs: d.int()}
			if version >= holderVersion4 {
				y.priority = uint8(d.upTo(1<<8 - 1))
			}
			if version >= holderVersion3 {
				y.once, y.id = d.bool(), d.id()
			}
			for range d.count() {
				t := stagedTarget{queue: broker.QueueID(d.uint())}
				if version >= holderVersion2 {
					t.key = d.text()
				}
				if l := m.lines[t.queue]; l != nil {
					l.reserve(y.size, 1)
				}
				y.targets = append(y.targets, t)
			}
			h.staged = append(h.staged, y)
		}
		if len(h.items)+len(h.staged) > 0 {
			if m.holders.Open(txn.ProducerID(id)) == 0 {
				d.failed = true
			}
			m.held[txn.ProducerID(id)] = h
		}
		return d.end("holder", k)
	})
}

// loadHeld counts a held delivery where it counts.
func (m *Machine) loadHeld(i heldItem) error {
	if x := m.consumers[i.consumer]; x != nil {
		x.held++
	}
	l := m.lines[i.queue]
	if l == nil {
		return nil // dropped meanwhile
	}
	want, count := held, &l.held
	if i.outcome == Buried {
		want, count = leaving, &l.leaving
	}
	if l.stateOf(i.sequence) != want {
		return fmt.Errorf("message %d of queue %d is not held", i.sequence, i.queue)
	}
	*count++
	return nil
}

package queueing

import (
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// CheckConfig says what of a configuration this package does not offer; empty: nothing.
func CheckConfig(c *command.QueueConfig) string {
	switch {
	case c.OrderingWindow > 1:
		return "an ordering window above 1"
	case c.Ordered && c.Poison == poisonSendKey:
		return "x-ordering-poison dead-letter-key"
	case c.Ordered && c.Priorities > 0:
		return "order per key together with priorities"
	case c.ConsumerTimeoutMs > 0:
		return "consumer time-outs"
	}
	return ""
}

// create makes a queue, unless it is there or was.
func (m *Machine) create(c *command.QueueCreate) command.QueueResult {
	id := broker.QueueID(c.Queue)
	if l := m.lines[id]; l != nil {
		m.use(l)
		return l.status()
	}
	l := newLine(c)
	switch {
	case m.dropped[id]:
		return command.QueueResult{Code: broker.CodeUnknownQueue}
	case CheckConfig(&c.Config) != "":
		return command.QueueResult{Code: broker.CodeInvalidArgument}
	case l.owner != Session{} && !m.lives(l.owner):
		return command.QueueResult{Code: broker.CodeSessionLost}
	}
	m.lines[id] = l
	m.use(l)
	if (l.owner != Session{}) {
		m.session(l.owner).owned[id] = true
	}
	m.changed.line(l)
	m.effects.Owned = true
	return l.status()
}

// use notes that a queue is used, if it is to end when it was not for long: by a declaration, a get, the end of a consumer.
// When that is, the command says that is applied, or the next that brings the time.
func (m *Machine) use(l *line) {
	if l.config.ExpiresMs > 0 {
		l.used, m.usedAnew = unmeasured, true
		m.changed.line(l)
	}
}

// unused says whether a queue was not used for as long as it may be.
func (l *line) unused(clock uint64) bool {
	return l.config.ExpiresMs > 0 && len(l.consumers) == 0 && l.used != unmeasured && l.used+l.config.ExpiresMs <= clock
}

func (l *line) status() command.QueueResult {
	return command.QueueResult{Messages: uint64(l.ready), Consumers: uint32(len(l.consumers))}
}

// remove drops a queue if its conditions hold.
func (m *Machine) remove(c *command.QueueDrop) command.QueueResult {
	l := m.lines[broker.QueueID(c.Queue)]
	switch {
	case l == nil:
		return command.QueueResult{Code: broker.CodeUnknownQueue}
	case c.IfUnused && len(l.consumers) > 0:
		return command.QueueResult{Code: broker.CodeInUse}
	case c.IfEmpty && l.ready+l.parked > 0:
		return command.QueueResult{Code: broker.CodeQueueNotEmpty}
	}
	r := l.status()
	m.drop(l)
	return r
}

// drop ends a queue: nobody has anything of it from now on. Its payloads are released in slices.
func (m *Machine) drop(l *line) {
	delete(m.lines, l.id)
	m.dropped[l.id] = true
	m.effects.Owned = true
	if s := m.sessions[l.owner]; s != nil {
		delete(s.owned, l.id)
	}
	consumers := l.consumers
	l.consumers = nil
	for _, n := range slices.Sorted(maps.Keys(l.out)) {
		c := l.out[n].consumer
		delete(c.out, n)
		m.changed.message(l, l.out[n].sequence) // its chunk tells who has it
		c.cancelled = true
		m.maybeGone(c)
	}
	clear(l.out)
	l.ranked = nil
	l.ready, l.readyBytes, l.returned, l.doomed, l.held, l.parked, l.reserved, l.dying, l.leaving = 0, 0, nil, nil, 0, 0, addition{}, nil, 0
	if l.order != nil {
		l.order.forgetReady()
	}
	l.cursor = l.next // nothing of it is delivered any more
	for _, c := range consumers {
		c.cancelled = true
		m.maybeGone(c)
		if !m.replays {
			m.effects.Ended = append(m.effects.Ended, Ended{c.id, c.session.Node})
		}
	}
	m.maybeForget(l.owner)
	m.changed.line(l)
	m.graves = append(m.graves, l)
}

// purge removes the ready messages of a queue, and says how many.
func (m *Machine) purge(l *line) command.QueueResult {
	r := command.QueueResult{Messages: uint64(l.ready), Consumers: uint32(len(l.consumers))}
	if l.order != nil || l.config.Priorities > 0 {
		l.doom()
		l.ready, l.readyBytes = 0, 0
	}
	for len(l.returned) > 0 { // no more than consumers may have unsettled
		s := uint64(l.returned[0])
		m.names.remove(l.pop(s).name)
		m.changed.message(l, s)
		l.bury(s)
	}
	if l.cursor < l.next {
		l.doomed = append(l.doomed, span{l.cursor, l.next})
		l.cursor = l.next
		l.ready, l.readyBytes = 0, 0
	}
	m.changed.line(l)
	m.free(l, sliceMessages)
	return r
}

// free buries purged messages, at most so many, and gives how many.
func (m *Machine) free(l *line, most int) (n int) {
	for len(l.doomed) > 0 && n < most {
		d := &l.doomed[0]
		m.names.remove(l.at(d.from).name)
		m.changed.message(l, d.from)
		l.bury(d.from)
		n++
		if d.from++; d.from == d.to {
			l.doomed = l.doomed[1:]
		}
	}
	if len(l.doomed) == 0 {
		l.doomed = nil
	}
	return n
}

// tick does what time and earlier bounds left to do, at most so many messages; more: there is more.
func (m *Machine) tick(c *command.QueueTick) command.QueueTickResult {
	var over []broker.NodeID
	for _, n := range slices.Sorted(maps.Keys(m.leases)) {
		if m.leases[n].deadline <= m.clock {
			over = append(over, n)
		}
	}
	m.lose(over...)
	left := int(min(c.Budget, 1<<20))
	for len(m.graves) > 0 && left > 0 {
		left -= m.dig(m.graves[0], left)
	}
	for _, id := range slices.Sorted(maps.Keys(m.lines)) {
		l := m.lines[id]
		if l.unused(m.clock) {
			m.drop(l)
			left--
			continue
		}
		left -= m.free(l, left)
		if n := m.expire(l, left); n > 0 {
			left -= n
			m.assign(l)
		}
		if left <= 0 {
			break
		}
	}
	return command.QueueTickResult{More: left <= 0}
}

// dig buries what a dropped queue has, at most so many messages, and forgets the queue after the last.
func (m *Machine) dig(l *line, most int) (n int) {
	for l.base < l.next && n < most {
		m.names.remove(l.at(l.base).name)
		m.changed.message(l, l.base)
		l.bury(l.base)
		n++
	}
	m.changed.line(l)
	if l.base == l.next {
		m.graves = m.graves[1:]
		n = max(n, 1)
	}
	return n
}

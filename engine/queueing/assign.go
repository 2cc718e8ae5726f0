package queueing

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/internal/invariant"
)

// assign gives ready messages to consumers that take them, in the order of the messages; of the consumers with the highest
// priority that take one, each in turn.
func (m *Machine) assign(l *line) {
	for left := sliceMessages; ; {
		left -= m.expire(l, left)
		s := m.next(l)
		if s == 0 {
			return
		}
		if l.expired(s, m.clock) {
			return // more than a slice expired: a tick goes on
		}
		c := l.nextConsumer()
		if c == nil {
			return
		}
		n := m.acquire(l, s, c)
		if !m.replays {
			m.effects.Deliveries = append(m.effects.Deliveries, l.delivery(n, l.out[n]))
		}
	}
}

// next is a queue's first message that may be delivered; 0 if there is none.
func (m *Machine) next(l *line) uint64 {
	cursor := l.cursor
	s := l.first()
	if l.cursor != cursor {
		m.changed.line(l)
	}
	return s
}

// acquire hands a ready message to a consumer, and gives the delivery's number.
func (m *Machine) acquire(l *line, sequence uint64, c *consumer) uint64 {
	l.pop(sequence).state = acquired
	l.take(sequence)
	l.numbers++
	l.out[l.numbers] = &taken{sequence, c}
	c.out[l.numbers] = true
	m.changed.message(l, sequence)
	return l.numbers
}

// nextConsumer is whose turn it is among those with the highest priority that take a message; nil if nobody does. Where a single
// one is active that is the one that came first.
func (l *line) nextConsumer() *consumer {
	if l.stopped() {
		return nil
	}
	if l.config.SingleActive {
		if len(l.consumers) > 0 && l.consumers[0].hungry() {
			return l.consumers[0]
		}
		return nil
	}
	for i := 0; i < len(l.consumers); {
		j := i // the end of those with this priority
		for j < len(l.consumers) && l.consumers[j].priority == l.consumers[i].priority {
			j++
		}
		n := j - i
		for k := range n {
			at := i + (l.turn+k)%n
			if c := l.consumers[at]; c.hungry() {
				l.turn = (at - i + 1) % n
				return c
			}
		}
		i = j
	}
	return nil
}

// expire lets messages go whose time is over, at most so many, and gives how many went.
func (m *Machine) expire(l *line, most int) (n int) {
	for ; n < most; n++ {
		s := l.overdue(m.clock)
		if s == 0 {
			return n
		}
		m.letGo(l, s, expired)
	}
	return n
}

// letGo ends the life of a ready message that overdue or oldest told.
func (m *Machine) letGo(l *line, sequence uint64, why death) {
	l.pop(sequence)
	m.changed.message(l, sequence)
	m.die(l, sequence, why)
}

// unacquire takes a delivery back.
func (m *Machine) unacquire(l *line, number uint64, counts bool) {
	t := l.out[number]
	delete(l.out, number)
	delete(t.consumer.out, number)
	m.changed.message(l, t.sequence)
	m.takeBack(l, t.sequence, counts)
}

// takeBack makes a message ready again that was acquired or held. A counted return beyond the delivery limit lets it go.
func (m *Machine) takeBack(l *line, sequence uint64, counts bool) {
	x := l.at(sequence)
	if counts && x.returned < returnsMax {
		x.returned++
	}
	if limit := l.config.DeliveryLimit; limit > 0 && x.returned > limit {
		if l.parks() {
			x.state = parked // and busy for its key, as before
			l.parked++
			return
		}
		m.die(l, sequence, deliveryLimit)
		return
	}
	l.giveBack(sequence, x)
}

// settle says what became of deliveries of a session.
func (m *Machine) settle(c *command.QueueSettle) {
	for _, l := range m.settleAll(Session{c.Node, c.Run, c.Session}, c.Items) {
		m.shorten(l)
		m.assign(l)
	}
}

// settleAll is settle, but for the assignment of what returned: it gives the queues that it is due in.
func (m *Machine) settleAll(s Session, items []command.QueueSettlement) (lines []*line) {
	for _, i := range items {
		l := m.lines[broker.QueueID(i.Queue)]
		if l == nil {
			continue
		}
		if broker.Outcome(i.Outcome) == Buried {
			m.sendOn(l, i.Number)
			continue
		}
		t := l.out[i.Number]
		if t == nil || t.consumer.session != s {
			continue
		}
		switch broker.Outcome(i.Outcome) {
		case broker.Requeue, broker.RejectAgain:
			m.unacquire(l, i.Number, broker.Outcome(i.Outcome) == broker.RejectAgain)
		default:
			delete(l.out, i.Number)
			delete(t.consumer.out, i.Number)
			m.changed.message(l, t.sequence)
			if broker.Outcome(i.Outcome) == broker.Reject {
				m.die(l, t.sequence, rejected)
				break
			}
			m.names.remove(l.at(t.sequence).name)
			l.bury(t.sequence)
		}
		m.maybeGone(t.consumer)
		if len(lines) == 0 || lines[len(lines)-1] != l {
			lines = append(lines, l)
		}
	}
	return lines
}

// get hands the first ready message to a channel.
func (m *Machine) get(c *command.QueueGet) command.QueueGetResult {
	l, id, s := m.lines[broker.QueueID(c.Queue)], broker.ConsumerID(c.Consumer), Session{c.Node, c.Run, c.Session}
	x := m.consumers[id]
	switch {
	case l == nil:
		return command.QueueGetResult{Code: broker.CodeUnknownQueue}
	case !m.lives(s):
		return command.QueueGetResult{Code: broker.CodeSessionLost}
	case id == 0 || x != nil && (x.line != l || x.session != s || !x.getter):
		return command.QueueGetResult{Code: broker.CodeInvalidRequest}
	}
	m.use(l)
	m.expire(l, sliceMessages)
	first := m.next(l)
	if first == 0 || l.expired(first, m.clock) || l.stopped() {
		return command.QueueGetResult{Messages: uint64(l.ready)}
	}
	if x == nil {
		x = &consumer{id: id, line: l, session: s, channel: c.Channel, getter: true, out: map[uint64]bool{}}
		m.add(x)
	}
	n := m.acquire(l, first, x)
	d := l.delivery(n, l.out[n])
	return command.QueueGetResult{Found: true, Number: n, Index: d.Name.Index, Position: d.Name.Position, Length: d.Name.Length, CRC: d.Name.CRC,
		Redelivered: d.Redelivered, Returned: d.Returned, Fence: d.Fence, Messages: uint64(l.ready)}
}

// publish adds a message to each target that takes it.
func (m *Machine) publish(ctx Context, c *command.QueuePublish, payloadAt uint32) command.QueuePublishResult {
	r := command.QueuePublishResult{Codes: make([]broker.Code, len(c.Targets))}
	name := Name{Index: ctx.Index, Position: ctx.Position + payloadAt, Length: c.PayloadLength, CRC: c.PayloadCRC}
	for i := range c.Targets {
		r.Codes[i] = m.publishTo(m.lines[broker.QueueID(c.Targets[i].Queue)], c, name, c.Targets[i].Key)
	}
	return r
}

// As package engine numbers the policies.
const (
	overflowDropHead      = 0
	overflowRejectAndSend = 2
)

func (m *Machine) publishTo(l *line, c *command.QueuePublish, name Name, keyText string) broker.Code {
	if l == nil {
		return broker.CodeUnknownQueue
	}
	once := l.seen != nil && c.MessageID != ""
	if once {
		m.forgetOld(l)
		switch l.look(idOf(c.MessageID), c.Fingerprint, m.clock) {
		case duplicate:
			return broker.CodeNone // it was stored then
		case otherBody, undecided:
			return broker.CodeQueueRefused
		}
	}
	if l.config.Overflow != overflowDropHead && !l.room(addition{1, uint64(c.Size)}) {
		if l.config.Overflow == overflowRejectAndSend && l.config.DeadLetters {
			m.arriveDead(l, name, c.Size, keyText)
		}
		return broker.CodeQueueRefused
	}
	if once {
		m.note(l, idOf(c.MessageID), c.Fingerprint, false)
	}
	m.names.add(name)
	m.arrive(l, name, c.Size, c.ExpirationMs, c.Priority, keyText)
	m.assign(l)
	m.shorten(l)
	return broker.CodeNone
}

// expiry is the time at which a message that comes now expires: by its own time to live or the queue's, whichever is shorter.
func (m *Machine) expiry(l *line, own int64) uint64 {
	ttl := l.config.TTLMs
	if own >= 0 && (ttl < 0 || own < ttl) {
		ttl = own
	}
	if ttl < 0 {
		return 0
	}
	return max(m.clock+uint64(ttl), 1)
}

// shorten lets the first ready messages of a queue that drops its head go until it is not too long.
func (m *Machine) shorten(l *line) {
	if l.config.Overflow != overflowDropHead {
		return
	}
	for l.over(l.ready, l.readyBytes) {
		s := l.oldest()
		invariant.Check(s != 0, "BUG: queue %d has %d ready messages and no first", l.id, l.ready)
		m.letGo(l, s, maxlen)
	}
}

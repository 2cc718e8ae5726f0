package queueing

import (
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// addition is how much comes to a queue.
type addition struct {
	messages int
	bytes    uint64
}

// transact settles deliveries and adds messages, all or nothing.
func (m *Machine) transact(ctx Context, c *command.QueueTransact, payloadAt uint32) command.QueueTransactResult {
	s := Session{c.Node, c.Run, c.Session}
	r := m.mayTransact(s, c.Items, c.Messages, c.PayloadLength)
	if r.Code != broker.CodeNone {
		return r
	}
	var touched lineSet
	for _, l := range m.settleAll(s, c.Items) {
		m.shorten(l)
		touched.add(l)
	}
	at := ctx.Position + payloadAt
	for i := range c.Messages {
		if r.Duplicates == allDuplicates {
			break
		}
		x := &c.Messages[i]
		name := Name{Index: ctx.Index, Position: at, Length: x.Length, CRC: x.CRC}
		at += x.Length
		for _, t := range x.Targets {
			if l := m.lines[broker.QueueID(t.Queue)]; l != nil {
				m.names.add(name)
				if l.seen != nil && x.MessageID != "" {
					m.forgetOld(l)
					m.note(l, idOf(x.MessageID), x.Fingerprint, false)
				}
				m.arrive(l, name, x.Size, x.ExpirationMs, x.Priority, t.Key)
				touched.add(l)
			}
		}
	}
	m.assignAndShorten(touched)
	return r
}

// What QueueTransactResult says of duplicates.
const (
	allDuplicates  = 1
	someDuplicates = 2
)

// mayTransact says whether a session may settle these deliveries and every queue has room for its messages. What concerns a queue
// that is gone is passed over.
func (m *Machine) mayTransact(s Session, items []command.QueueSettlement, messages []command.QueueMessage, bytes uint32) command.QueueTransactResult {
	total := uint64(0)
	for i := range messages {
		total += uint64(messages[i].Length)
	}
	if total != uint64(bytes) {
		return command.QueueTransactResult{Code: broker.CodeInvalidRequest}
	}
	type place struct {
		queue, number uint64
		dying         bool
	}
	seen := make(map[place]bool, len(items))
	for _, i := range items {
		l := m.lines[broker.QueueID(i.Queue)]
		if l == nil {
			continue
		}
		at := place{i.Queue, i.Number, broker.Outcome(i.Outcome) == Buried}
		if at.dying {
			if !l.waits(i.Number) || seen[at] {
				return command.QueueTransactResult{Code: broker.CodeUnknownDelivery, Queue: i.Queue}
			}
			seen[at] = true
			continue
		}
		if t := l.out[i.Number]; t == nil || t.consumer.session != s || seen[at] {
			return command.QueueTransactResult{Code: broker.CodeUnknownDelivery, Queue: i.Queue}
		}
		seen[at] = true
	}
	if r := m.duplicates(messages); r.Duplicates != 0 || r.Code != broker.CodeNone {
		return r
	}
	adds := map[*line]addition{}
	for i := range messages {
		for _, t := range messages[i].Targets {
			l := m.lines[broker.QueueID(t.Queue)]
			if l == nil || l.config.Overflow == overflowDropHead {
				continue
			}
			a := adds[l]
			a.messages++
			a.bytes += uint64(messages[i].Size)
			if !l.room(a) {
				return command.QueueTransactResult{Code: broker.CodeQueueRefused, Queue: t.Queue}
			}
			adds[l] = a
		}
	}
	return command.QueueTransactResult{}
}

// duplicates says whether messages came before: all of them did, which may be, or none. A message to a queue that keeps no ids counts as
// one that did not.
func (m *Machine) duplicates(messages []command.QueueMessage) command.QueueTransactResult {
	type place struct {
		l  *line
		id messageID
	}
	mine := map[place]bool{}
	did, not, queue := 0, 0, uint64(0)
	for i := range messages {
		x := &messages[i]
		for _, t := range x.Targets {
			l := m.lines[broker.QueueID(t.Queue)]
			if l == nil {
				continue
			}
			if l.seen == nil || x.MessageID == "" {
				not++
				continue
			}
			at := place{l, idOf(x.MessageID)}
			s := l.look(at.id, x.Fingerprint, m.clock)
			switch {
			case s == otherBody || s == undecided || mine[at]:
				return command.QueueTransactResult{Code: broker.CodeQueueRefused, Queue: t.Queue}
			case s == duplicate:
				did, queue = did+1, t.Queue
			default:
				not++
			}
			mine[at] = true
		}
	}
	switch {
	case did > 0 && not > 0:
		return command.QueueTransactResult{Code: broker.CodeQueueRefused, Queue: queue, Duplicates: someDuplicates}
	case did > 0:
		return command.QueueTransactResult{Duplicates: allDuplicates}
	}
	return command.QueueTransactResult{}
}

// room says whether a queue that refuses what is too much takes so much more. What transactions wait to add has its room.
func (l *line) room(a addition) bool {
	return !l.over(l.ready+l.reserved.messages+a.messages, l.readyBytes+l.reserved.bytes+a.bytes)
}

// arrive adds a message whose name is counted already; it is not assigned yet.
func (m *Machine) arrive(l *line, name Name, size uint32, expirationMs int64, priority uint8, keyText string) {
	sequence := l.next
	l.append(message{name: name, size: size, expiry: m.expiry(l, expirationMs), priority: priority}, keyText)
	m.changed.message(l, sequence)
}

// arriveDead adds a message that the queue refuses to what waits to be sent on.
func (m *Machine) arriveDead(l *line, name Name, size uint32, keyText string) {
	s := l.next
	var k *key
	if l.order != nil {
		k = l.order.intern(keyText)
	}
	m.names.add(name)
	l.put(message{name: name, size: size, state: dying}, k)
	l.published++
	l.skip()
	m.changed.message(l, s)
	m.die(l, s, maxlen)
}

// assignAndShorten ends a command that returned and added messages: only now, so that none overtakes one that returns. What a
// consumer takes is not too much.
func (m *Machine) assignAndShorten(touched lineSet) {
	for _, l := range touched.lines {
		if m.lines[l.id] == l {
			m.assign(l)
			m.shorten(l)
		}
	}
}

// lineSet is queues, in the order in which they were first added.
type lineSet struct {
	lines []*line
	has   map[*line]bool
}

func (s *lineSet) add(l *line) {
	if s.has[l] {
		return
	}
	if s.has == nil {
		s.has = map[*line]bool{}
	}
	s.has[l] = true
	s.lines = append(s.lines, l)
}

// hold is what an open transaction over several shards covers here.
type hold struct {
	items  []heldItem
	staged []staged
}

// heldItem is a delivery that the transaction settles.
type heldItem struct {
	queue    broker.QueueID
	sequence uint64
	consumer broker.ConsumerID // it counts as unsettled there; 0: a getter has no credit
	outcome  broker.Outcome
}

// staged is a message that the transaction adds. Its name is counted once for each target; those that refuse have room reserved.
type staged struct {
	name         Name
	size         uint32
	expirationMs int64
	priority     uint8
	once         bool // it has an id, which the targets that keep ids know as pending
	id           messageID
	targets      []stagedTarget
}

type stagedTarget struct {
	queue broker.QueueID
	key   string // of its order
}

// prepare makes deliveries and messages a part of a transaction that holds the queues.
func (m *Machine) prepare(ctx Context, c *command.QueuePrepare, payloadAt uint32) command.QueueTransactResult {
	id, s := producerOf(c.ProducerID), Session{c.Node, c.Run, c.Session}
	if r := m.holders.Check(id, epochOf(c.Epoch), numberOf(c.Number)); r != nil {
		return command.QueueTransactResult{Refusal: uint8(r.Code)}
	}
	r := m.mayTransact(s, c.Items, c.Messages, c.PayloadLength)
	if r.Code != broker.CodeNone {
		return r
	}
	h := m.held[id]
	if h == nil {
		h = &hold{}
		m.held[id] = h
	}
	for _, i := range c.Items {
		if l := m.lines[broker.QueueID(i.Queue)]; l != nil {
			h.items = append(h.items, m.take(l, i.Number, broker.Outcome(i.Outcome)))
		}
	}
	at := ctx.Position + payloadAt
	for i := range c.Messages {
		if r.Duplicates == allDuplicates {
			break
		}
		x := &c.Messages[i]
		y := staged{name: Name{Index: ctx.Index, Position: at, Length: x.Length, CRC: x.CRC}, size: x.Size, expirationMs: x.ExpirationMs, priority: x.Priority}
		at += x.Length
		for _, t := range x.Targets {
			if l := m.lines[broker.QueueID(t.Queue)]; l != nil {
				m.names.add(y.name)
				l.reserve(y.size, 1)
				if l.seen != nil && x.MessageID != "" {
					y.once, y.id = true, idOf(x.MessageID)
					m.forgetOld(l)
					m.note(l, y.id, x.Fingerprint, true)
				}
				y.targets = append(y.targets, stagedTarget{l.id, strings.Clone(t.Key)})
			}
		}
		if len(y.targets) > 0 {
			h.staged = append(h.staged, y)
		}
	}
	return r
}

// take makes a delivery the transaction's. Its consumer gets nothing in its place before the decision.
func (m *Machine) take(l *line, number uint64, o broker.Outcome) heldItem {
	if o == Buried {
		l.unwait(number)
		l.leaving++
		l.at(number).state = leaving
		m.changed.message(l, number)
		return heldItem{queue: l.id, sequence: number, outcome: o}
	}
	t := l.out[number]
	delete(l.out, number)
	delete(t.consumer.out, number)
	l.held++
	l.at(t.sequence).state = held
	m.changed.message(l, t.sequence)
	i := heldItem{queue: l.id, sequence: t.sequence, outcome: o}
	if !t.consumer.getter {
		i.consumer = t.consumer.id
		t.consumer.held++
	}
	m.maybeGone(t.consumer)
	return i
}

// reserve keeps room for messages of a transaction, or with −1 gives it back.
func (l *line) reserve(size uint32, by int) {
	l.reserved.messages += by
	l.reserved.bytes = uint64(int64(l.reserved.bytes) + int64(by)*int64(size))
}

// decide does with what a transaction covered as was decided. An aborted one's deliveries are ready again at their places; that
// is no failed delivery.
func (m *Machine) decide(h *hold, commit bool) {
	var touched lineSet
	for _, i := range h.items {
		if x := m.consumers[i.consumer]; x != nil {
			x.held--
		}
		l := m.lines[i.queue]
		if l == nil {
			continue // its grave has the message
		}
		m.changed.message(l, i.sequence)
		if i.outcome == Buried {
			l.leaving--
			if l.wait(i.sequence); commit {
				m.sendOn(l, i.sequence)
			} else {
				m.effects.Died = true
			}
			continue
		}
		l.held--
		if commit && i.outcome == broker.Reject {
			m.die(l, i.sequence, rejected)
			touched.add(l)
			continue
		}
		if again := i.outcome == broker.Requeue || i.outcome == broker.RejectAgain; commit && !again {
			m.names.remove(l.at(i.sequence).name)
			l.bury(i.sequence)
		} else {
			m.takeBack(l, i.sequence, commit && i.outcome == broker.RejectAgain)
		}
		touched.add(l)
	}
	for _, l := range touched.lines {
		m.shorten(l)
	}
	for _, y := range h.staged {
		for _, t := range y.targets {
			l := m.lines[t.queue]
			if l != nil {
				l.reserve(y.size, -1)
				if y.once && l.seen != nil {
					m.decideSight(l, y.id, commit)
				}
			}
			if l == nil || !commit {
				m.names.remove(y.name)
				continue
			}
			m.arrive(l, y.name, y.size, y.expirationMs, y.priority, t.key)
			touched.add(l)
		}
	}
	m.assignAndShorten(touched)
}

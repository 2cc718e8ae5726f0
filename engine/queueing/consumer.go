package queueing

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// consumer is who takes messages of one queue: a subscription, or a channel that gets.
type consumer struct {
	id        broker.ConsumerID
	line      *line
	session   Session
	channel   uint16
	tag       string
	exclusive bool
	getter    bool // takes only what it asks for
	priority  int32
	credit    uint32 // unsettled messages at most
	cancelled bool   // takes no more; what it holds is its channel's
	out       map[uint64]bool
	held      int // deliveries of it that transactions hold: they take credit
}

// hungry says whether it takes a message now.
func (c *consumer) hungry() bool { return uint32(len(c.out)+c.held) < c.credit }

// String is one line.
func (c *consumer) String() string {
	return fmt.Sprintf("consumer %d of %v channel %d tag %q credit %d priority %d exclusive %v getter %v cancelled %v unsettled %d held %d", c.id, c.session, c.channel, c.tag,
		c.credit, c.priority, c.exclusive, c.getter, c.cancelled, len(c.out), c.held)
}

// lives says whether a session may have consumers: its node has the lease.
func (m *Machine) lives(s Session) bool {
	l := m.leases[s.Node]
	return l != nil && l.run == s.Run
}

func creditOf(messages uint32) uint32 {
	if messages == 0 {
		return creditDefault
	}
	return messages
}

// attach adds a consumer.
func (m *Machine) attach(c *command.QueueAttach) broker.Code {
	l, id, s := m.lines[broker.QueueID(c.Queue)], broker.ConsumerID(c.Consumer), Session{c.Node, c.Run, c.Session}
	switch {
	case l == nil:
		return broker.CodeUnknownQueue
	case !m.lives(s):
		return broker.CodeSessionLost
	case m.consumers[id] != nil || id == 0:
		return broker.CodeInvalidRequest
	case len(m.consumers) >= consumersMax:
		return broker.CodeTooMany
	case len(l.consumers) > 0 && (c.Exclusive || l.consumers[0].exclusive):
		return broker.CodeConsumerExclusive
	}
	x := &consumer{id: id, line: l, session: s, channel: c.Channel, tag: string(append([]byte(nil), c.Tag...)), exclusive: c.Exclusive, priority: c.Priority, credit: creditOf(c.Messages),
		out: map[uint64]bool{}}
	m.add(x)
	l.hadOne = true
	m.assign(l)
	return broker.CodeNone
}

// add makes a consumer known.
func (m *Machine) add(x *consumer) {
	m.changed.line(x.line)
	m.consumers[x.id] = x
	m.session(x.session).consumers[x.id] = x
	if !x.getter && !x.cancelled {
		i := len(x.line.consumers)
		for i > 0 && x.line.consumers[i-1].priority < x.priority && !x.line.config.SingleActive {
			i--
		}
		x.line.consumers = slices.Insert(x.line.consumers, i, x)
		x.line.turn = 0
	}
}

// detach ends a consumer; what it holds stays with its channel.
func (m *Machine) detach(x *consumer) {
	if x.cancelled {
		return
	}
	x.cancelled = true
	l := x.line
	m.changed.line(l)
	if i := slices.Index(l.consumers, x); i >= 0 {
		l.consumers = slices.Delete(l.consumers, i, i+1)
		l.turn = 0
		m.use(l)
	}
	m.maybeGone(x)
	if l.config.AutoDelete && l.hadOne && len(l.consumers) == 0 {
		m.drop(l)
	}
}

// maybeGone forgets a consumer that takes nothing and holds nothing.
func (m *Machine) maybeGone(x *consumer) {
	if !x.cancelled && !x.getter || len(x.out) > 0 {
		return
	}
	delete(m.consumers, x.id)
	if s := m.sessions[x.session]; s != nil {
		delete(s.consumers, x.id)
	}
	m.maybeForget(x.session)
}

// leave ends the consumers of a channel, or of all, and returns what they hold; it counts as a failed delivery.
func (m *Machine) leave(id Session, channel uint16, whole bool) {
	m.assignAll(m.giveUp(nil, id, channel, whole))
}

// assignAll assigns what is ready in queues that are still there.
func (m *Machine) assignAll(lines []*line) {
	for _, l := range lines {
		if m.lines[l.id] == l {
			m.assign(l)
		}
	}
}

// giveUp is leave, but for the assignment of what returned: it appends the queues that it is due in.
func (m *Machine) giveUp(lines []*line, id Session, channel uint16, whole bool) []*line {
	s := m.sessions[id]
	if s == nil {
		return lines
	}
	for _, cid := range slices.Sorted(maps.Keys(s.consumers)) {
		x := s.consumers[cid]
		if x == nil { // its queue has just ended
			continue
		}
		if !whole && x.channel != channel {
			continue
		}
		for _, n := range slices.Sorted(maps.Keys(x.out)) {
			m.unacquire(x.line, n, true)
		}
		if !slices.Contains(lines, x.line) {
			lines = append(lines, x.line)
		}
		m.detach(x)
		m.maybeGone(x)
	}
	if whole {
		for _, q := range slices.Sorted(maps.Keys(s.owned)) {
			if l := m.lines[q]; l != nil {
				m.drop(l)
			}
		}
		m.maybeForget(id)
	}
	return lines
}

// detachAll ends the consumers of a session; what they hold stays.
func (m *Machine) detachAll(id Session) {
	s := m.sessions[id]
	if s == nil {
		return
	}
	for _, cid := range slices.Sorted(maps.Keys(s.consumers)) {
		if x := s.consumers[cid]; x != nil { // its queue did not just end
			m.detach(x)
		}
	}
}

// hold gives, renews or ends a node's lease.
func (m *Machine) hold(c *command.QueueLease) broker.Code {
	l := m.leases[c.Node]
	switch {
	case c.Renew && (l == nil || l.run != c.Run):
		return broker.CodeSessionLost
	case l != nil && l.run != c.Run:
		m.lose(c.Node)
	}
	if c.HoldMs == 0 {
		m.lose(c.Node)
		return broker.CodeNone
	}
	m.leases[c.Node] = &lease{run: c.Run, deadline: c.HoldMs | unmeasured}
	return broker.CodeNone
}

// measure begins the time of leases, and of queues' last use, once a command brings it: a node that does not lead asks for them under a
// clock that may have stood still for long, and must not lose at once what it counts on.
func (m *Machine) measure(ctx Context) {
	if ctx.ClockOld {
		return
	}
	for _, l := range m.leases { //lint:sorted each on its own
		if l.deadline&unmeasured != 0 {
			l.deadline = m.clock + l.deadline&^unmeasured
		}
	}
	if !m.usedAnew {
		return
	}
	m.usedAnew = false
	for _, l := range m.lines { //lint:sorted each on its own
		if l.used == unmeasured {
			l.used = max(m.clock, 1)
			m.changed.line(l)
		}
	}
}

// lose ends the leases of nodes, and every session that lives by them.
func (m *Machine) lose(nodes ...broker.NodeID) {
	var sessions []Session
	for _, n := range nodes {
		if l := m.leases[n]; l != nil {
			delete(m.leases, n)
			sessions = append(sessions, m.sessionsOf(n, l.run)...)
		}
	}
	// All consumers end before anything returns: what one held must not pass through the others, and count as a failed
	// delivery of each.
	for _, s := range sessions {
		m.detachAll(s)
	}
	var lines []*line
	for _, s := range sessions {
		lines = m.giveUp(lines, s, 0, true)
	}
	m.assignAll(lines) // only now: a message must not overtake one that another session gives back
}

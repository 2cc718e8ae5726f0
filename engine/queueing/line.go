package queueing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/internal/invariant"
)

// line is one queue: its messages by sequence, from 1, and where each stands.
//
//	base … gone, acquired, returned … cursor … never delivered … next
type line struct {
	id     broker.QueueID
	host   string
	name   string
	config command.QueueConfig
	owner  Session // of an exclusive queue

	next     uint64            // sequence of the next message
	base     uint64            // the first that is not gone, or next
	chunks   map[uint64]*chunk // the messages, by sequence / chunkMessages
	cursor   uint64            // from here on nothing was delivered
	returned heap[sequence]    // ready again, before the cursor
	ranked   heap[rank]        // of a queue with priorities: what is ready; then the cursor is at next, and returned is not used
	doomed   []span            // purged: not ready any more, names not released yet

	ready      int
	readyBytes uint64
	numbers    uint64 // the last one given
	out        map[uint64]*taken
	consumers  []*consumer // that take messages: by priority, then in the order in which they came
	turn       int         // whose turn it is, of consumers
	hadOne     bool        // a consumer, ever
	used       uint64      // replicated time, ms, of the last use, or unmeasured, where the queue ends without any; else 0
	order      *order      // of a queue that keeps the order of keys, else nil; then returned is not used
	seen       *seen       // of a queue with a de-duplication window, else nil
	parked     int         // messages that failed too often, and stop their key, or the queue
	held       int         // messages whose fate a transaction decides
	dying      []uint64    // wait to be sent on to where dead letters go, rising
	leaving    int         // the same, in a transaction that sends them on
	reserved   addition    // for what transactions will add

	published, gone uint64
}

// span is sequences from ≤ s < to.
type span struct{ from, to uint64 }

// message is where a payload lies and what became of it.
type message struct {
	name        Name
	size        uint32
	returned    uint32 // returns that count against the delivery limit
	expiry      uint64 // the last replicated time, ms, at which it is delivered; 0: for ever
	state       state
	redelivered bool
	death       death // why it is dying
	priority    uint8 // at most the queue's greatest
	listed      bool  // it lies in passed of the order
	timed       bool  // it lies in times of the order
}

// state is where a message is in its life.
type state uint8

const (
	gone state = iota
	ready
	acquired
	held    // by a transaction over several shards
	dying   // waits to be sent on to where dead letters go
	leaving // the same, held by the transaction that sends it on
	parked  // failed too often, in a queue that keeps the order of keys: an operator releases it
)

// taken is a delivery that is not settled.
type taken struct {
	sequence uint64
	consumer *consumer
}

func newLine(c *command.QueueCreate) *line {
	l := &line{id: broker.QueueID(c.Queue), host: strings.Clone(c.Host), name: strings.Clone(c.Name), config: c.Config,
		owner: Session{c.OwnerNode, c.OwnerRun, c.OwnerSession}, next: 1, base: 1, cursor: 1, chunks: map[uint64]*chunk{}, out: map[uint64]*taken{}}
	l.equip()
	return l
}

// equip gives a queue what its configuration asks for.
func (l *line) equip() {
	if l.config.Ordered {
		l.order = &order{keys: map[string]*key{}}
	}
	if l.config.DeduplicationMs > 0 {
		l.seen = newSeen()
	}
}

// append adds a ready message.
func (l *line) append(x message, keyText string) {
	x.state = ready
	s := l.next
	var k *key
	if l.order != nil {
		k = l.order.intern(keyText)
	}
	x.priority = min(x.priority, l.config.Priorities)
	l.put(x, k)
	switch {
	case l.order != nil:
		l.time(s)
	case l.config.Priorities > 0:
		l.ranked.push(l.rank(s, &x))
		l.cursor = l.next
	}
	l.published++
	l.ready++
	l.readyBytes += uint64(x.size)
}

func (l *line) rank(s uint64, x *message) rank { return rank{l.config.Priorities - x.priority, s} }

// first is the first ready message that may be delivered, 0 if there is none.
func (l *line) first() uint64 {
	if l.order != nil {
		return l.deliverable()
	}
	if len(l.ranked) > 0 {
		return l.ranked[0].sequence
	}
	if len(l.returned) > 0 {
		return uint64(l.returned[0])
	}
	if l.cursor < l.next {
		return l.cursor
	}
	return 0
}

// oldest is the first ready message, whether it may be delivered or not; 0 if there is none.
func (l *line) oldest() uint64 {
	if l.order != nil {
		return l.oldestOrdered()
	}
	return l.first()
}

// overdue is a ready message whose time is over, 0 if there is none: the first one, where no order of keys is kept.
func (l *line) overdue(clock uint64) uint64 {
	if l.order != nil {
		return l.overdueOrdered(clock)
	}
	if s := l.first(); s != 0 && l.expired(s, clock) {
		return s
	}
	return 0
}

// pop takes a ready message off, the first or what oldest and overdue tell; what it becomes is the caller's to say.
func (l *line) pop(s uint64) *message {
	switch {
	case l.order != nil:
		l.leaveReady(s)
	case len(l.ranked) > 0:
		invariant.Check(s == l.ranked[0].sequence, "BUG: queue %d: %d is popped, %d is the first", l.id, s, l.ranked[0].sequence)
		l.ranked.pop()
	case len(l.returned) > 0 && uint64(l.returned[0]) == s:
		l.returned.pop()
	default:
		invariant.Check(s == l.cursor, "BUG: queue %d: %d is popped, the cursor is at %d", l.id, s, l.cursor)
		l.cursor++
		l.skip()
	}
	x := l.at(s)
	invariant.Check(x.state == ready, "BUG: queue %d: %d is popped in state %d", l.id, s, x.state)
	l.ready--
	l.readyBytes -= uint64(x.size)
	return x
}

// skip moves the cursor on to a ready message: one that a full queue refused is dying from the start.
func (l *line) skip() {
	for l.cursor < l.next && l.stateOf(l.cursor) != ready {
		l.cursor++
	}
}

// giveBack makes a message that was acquired, held or parked ready again, at its place.
func (l *line) giveBack(s uint64, x *message) {
	x.state, x.redelivered = ready, true
	switch {
	case l.order != nil:
		l.comeBack(s)
	case l.config.Priorities > 0:
		l.ranked.push(l.rank(s, x))
	default:
		l.returned.push(sequence(s))
	}
	l.ready++
	l.readyBytes += uint64(x.size)
}

// bury makes a message gone, and forgets those in front that all are.
func (l *line) bury(sequence uint64) {
	x := l.at(sequence)
	invariant.Check(x.state != gone, "BUG: queue %d: %d goes twice", l.id, sequence)
	l.gone++
	l.leaveKey(sequence)
	l.clear(sequence)
	l.cursor = max(l.cursor, l.base) // it may have lain behind the cursor, in a queue that keeps the order of keys
}

// over says whether there are more ready messages than there may be.
func (l *line) over(messages int, bytes uint64) bool {
	c := &l.config
	return messages > 0 && (c.LengthMax >= 0 && uint64(messages) > uint64(c.LengthMax) || c.BytesMax >= 0 && bytes > uint64(c.BytesMax))
}

// due says whether time has something to do here.
func (l *line) due(clock uint64) bool {
	if len(l.doomed) > 0 || l.unused(clock) {
		return true
	}
	if l.order != nil {
		return l.order.due(clock)
	}
	s := l.first()
	return s != 0 && l.expired(s, clock)
}

func (l *line) expired(sequence, clock uint64) bool {
	x := l.at(sequence)
	return x.expiry != 0 && x.expiry < clock
}

func (l *line) delivery(number uint64, t *taken) Delivery {
	x := l.at(t.sequence)
	d := Delivery{Queue: l.id, Consumer: t.consumer.id, Node: t.consumer.session.Node, Number: number, Name: x.name, Redelivered: x.redelivered, Returned: x.returned}
	if l.order != nil {
		d.Fence = number // grows with each delivery of the queue, and so of a key
	}
	return d
}

// balance says whether every message is counted once.
func (l *line) balance() bool {
	waiting := uint64(0)
	for _, d := range l.doomed {
		waiting += d.to - d.from
	}
	return l.published == l.gone+uint64(l.ready+len(l.out)+l.held+l.parked+len(l.dying)+l.leaving)+waiting
}

func (l *line) describe(s *strings.Builder) {
	fmt.Fprintf(s, "queue %d %s %s: published %d = ready %d + acquired %d + held %d + parked %d + dying %d + leaving %d + gone %d, %d ready bytes, reserved %v, numbers %d, turn %d, had one %v, used %d, owner %v, next %d, base %d, cursor %d, doomed %v, %+v\n", l.id, l.host, l.name,
		l.published, l.ready, len(l.out), l.held, l.parked, len(l.dying), l.leaving, l.gone, l.readyBytes, l.reserved, l.numbers, l.turn, l.hadOne, l.used, l.owner, l.next, l.base, l.cursor, l.doomed, l.config)
	if l.seen != nil {
		fmt.Fprintf(s, "  %v\n", l.seen)
	}
	for n, x := range l.all() {
		fmt.Fprintf(s, "  #%d state %d size %d returned %d expiry %d priority %d redelivered %v %v", n, x.state, x.size, x.returned, x.expiry, x.priority, x.redelivered, x.name)
		if x.death != 0 {
			fmt.Fprintf(s, " %v", x.death)
		}
		if l.order != nil {
			fmt.Fprintf(s, " key %q", l.key(n).text)
		}
		fmt.Fprintln(s)
	}
	for _, n := range slices.Sorted(maps.Keys(l.out)) {
		fmt.Fprintf(s, "  delivery %d: #%d to %d\n", n, l.out[n].sequence, l.out[n].consumer.id)
	}
	for _, c := range l.consumers {
		fmt.Fprintf(s, "  %v\n", c)
	}
}

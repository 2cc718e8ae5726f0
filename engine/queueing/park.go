package queueing

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// What becomes of a message of an ordered queue that failed too often, as package engine numbers the policies: 0 drop, 2 dead-letter.
const (
	poisonPark    = 1
	poisonSendKey = 3
	poisonStop    = 4
)

// parks says whether a message that failed too often stays, and blocks its key.
func (l *line) parks() bool {
	return l.order != nil && (l.config.Poison == poisonPark || l.config.Poison == poisonStop)
}

// stopped says whether a parked message keeps the whole queue from being delivered.
func (l *line) stopped() bool { return l.parked > 0 && l.config.Poison == poisonStop }

// unpark lets parked messages go on: delivered again, their failures forgotten, or out of the queue as if they had been rejected.
func (m *Machine) unpark(l *line, c *command.QueueRelease) command.QueueResult {
	var found []uint64
	for s, x := range l.all() {
		if x.state == parked && (c.Number == 0 || c.Number == s) && len(found) < sliceMessages {
			found = append(found, s)
		}
	}
	for _, s := range found {
		l.parked--
		m.changed.message(l, s)
		if c.Discard {
			m.die(l, s, rejected)
			continue
		}
		x := l.at(s)
		x.returned = 0
		l.giveBack(s, x)
	}
	m.shorten(l)
	m.assign(l)
	return command.QueueResult{Messages: uint64(len(found))}
}

// Key is a key of an ordered queue, with its message that is not settled.
type Key struct {
	Text     string
	Number   uint64 // of the message
	State    string // acquired, held (by a transaction), or parked
	Failed   uint32 // deliveries of the message that failed
	Session  Session
	Channel  uint16 // with the session and the tag of the consumer that has it; of a held or parked one: nothing
	Tag      string
	Waiting  int // messages of the key behind it
	Consumer broker.ConsumerID
}

var stateNames = map[state]string{acquired: "acquired", held: "held", parked: "parked"}

// Keys lists keys of a queue with a message that is not settled, the oldest of those first; at most so many, and parked ones alone if
// asked. ordered: the queue keeps the order of keys.
func (m *Machine) Keys(id broker.QueueID, most int, parkedOnly bool) (out []Key, ordered bool) {
	l := m.lines[id]
	if l == nil || l.order == nil {
		return nil, false
	}
	who := make(map[uint64]*consumer, len(l.out))
	for _, t := range l.out { //lint:sorted only looked up
		who[t.sequence] = t.consumer
	}
	for s, x := range l.all() {
		k := l.key(s)
		if k.busy != s || parkedOnly && x.state != parked {
			continue
		}
		if len(out) == most {
			break
		}
		y := Key{Text: k.text, Number: s, State: stateNames[x.state], Failed: x.returned, Waiting: k.live - 1}
		if c := who[s]; c != nil {
			y.Session, y.Channel, y.Tag, y.Consumer = c.session, c.channel, c.tag, c.id
		}
		out = append(out, y)
	}
	return out, true
}

// Count is how many messages a queue has, by what they wait for.
type Count struct {
	Ordered                                    bool
	Ready, Unsettled, Parked, Dying, Consumers int
}

// Count counts; false if the queue is not here.
func (m *Machine) Count(id broker.QueueID) (Count, bool) {
	l := m.lines[id]
	if l == nil {
		return Count{}, false
	}
	return Count{l.order != nil, l.ready, len(l.out) + l.held, l.parked, len(l.dying) + l.leaving, len(l.consumers)}, true
}

package queueing

import (
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
)

// death is why a message left the life of its queue; its name is RabbitMQ's.
type death uint8

const (
	rejected death = iota + 1
	expired
	maxlen
	deliveryLimit
	deathMax = deliveryLimit
)

var deathNames = [...]string{rejected: "rejected", expired: "expired", maxlen: "maxlen", deliveryLimit: "delivery_limit"}

func (d death) String() string { return deathNames[d] }

// Buried is the outcome, in a transaction's settlements, of a message that is sent on to where its queue's dead letters go, or
// dropped: the settlement's number is the message's, not a delivery's.
const Buried broker.Outcome = 4

// Dying is a message that waits to be sent on to where its queue's dead letters go.
type Dying struct {
	Queue  broker.QueueID
	Number uint64 // for Buried
	Name   Name
	Reason string
}

// die ends a message's life in its queue. Where dead letters are sent on it waits for that, out of everybody's reach.
func (m *Machine) die(l *line, sequence uint64, why death) {
	x := l.at(sequence)
	if !l.config.DeadLetters {
		m.names.remove(x.name)
		l.bury(sequence)
		return
	}
	x.death = why
	l.wait(sequence)
	m.effects.Died = true
}

// wait lets a message wait to be sent on.
func (l *line) wait(sequence uint64) {
	l.at(sequence).state = dying
	l.release(sequence)
	i, _ := slices.BinarySearch(l.dying, sequence)
	l.dying = slices.Insert(l.dying, i, sequence)
}

// unwait is the reverse, and says whether the message waited.
func (l *line) unwait(sequence uint64) bool {
	i, waits := slices.BinarySearch(l.dying, sequence)
	switch {
	case !waits:
	case i == 0: // nearly always: nothing is moved
		l.dying = l.dying[1:]
	default:
		l.dying = slices.Delete(l.dying, i, i+1)
	}
	return waits
}

// waits says whether a message waits to be sent on.
func (l *line) waits(sequence uint64) bool {
	_, waits := slices.BinarySearch(l.dying, sequence)
	return waits
}

// sendOn removes a message that was sent on, or is dropped, by a command.
func (m *Machine) sendOn(l *line, sequence uint64) {
	if !l.unwait(sequence) {
		return
	}
	m.changed.message(l, sequence)
	m.names.remove(l.at(sequence).name)
	l.bury(sequence)
}

// Dying lists messages that wait to be sent on, by queue, at most so many of each, in the order of the queue: those behind the number
// in after, or the first ones if there are none behind it.
func (m *Machine) Dying(most int, after map[broker.QueueID]uint64) map[broker.QueueID][]Dying {
	var out map[broker.QueueID][]Dying
	for _, id := range slices.Sorted(maps.Keys(m.lines)) {
		l := m.lines[id]
		from, _ := slices.BinarySearch(l.dying, after[id]+1)
		if from == len(l.dying) {
			from = 0
		}
		for _, s := range l.dying[from:min(from+most, len(l.dying))] {
			if out == nil {
				out = map[broker.QueueID][]Dying{}
			}
			x := l.at(s)
			out[id] = append(out[id], Dying{id, s, x.name, x.death.String()})
		}
	}
	return out
}

package coordinator

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/txn"
)

// Marker is a decision on its way to one participant.
type Marker struct {
	Name        string
	Participant txn.Participant
	Decision    txn.Decision
}

// String is one line.
func (k Marker) String() string {
	return fmt.Sprintf("%s to %v: %v", k.Name, k.Participant, k.Decision)
}

// Undelivered are the markers to send, at most max, of ids behind after, by name: to each participant its oldest one, since
// it takes the decisions of one id in order. For the leader, which sends them until they are acknowledged.
func (m *Machine) Undelivered(after string, max int) []Marker {
	var all []Marker
	for _, name := range slices.Sorted(maps.Keys(m.producers)) {
		if name <= after {
			continue
		}
		all = append(all, m.UndeliveredOf(name, max-len(all))...)
		if len(all) == max {
			break
		}
	}
	return all
}

// UndeliveredOf are the markers to send of one id.
func (m *Machine) UndeliveredOf(name string, max int) []Marker {
	return m.UndeliveredBut(name, max, func(Marker) bool { return false })
}

// UndeliveredBut are UndeliveredOf as they will be when those that are taken are acknowledged.
func (m *Machine) UndeliveredBut(name string, max int, taken func(Marker) bool) []Marker {
	p := m.producers[name]
	if p == nil || len(p.outbox) == 0 {
		return nil
	}
	var all []Marker
	told := map[txn.Participant]bool{}
	for _, o := range p.outbox {
		for _, q := range o.waiting {
			if len(all) == max {
				return all
			}
			if k := (Marker{name, q, o.Decision}); !told[q] && !taken(k) {
				told[q] = true
				all = append(all, k)
			}
		}
	}
	return all
}

// Owed is how many decisions of this id some participant has not acknowledged.
func (m *Machine) Owed(name string) int {
	if p := m.producers[name]; p != nil {
		return len(p.outbox)
	}
	return 0
}

// Owes says whether a participant has not acknowledged a decision of this id.
func (m *Machine) Owes(name string) bool {
	p := m.producers[name]
	return p != nil && len(p.outbox) > 0
}

// Acknowledge notes that a participant has taken the decision about a number for good, or is gone: a deleted partition has
// nothing to close. It says whether anything changed; again, it does not.
func (m *Machine) Acknowledge(c Context, name string, number txn.Number, participant txn.Participant) bool {
	return m.Settle(c, name, number, func(p txn.Participant) bool { return p == participant }) > 0
}

// Settle is Acknowledge for each participant that has taken the decision, as taken says; it is asked once about each that is
// owed the decision, in their order. It returns how many there were.
func (m *Machine) Settle(c Context, name string, number txn.Number, taken func(txn.Participant) bool) int {
	m.advance(c)
	p := m.producers[name]
	if p == nil {
		return 0
	}
	i := slices.IndexFunc(p.outbox, func(o owed) bool { return o.Number == number })
	if i < 0 {
		return 0
	}
	o := &p.outbox[i]
	before := len(o.waiting)
	o.waiting = slices.DeleteFunc(o.waiting, taken)
	settled := before - len(o.waiting)
	if settled == 0 {
		return 0
	}
	if len(o.waiting) == 0 {
		id := o.ProducerID
		p.outbox = slices.Delete(p.outbox, i, i+1)
		m.rename(p, id)
	}
	m.touch(p)
	return settled
}

// Standing is what a participant gets that asks about a hold.
type Standing uint8

const (
	// Unknown: nothing is open or owed under this number: the participant has acknowledged it, or never was one. It must not
	// guess an outcome from this.
	Unknown Standing = iota
	// Undecided: the transaction is open.
	Undecided
	// Decided: here is the decision.
	Decided
)

// Ask answers a participant that wonders about a hold: it knows producer id and number, and the coordinator slot.
func (m *Machine) Ask(id txn.ProducerID, number txn.Number, participant txn.Participant) (Standing, txn.Decision) {
	p := m.producers[m.names[id]]
	if p == nil {
		return Unknown, txn.Decision{}
	}
	if p.state == Ongoing && p.number == number {
		return Undecided, txn.Decision{}
	}
	for _, d := range p.earlier(participant) {
		if d.Number == number {
			return Decided, d
		}
	}
	return Unknown, txn.Decision{}
}

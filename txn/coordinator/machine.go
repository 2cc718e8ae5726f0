package coordinator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/txn"
)

// Machine holds the transactional ids of one shard.
type Machine struct {
	options   Options
	producers map[string]*producer
	// names has the name of each producer id that is in force, or that somebody is owed a decision of.
	names map[txn.ProducerID]string
	now   int64 // of the command, in ms: nothing of it is left in the next one, so it needs no row
}

// New is a machine without ids.
func New(o Options) *Machine {
	o.check()
	return &Machine{options: o, producers: map[string]*producer{}, names: map[txn.ProducerID]string{}}
}

// Context is what a command is applied with.
type Context struct {
	Now  int64  // replicated time, in ms
	Term uint64 // of the leader that proposed the command
	Old  bool   // the command did not bring the time with it: Now is the last that was told, however long ago
}

// Ended says that a transaction was decided: Undelivered has it from now on, and what lives on this shard can be closed
// and acknowledged in the same apply.
type Ended struct {
	Decision     txn.Decision
	Participants []txn.Participant // sorted; the caller may keep them
}

func (m *Machine) advance(c Context) { m.now = c.Now }

// touch notes a change of p.
func (m *Machine) touch(p *producer) { p.used = max(p.used, m.now) }

// rename keeps names true when id may no longer be p's, or what was owed of it may be settled.
func (m *Machine) rename(p *producer, id txn.ProducerID) {
	m.names[p.identity.ProducerID] = p.name
	if id != p.identity.ProducerID && !slices.ContainsFunc(p.outbox, func(o owed) bool { return o.ProducerID == id }) {
		delete(m.names, id)
	}
}

func (m *Machine) find(name string) (*producer, *txn.Refusal) {
	if p := m.producers[name]; p != nil {
		return p, nil
	}
	return nil, txn.Refusef(txn.UnknownMapping, "%q is not known", name)
}

// identify finds the producer of a request and judges its numbers and, under the first version, its connection, in this
// order: a fenced producer's newer connection must not pass for the right one's.
func (m *Machine) identify(c Context, name string, who Identity, v Version, connection txn.Generation) (*producer, *txn.Refusal) {
	p, r := m.find(name)
	if r != nil {
		return nil, r
	}
	if r := p.current(who); r != nil {
		return nil, r
	}
	if v != V1 {
		return p, nil
	}
	if connection.None() {
		return nil, txn.Refusef(txn.InvalidRequest, "a request of the first version for %q without a connection", name)
	}
	return p, p.stale(connection, c.Term)
}

// Len is the number of transactional ids.
func (m *Machine) Len() int { return len(m.producers) }

// String is one line.
func (m *Machine) String() string {
	open, owed := 0, 0
	for _, name := range m.Names() {
		if m.producers[name].state == Ongoing {
			open++
		}
		owed += len(m.producers[name].outbox)
	}
	return fmt.Sprintf("%d transactional ids, %d transactions open, %d decisions owed", len(m.producers), open, owed)
}

// Describe is a few lines for each id, by name.
func (m *Machine) Describe() string {
	var lines []string
	for _, name := range m.Names() {
		lines = append(lines, m.producers[name].describe())
	}
	return strings.Join(lines, "\n")
}

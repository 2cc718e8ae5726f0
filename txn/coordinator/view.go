package coordinator

import "github.com/tallymq/tallymq/txn"

// View is what people and tools are shown of one transactional id.
type View struct {
	Name         string
	Identity     Identity
	State        State
	TimeoutMs    int64
	Number       txn.Number        // of the open transaction, or the last one
	Started      int64             // replicated time, in ms, of the open one's first participant; -1 if none is open, or nobody has told it yet
	Participants []txn.Participant // of the open one, sorted
	Owed         int               // decided transactions that somebody has not acknowledged
}

// View shows one id; false if there is no such one.
func (m *Machine) View(name string) (View, bool) {
	p := m.producers[name]
	if p == nil {
		return View{}, false
	}
	v := View{Name: name, Identity: p.identity, State: p.state, TimeoutMs: p.timeout, Number: p.number, Started: -1, Owed: len(p.outbox)}
	if p.state == Ongoing {
		v.Started, v.Participants = p.started, append(v.Participants, p.participants...)
	}
	return v, true
}

// Open counts the ids with an open transaction, and the decided transactions that somebody has not acknowledged. oldest is the
// replicated time, in ms, at which the first of the open ones was opened; -1: there is none whose time was told.
func (m *Machine) Open() (open, owed int, oldest int64) {
	oldest = -1
	for _, p := range m.producers { //lint:sorted sums, and the least
		owed += len(p.outbox)
		if p.state != Ongoing {
			continue
		}
		open++
		if p.started != unmeasured && (oldest < 0 || p.started < oldest) {
			oldest = p.started
		}
	}
	return open, owed, oldest
}

// NameOf is the transactional id of a producer id that is in force, or that somebody is owed a decision of; empty if none.
func (m *Machine) NameOf(id txn.ProducerID) string { return m.names[id] }

package coordinator

import (
	"maps"
	"slices"

	"github.com/tallymq/tallymq/txn"
)

// Expire ends name's open transaction if its time is over, and forgets the id if it is idle for too long and owes nothing.
// Both are judged by the command's time: a leader that was wrong about them changes nothing. The time of a transaction that was opened
// without any begins here. changed: e is not all that its row does not have.
func (m *Machine) Expire(c Context, name string) (e *Ended, changed bool) {
	m.advance(c)
	p := m.producers[name]
	switch {
	case p == nil:
		return nil, false
	case p.state == Ongoing && p.started == unmeasured:
		if c.Old {
			return nil, false
		}
		p.started = m.now
		return nil, true
	case p.state == Ongoing:
		if c.Old || m.now < p.started+p.timeout {
			return nil, false
		}
		return m.abort(p), false
	case len(p.outbox) > 0 || m.now-p.used <= m.options.RetentionMs:
		return nil, false
	}
	delete(m.producers, name)
	delete(m.names, p.identity.ProducerID)
	return nil, true
}

// Abort is an operator's: it ends transaction number of name, and says so again if that one was aborted already.
func (m *Machine) Abort(c Context, name string, number txn.Number) (*Ended, *txn.Refusal) {
	m.advance(c)
	p, r := m.find(name)
	switch {
	case r != nil:
		return nil, r
	case p.state == Ongoing && p.number == number:
		return m.abort(p), nil
	case number != 0 && p.aborted == number:
		return nil, nil
	}
	return nil, txn.Refusef(txn.InvalidState, "transaction %d of %q is not open: %v number %d", number, name, p.state, p.number)
}

// Foreign is what WriteTxnMarkers asks, sent by tools that want to end a hanging transaction in one partition. Written as
// asked it would tear the transaction, so it aborts all of it, and never commits one.
func (m *Machine) Foreign(c Context, who Identity, outcome txn.Outcome) (*Ended, *txn.Refusal) {
	m.advance(c)
	name, known := m.names[who.ProducerID]
	if !known {
		return nil, txn.Refusef(txn.UnknownMapping, "producer %d has no transactional id", who.ProducerID)
	}
	p := m.producers[name]
	switch {
	case outcome != txn.Abort:
		return nil, txn.Refusef(txn.InvalidState, "a foreign %v of %q", outcome, name)
	case p.state == CompleteAbort && who == p.ended:
		return nil, nil
	case who != p.identity: // names has used up producer ids too
		return nil, txn.Refusef(txn.ProducerFenced, "%v of %q is fenced by %v", who, name, p.identity)
	case p.state != Ongoing:
		return nil, txn.Refusef(txn.InvalidState, "no transaction of %q is open: %v", name, p.state)
	}
	return m.abort(p), nil
}

// abort ends the open transaction without its producer, and fences it. It needs no fresh id.
func (m *Machine) abort(p *producer) *Ended {
	e := p.decide(txn.Abort, true, -1)
	p.expected = Nobody // who was fenced cannot come back as a retry
	m.touch(p)
	return e
}

// Due are the ids, by name and at most max, that Expire would change at time now, in ms. For the leader.
func (m *Machine) Due(now int64, max int) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.producers)) {
		if len(names) == max {
			break
		}
		if at, ok := m.deadline(m.producers[name]); ok && at <= now {
			names = append(names, name)
		}
	}
	return names
}

// NextDeadline is the time, in ms, at which Due has something; false if nothing will be due by time alone. For the leader.
func (m *Machine) NextDeadline() (next int64, ok bool) {
	for _, p := range m.producers { //lint:sorted the least does not depend on the order
		if at, has := m.deadline(p); has && (!ok || at < next) {
			next, ok = at, true
		}
	}
	return next, ok
}

func (m *Machine) deadline(p *producer) (at int64, ok bool) {
	switch {
	case p.state == Ongoing && p.started == unmeasured:
		return 0, true
	case p.state == Ongoing:
		return p.started + p.timeout, true
	}
	return p.used + m.options.RetentionMs + 1, len(p.outbox) == 0
}

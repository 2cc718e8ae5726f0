package coordinator

import "github.com/tallymq/tallymq/txn"

// EndRequest is EndTxn.
type EndRequest struct {
	Name       string
	Who        Identity
	Outcome    txn.Outcome
	Version    Version
	Connection txn.Generation // V1: the client's to this leader
	Fresh      txn.ProducerID // as InitRequest.Fresh; V2 needs it when the epochs are exhausted
}

// Closed is the answer: who the client is from now on, under the second version another than before.
type Closed struct {
	Identity Identity
	Ended    *Ended // nil if the request was a retry, or ended nothing
}

// End decides the open transaction. The answer does not wait for the participants.
//
// A retry is known by who ended the last transaction: under the second version that identity is no longer in force.
// What the observed Kafka answers: a commit of nothing is InvalidState; an abort of nothing is one under the first version
// and a new epoch under the second; after a time-out a client of the second version may abort but not commit.
func (m *Machine) End(c Context, q EndRequest) (Closed, *txn.Refusal) {
	m.advance(c)
	p, r := m.find(q.Name)
	if r != nil {
		return Closed{}, r
	}
	if q.Version == V2 && p.complete() && q.Who == p.ended && q.Who != p.identity {
		return m.endAgain(p, q)
	}
	if p, r = m.identify(c, q.Name, q.Who, q.Version, q.Connection); r != nil {
		return Closed{}, r
	}
	if q.Outcome > txn.Commit {
		return Closed{}, txn.Refusef(txn.InvalidRequest, "%v", q.Outcome)
	}
	switch {
	case p.state == Ongoing:
		return m.endOpen(p, q)
	case q.Version == V1 && p.complete() && q.Who == p.ended && q.Outcome == p.outcome:
		p.renew(q.Connection)
		m.touch(p)
		return Closed{Identity: p.identity}, nil
	case q.Version == V1 || q.Outcome == txn.Commit:
		return Closed{}, txn.Refusef(txn.InvalidState, "%v of %q, which is %v", q.Outcome, p.name, p.state)
	}
	return m.endNothing(p, q)
}

func (m *Machine) endOpen(p *producer, q EndRequest) (Closed, *txn.Refusal) {
	fencing := q.Version == V2
	if fencing && p.exhausted() && q.Fresh < 0 {
		return Closed{}, txn.Refusef(txn.NeedProducerID, "%q has used up %v", p.name, p.identity)
	}
	before := p.identity.ProducerID
	e := p.decide(q.Outcome, fencing, q.Fresh)
	m.rename(p, before)
	p.renew(q.Connection)
	m.touch(p)
	return Closed{p.identity, e}, nil
}

// endNothing is the abort of nothing under the second version: the epoch rises, so that whatever of it is still on its way
// opens nothing later.
func (m *Machine) endNothing(p *producer, q EndRequest) (Closed, *txn.Refusal) {
	if p.exhausted() && q.Fresh < 0 {
		return Closed{}, txn.Refusef(txn.NeedProducerID, "%q has used up %v", p.name, p.identity)
	}
	before := p.identity.ProducerID
	p.finish(txn.Abort, true, q.Fresh)
	m.rename(p, before)
	m.touch(p)
	return Closed{Identity: p.identity}, nil
}

// endAgain answers a client of the second version that ended the last transaction, or whose transaction was ended for it.
func (m *Machine) endAgain(p *producer, q EndRequest) (Closed, *txn.Refusal) {
	if q.Outcome != p.outcome {
		return Closed{}, txn.Refusef(txn.InvalidState, "%v of %q, whose last transaction ended by %v", q.Outcome, p.name, p.outcome)
	}
	if p.identity.Epoch > EpochClientMax { // ended by a time-out in the last epoch, which had no fresh id at hand
		if q.Fresh < 0 {
			return Closed{}, txn.Refusef(txn.NeedProducerID, "%q has used up %v", p.name, p.identity)
		}
		before := p.identity.ProducerID
		p.fence(q.Fresh)
		m.rename(p, before)
	}
	m.touch(p)
	return Closed{Identity: p.identity}, nil
}

package coordinator

import "github.com/tallymq/tallymq/txn"

// InitRequest is InitProducerId with a transactional id.
type InitRequest struct {
	Name string
	// Expected is who the client is already (KIP-360), or Nobody: then it fences whoever is.
	Expected   Identity
	TimeoutMs  int64
	Connection txn.Generation // None if the request did not come over a client's connection to this leader
	// Fresh is a producer id that was given to nobody, or -1; needed for a new id and for one whose epochs are exhausted.
	Fresh txn.ProducerID
}

// Begun is the answer.
type Begun struct {
	Identity Identity
	Ended    *Ended // the transaction that was open and is aborted
}

// Init makes the caller the producer of a transactional id, aborts what its predecessor left open and fences it. Unlike on
// Kafka nobody is asked to come again: the grants of the next transaction carry the abort.
func (m *Machine) Init(c Context, q InitRequest) (Begun, *txn.Refusal) {
	m.advance(c)
	if q.Name == "" || (q.Expected.ProducerID < 0) != (q.Expected.Epoch < 0) {
		return Begun{}, txn.Refusef(txn.InvalidRequest, "init of %q expecting %v", q.Name, q.Expected)
	}
	if q.TimeoutMs <= 0 || q.TimeoutMs > m.options.TimeoutMax {
		return Begun{}, txn.Refusef(txn.InvalidTimeout, "%d ms, at most %d", q.TimeoutMs, m.options.TimeoutMax)
	}
	p := m.producers[q.Name]
	if p == nil {
		return m.create(q)
	}
	if q.Expected != Nobody && q.Expected != p.identity && (q.Expected != p.expected || p.state != Empty) {
		return Begun{}, txn.Refusef(txn.ProducerFenced, "%q is %v, not %v", p.name, p.identity, q.Expected)
	}
	if r := p.stale(q.Connection, c.Term); r != nil {
		return Begun{}, r
	}
	if q.Expected != Nobody && q.Expected == p.expected && p.state == Empty {
		p.renew(q.Connection)
		m.touch(p)
		return Begun{Identity: p.identity}, nil
	}
	if p.exhausted() && q.Fresh < 0 {
		return Begun{}, txn.Refusef(txn.NeedProducerID, "%q has used up %v", p.name, p.identity)
	}
	return m.takeOver(p, q), nil
}

func (m *Machine) create(q InitRequest) (Begun, *txn.Refusal) {
	if len(m.producers) >= m.options.IDsMax {
		return Begun{}, txn.Refusef(txn.Throttled, "%d transactional ids", len(m.producers))
	}
	if q.Fresh < 0 {
		return Begun{}, txn.Refusef(txn.NeedProducerID, "%q is new", q.Name)
	}
	p := &producer{name: q.Name, identity: Identity{q.Fresh, 0}, timeout: q.TimeoutMs, expected: q.Expected, ended: Nobody}
	p.renew(q.Connection)
	m.touch(p)
	m.producers[q.Name], m.names[q.Fresh] = p, q.Name
	return Begun{Identity: p.identity}, nil
}

func (m *Machine) takeOver(p *producer, q InitRequest) Begun {
	before := p.identity.ProducerID
	var b Begun
	if p.state == Ongoing {
		b.Ended = p.decide(txn.Abort, true, q.Fresh)
	} else {
		p.fence(q.Fresh)
	}
	m.rename(p, before)
	p.state, p.expected, p.ended, p.timeout = Empty, q.Expected, Nobody, q.TimeoutMs
	p.renew(q.Connection)
	m.touch(p)
	b.Identity = p.identity
	return b
}

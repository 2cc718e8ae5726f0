package coordinator

import (
	"slices"

	"github.com/tallymq/tallymq/txn"
)

// AddRequest is AddPartitionsToTxn or AddOffsetsToTxn, or what a leader of a partition or group says on behalf of a client
// of the second version.
type AddRequest struct {
	Name         string
	Who          Identity
	Version      Version
	Connection   txn.Generation // V1: the client's to this leader
	Participants []txn.Participant
}

// Add records participants in the open transaction, and opens one if none is. The grants are in the order of the request.
//
// A client of the first version must not be answered before each grant with Earlier decisions is installed: its epoch is
// that of its last transaction, so while that one is still open in a partition the next batch would become a part of it.
// On this shard that is the same apply; elsewhere one message, and Concurrent is the answer if it takes too long.
func (m *Machine) Add(c Context, q AddRequest) ([]txn.Grant, *txn.Refusal) {
	m.advance(c)
	p, r := m.identify(c, q.Name, q.Who, q.Version, q.Connection)
	if r != nil {
		return nil, r
	}
	if len(q.Participants) == 0 {
		return nil, txn.Refusef(txn.InvalidRequest, "no participants")
	}
	if p.state != Ongoing && len(p.outbox) >= DecisionsMax {
		return nil, txn.Refusef(txn.Concurrent, "%d transactions of %q wait for participants", len(p.outbox), p.name)
	}
	all := slices.Concat(p.participants, q.Participants)
	slices.SortFunc(all, txn.Participant.Compare)
	all = slices.Compact(all)
	if len(all) > ParticipantsMax {
		return nil, txn.Refusef(txn.TooManyParticipants, "%d, at most %d", len(all), ParticipantsMax)
	}
	if p.state != Ongoing {
		p.state, p.number, p.started = Ongoing, p.number+1, m.now
		if c.Old {
			p.started = unmeasured
		}
	}
	p.participants = all
	p.renew(q.Connection)
	m.touch(p)
	grants := make([]txn.Grant, len(q.Participants))
	for i, participant := range q.Participants {
		grants[i] = p.grant(participant)
	}
	return grants, nil
}

// Verify gives a grant for a participant that was added before, and changes nothing: what a leader asks before the first
// write of a client of the first version, whose request does not name a transaction. NotParticipant if none is open with it.
//
// An answer from a state that is no longer the newest does no harm: what it names has been recorded, so the decision comes.
func (m *Machine) Verify(name string, who Identity, participant txn.Participant) (txn.Grant, *txn.Refusal) {
	p, r := m.find(name)
	if r != nil {
		return txn.Grant{}, r
	}
	if r := p.current(who); r != nil {
		return txn.Grant{}, r
	}
	if _, added := slices.BinarySearchFunc(p.participants, participant, txn.Participant.Compare); !added {
		return txn.Grant{}, txn.Refusef(txn.NotParticipant, "%v is in no open transaction of %q", participant, name)
	}
	return p.grant(participant), nil
}

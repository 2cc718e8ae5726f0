package coordinator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/txn"
)

// State is where a transactional id is. Kafka's Prepare states do not exist here: the decision is the end for the client,
// and what it must still be told to whom is in the outbox.
type State uint8

const (
	// Empty: initialised, and nothing since.
	Empty State = iota
	// Ongoing: a transaction is open.
	Ongoing
	// CompleteCommit and CompleteAbort: the last transaction is decided. Under the second protocol version also an abort of
	// nothing is an end.
	CompleteCommit
	CompleteAbort
)

// String is Kafka's name, as DescribeTransactions has it.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case Ongoing:
		return "Ongoing"
	case CompleteCommit:
		return "CompleteCommit"
	case CompleteAbort:
		return "CompleteAbort"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Version is the transaction protocol that a request speaks.
type Version uint8

const (
	// V1: the epoch is the same in all transactions of a producer.
	V1 Version = 1
	// V2 (KIP-890): each end raises it.
	V2 Version = 2
)

// Identity is what a client writes under.
type Identity struct {
	ProducerID txn.ProducerID
	Epoch      txn.Epoch
}

// Nobody is no identity: both numbers are -1, as on the wire.
var Nobody = Identity{-1, -1}

// String is "ID/EPOCH".
func (i Identity) String() string { return fmt.Sprintf("%d/%d", i.ProducerID, i.Epoch) }

// producer is one transactional id.
type producer struct {
	name     string
	identity Identity
	timeout  int64 // ms, of transactions that begin from now on and of the open one
	state    State
	// number is the open transaction's, or the last one's; 0 before the first. Aborts of nothing have none.
	number txn.Number
	// participants of the open transaction, sorted; none otherwise.
	participants []txn.Participant
	started      int64 // replicated time, in ms, of the open transaction's first participant; unmeasured: nobody has told it yet
	// connection is the newest that the producer's requests came over.
	connection txn.Generation
	// expected is what the last Init named, if it did: the same again is a retry, as long as the state is Empty.
	expected Identity
	// ended is who ended the last transaction and how; it means something in the Complete states only. It differs from
	// identity if the end fenced.
	ended   Identity
	outcome txn.Outcome
	// aborted is the last number that was aborted, 0 if none was: an operator who says it twice is right twice.
	aborted txn.Number
	// outbox are decisions that somebody has not acknowledged, by rising number.
	outbox []owed
	used   int64 // replicated time, in ms, of the last change
}

// owed is a decision and those who have not acknowledged it, sorted; never none.
type owed struct {
	txn.Decision
	waiting []txn.Participant
}

func (p *producer) complete() bool { return p.state == CompleteCommit || p.state == CompleteAbort }

// exhausted says that the next epoch is not for clients: the producer needs a new id to go on.
func (p *producer) exhausted() bool { return p.identity.Epoch >= EpochClientMax }

// fence makes the identity another one. Without a fresh id an exhausted producer keeps a last epoch that no client gets.
func (p *producer) fence(fresh txn.ProducerID) {
	switch {
	case !p.exhausted():
		p.identity.Epoch++
	case fresh >= 0:
		p.identity = Identity{fresh, 0}
	default:
		p.identity.Epoch = txn.EpochMax
	}
}

// current judges who asks.
func (p *producer) current(who Identity) *txn.Refusal {
	if who.ProducerID != p.identity.ProducerID {
		return txn.Refusef(txn.UnknownMapping, "%q is producer %d, not %d", p.name, p.identity.ProducerID, who.ProducerID)
	}
	if who.Epoch != p.identity.Epoch {
		return txn.Refusef(txn.ProducerFenced, "epoch %d of %q is fenced by %d", who.Epoch, p.name, p.identity.Epoch)
	}
	return nil
}

// stale judges the connection of a request whose identity is right.
func (p *producer) stale(c txn.Generation, term uint64) *txn.Refusal {
	switch {
	case c.None():
		return nil
	case c.Term != term:
		return txn.Refusef(txn.StaleConnection, "connection %v, but the term is %d", c, term)
	case c.Less(p.connection):
		return txn.Refusef(txn.StaleConnection, "connection %v, but %q has used %v", c, p.name, p.connection)
	}
	return nil
}

func (p *producer) renew(c txn.Generation) {
	if !c.None() {
		p.connection = c
	}
}

// decide ends the open transaction. With fencing, what its markers carry is one epoch higher than its records, also when
// the producer goes on under a fresh id.
func (p *producer) decide(outcome txn.Outcome, fencing bool, fresh txn.ProducerID) *Ended {
	d := txn.Decision{ProducerID: p.identity.ProducerID, Epoch: p.identity.Epoch, Number: p.number, Outcome: outcome}
	if fencing {
		d.Epoch++
	}
	e := &Ended{d, p.participants}
	p.outbox = append(p.outbox, owed{d, slices.Clone(p.participants)})
	p.participants = nil
	if outcome == txn.Abort {
		p.aborted = p.number
	}
	p.finish(outcome, fencing, fresh)
	return e
}

func (p *producer) finish(outcome txn.Outcome, fencing bool, fresh txn.ProducerID) {
	p.ended, p.outcome, p.state = p.identity, outcome, CompleteAbort
	if outcome == txn.Commit {
		p.state = CompleteCommit
	}
	if fencing {
		p.fence(fresh)
	}
}

// earlier are the decisions that participant has not acknowledged, by rising number.
func (p *producer) earlier(participant txn.Participant) []txn.Decision {
	var ds []txn.Decision
	for _, o := range p.outbox {
		if _, waits := slices.BinarySearchFunc(o.waiting, participant, txn.Participant.Compare); waits {
			ds = append(ds, o.Decision)
		}
	}
	return ds
}

func (p *producer) grant(participant txn.Participant) txn.Grant {
	return txn.Grant{ProducerID: p.identity.ProducerID, Epoch: p.identity.Epoch, Number: p.number, Earlier: p.earlier(participant)}
}

// String is one line.
func (p *producer) String() string {
	s := fmt.Sprintf("%s: %v %v", p.name, p.identity, p.state)
	if p.number > 0 {
		s += fmt.Sprintf(" number %d", p.number)
	}
	if p.state == Ongoing {
		if p.started == unmeasured {
			s += " since nobody has told when"
		} else {
			s += fmt.Sprintf(" since %d, until %d", p.started, p.started+p.timeout)
		}
	}
	if !p.connection.None() {
		s += fmt.Sprintf(" connection %v", p.connection)
	}
	return s
}

func (p *producer) describe() string {
	var s strings.Builder
	s.WriteString(p.String())
	for _, q := range p.participants {
		fmt.Fprintf(&s, "\n  with %v", q)
	}
	for _, o := range p.outbox {
		fmt.Fprintf(&s, "\n  %v owed to", o.Decision)
		for i, q := range o.waiting {
			if i > 0 {
				s.WriteString(",")
			}
			fmt.Fprintf(&s, " %v", q)
		}
	}
	return s.String()
}

package transaction

import (
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// Participant and Decision are package txn's words for what commands carry; Command and the rest go the other way.

// Participant reads a participant; it keeps nothing of the command's bytes.
func Participant(p command.TxnParticipant) txn.Participant {
	return txn.Participant{Topic: p.Topic, Partition: p.Partition, Group: strings.Clone(p.Group)}
}

// Command writes a participant.
func Command(p txn.Participant) command.TxnParticipant {
	return command.TxnParticipant{Topic: p.Topic, Partition: p.Partition, Group: p.Group}
}

// Commands writes participants, in their order.
func Commands(ps []txn.Participant) []command.TxnParticipant {
	cs := make([]command.TxnParticipant, len(ps))
	for i, p := range ps {
		cs[i] = Command(p)
	}
	return cs
}

func participants(cs []command.TxnParticipant) []txn.Participant {
	ps := make([]txn.Participant, len(cs))
	for i, c := range cs {
		ps[i] = Participant(c)
	}
	return ps
}

// Decision reads a decision.
func Decision(d command.TxnDecision) txn.Decision {
	return txn.Decision{ProducerID: txn.ProducerID(d.ProducerID), Epoch: txn.Epoch(d.Epoch), Number: txn.Number(d.Number), Outcome: outcome(d.Commit)}
}

// CommandOf writes a decision.
func CommandOf(d txn.Decision) command.TxnDecision { return decision(d) }

func decision(d txn.Decision) command.TxnDecision {
	return command.TxnDecision{ProducerID: broker.ProducerID(d.ProducerID), Epoch: broker.ProducerEpoch(d.Epoch), Number: uint64(d.Number), Commit: d.Outcome == txn.Commit}
}

package txn

import (
	"cmp"
	"fmt"
	"strings"
)

// Number counts the transactions of one transactional id: 1, 2, 3…; 0 is none. It names a transaction where an epoch
// does not: under the first version of Kafka's protocol the epoch is the same for all of a producer's transactions.
type Number uint64

// Outcome is how a transaction ended.
type Outcome uint8

const (
	// Abort and Commit have the wire's numbers (control record types).
	Abort  Outcome = 0
	Commit Outcome = 1
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case Abort:
		return "abort"
	case Commit:
		return "commit"
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// Decision is the end of one transaction, as participants are told of it.
type Decision struct {
	ProducerID ProducerID // under which its records were written
	// Epoch is what the markers carry: the epoch of the records, or a higher one if the end fences them (KIP-890).
	Epoch   Epoch
	Number  Number
	Outcome Outcome
}

// String is one line.
func (d Decision) String() string {
	return fmt.Sprintf("%v %d of %d/%d", d.Outcome, d.Number, d.ProducerID, d.Epoch)
}

// Grant lets a producer write to one participant in one transaction. The coordinator gives it only after it recorded
// the participant, so the decision will reach that participant whatever becomes of the grant.
type Grant struct {
	ProducerID ProducerID
	Epoch      Epoch
	Number     Number
	// Coordinator is the coordinator slot of the transactional id, which the participant keeps with the hold: whom to ask
	// about it. Slots are not known to package coordinator; who carries its grants fills this in.
	Coordinator uint16
	// Earlier are the decisions that the participant may not know yet, by rising number: it closes those first, so that
	// a producer need not wait for the markers of its last transaction.
	Earlier []Decision
}

// String is one line.
func (g Grant) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "grant %d of %d/%d", g.Number, g.ProducerID, g.Epoch)
	for _, d := range g.Earlier {
		fmt.Fprintf(&s, " after %v", d)
	}
	return s.String()
}

// Participant names a partition (Topic and Partition), a consumer group (Group, and the rest zero), or the queues of a shard (the
// shard's id as Partition, and the rest zero: no topic has the id zero).
type Participant struct {
	Topic     [16]byte // the topic's id, not its name: a name may be given to another topic
	Partition int32
	Group     string
}

// GroupParticipant is the group of this name.
func GroupParticipant(group string) Participant { return Participant{Group: group} }

// IsGroup says that it is a consumer group.
func (p Participant) IsGroup() bool { return p.Group != "" }

// QueuesParticipant are the queues of a shard.
func QueuesParticipant(shard int32) Participant { return Participant{Partition: shard} }

// IsQueues says that it is the queues of a shard.
func (p Participant) IsQueues() bool { return p.Group == "" && p.Topic == [16]byte{} }

// Compare orders participants: queues by shard, partitions by topic and number, then groups by name.
func (p Participant) Compare(q Participant) int {
	return cmp.Or(cmp.Compare(p.Group, q.Group), strings.Compare(string(p.Topic[:]), string(q.Topic[:])), cmp.Compare(p.Partition, q.Partition))
}

// String is "group NAME", "queues of shard N", or "TOPIC-PARTITION" with the topic's id in hexadecimal digits, leading zeros left out.
func (p Participant) String() string {
	if p.IsGroup() {
		return "group " + p.Group
	}
	if p.IsQueues() {
		return fmt.Sprintf("queues of shard %d", p.Partition)
	}
	topic := strings.TrimLeft(fmt.Sprintf("%x", p.Topic[:15]), "0")
	return fmt.Sprintf("%s%x-%d", topic, p.Topic[15], p.Partition)
}

// Generation orders a client's connections to one shard's leader: Term is the leader's, Count is how many connections
// it had accepted in that term when it accepted this one, from 1. The zero value is no connection.
type Generation struct {
	Term  uint64
	Count uint64
}

// None says that the request came over no connection of a client.
func (g Generation) None() bool { return g == Generation{} }

// Less says that g was accepted before h.
func (g Generation) Less(h Generation) bool {
	return g.Term < h.Term || g.Term == h.Term && g.Count < h.Count
}

// String is "TERM.COUNT".
func (g Generation) String() string { return fmt.Sprintf("%d.%d", g.Term, g.Count) }

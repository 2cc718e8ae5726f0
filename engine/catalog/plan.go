package catalog

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
)

// StepKind says what a Step asks for.
type StepKind uint8

// The kinds.
const (
	// StepAdd: propose ReplicaAdd{Shard, Replica, Node, NonVoting: true} to the catalog.
	StepAdd StepKind = iota
	// StepJoin: add the replica to Raft as non-voting; then the node starts it.
	StepJoin
	// StepPromote: make it a voter in Raft, then propose ReplicaPromote.
	StepPromote
	// StepRemove: take the replica out of Raft, then propose ReplicaRemove.
	StepRemove
	// StepLead: a hint, not a membership change: hand the leadership to Replica.
	StepLead
)

// String gives the kind's name.
func (k StepKind) String() string {
	return [...]string{"add", "join", "promote", "remove", "lead"}[k]
}

// Step is the next thing to do for one shard.
type Step struct {
	Kind    StepKind
	Shard   broker.ShardID
	Replica uint64
	Node    broker.NodeID
	Why     string
}

// String prints one line.
func (s Step) String() string {
	return fmt.Sprintf("%v shard=%d replica=%d node=%d: %s", s.Kind, s.Shard, s.Replica, s.Node, s.Why)
}

// Membership is how Raft sees a replica.
type Membership uint8

// The memberships.
const (
	NotMember Membership = iota
	NonVoter
	Voter
)

// Health is what is known of one replica, as its node reported it lately.
type Health struct {
	Raft     Membership
	CaughtUp bool // its applied index is near the leader's
	Whole    bool // every payload that its rows name is in its journal
	Damaged  bool // cannot be repaired in place: rebuild it under a new id
}

// ShardFacts is what the driver learnt of one shard.
type ShardFacts struct {
	// Known: Raft's membership was read, linearizably, after the catalog's view was taken. Without it nothing is planned
	// for the shard.
	Known    bool
	Leader   uint64            // replica id, 0: none
	Replicas map[uint64]Health // by replica id
}

// Facts is what Plan goes by besides the catalog.
type Facts struct {
	Alive  map[broker.NodeID]bool
	Shards map[broker.ShardID]ShardFacts
}

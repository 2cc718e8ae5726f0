package consensus

import (
	"fmt"
	"sort"
	"strings"
)

type (
	// ShardID names a Raft group.
	ShardID = uint64
	// ReplicaID names a member of a Raft group; never reused in it.
	ReplicaID = uint64
	// NodeID names a node.
	NodeID = int32
)

// ReplicaSpec says which replica to start.
type ReplicaSpec struct {
	Shard, Replica uint64
	// Initial are the members of a new shard, by replica id, with their Raft addresses. Empty for a replica that joins.
	Initial map[ReplicaID]string
	// Join: the replica was, or will be, added by AddReplica. On a restart either form is accepted.
	Join bool
	// NonVoting: the replica was added as non-voting and has not been promoted as far as the caller knows.
	NonVoting bool
}

// Role is what a replica may do in its group.
type Role uint8

// The roles.
const (
	RoleUnknown Role = iota
	RoleVoter
	RoleNonVoting
	RoleRemoved
)

// String names the role.
func (r Role) String() string {
	switch r {
	case RoleVoter:
		return "voter"
	case RoleNonVoting:
		return "non-voting"
	case RoleRemoved:
		return "removed"
	}
	return "unknown"
}

// ReplicaStatus is one local replica at one instant.
type ReplicaStatus struct {
	Shard, Replica uint64
	Role           Role
	// Applied and DurableApplied are Raft indexes.
	Applied, DurableApplied uint64
	// Leader is 0 when unknown.
	Leader ReplicaID
	Term   uint64
	// Leading: see Host.Leading.
	Leading bool
	// Whole: every payload the rows name is in the local journal.
	Whole bool
	// Damaged is nil or wraps ErrDamaged.
	Damaged error
}

// String is the status in one line.
func (s ReplicaStatus) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "shard %d replica %d %s applied=%d durable=%d leader=%d term=%d", s.Shard, s.Replica, s.Role, s.Applied, s.DurableApplied, s.Leader, s.Term)
	if s.Leading {
		b.WriteString(" leading")
	}
	if !s.Whole {
		b.WriteString(" not-whole")
	}
	if s.Damaged != nil {
		fmt.Fprintf(&b, " damaged=%q", s.Damaged)
	}
	return b.String()
}

// LeaderChange tells what this node knows of a hosted shard's leadership now.
type LeaderChange struct {
	Shard   uint64
	Replica ReplicaID // the local replica
	Term    uint64
	Leader  ReplicaID // 0: none known
	Node    NodeID    // the leader's node, 0 if not known
	// Leading: this node leads and has applied its own leader-start of Term.
	Leading bool
}

// String is the change in one line.
func (c LeaderChange) String() string {
	return fmt.Sprintf("shard %d replica %d: term %d leader %d node %d leading %t", c.Shard, c.Replica, c.Term, c.Leader, c.Node, c.Leading)
}

// Peer is a node's addresses.
type Peer struct {
	Node     NodeID
	RPCAddr  string
	RaftAddr string
}

// Placement says that a node hosts a replica.
type Placement struct {
	Replica   ReplicaID
	Node      NodeID
	NonVoting bool
}

// Membership is a shard's configuration as the group agreed.
type Membership struct {
	ConfigChangeID uint64
	Voters         map[ReplicaID]string // Raft addresses
	NonVoting      map[ReplicaID]string
	Removed        map[ReplicaID]bool
}

// String lists the members in order of their ids.
func (m Membership) String() string {
	var parts []string
	for _, set := range []struct {
		name    string
		members map[ReplicaID]string
	}{{"voter", m.Voters}, {"non-voting", m.NonVoting}} {
		ids := make([]ReplicaID, 0, len(set.members))
		for id := range set.members {
			ids = append(ids, id)
		}
		sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
		for _, id := range ids {
			parts = append(parts, fmt.Sprintf("%s %d@%s", set.name, id, set.members[id]))
		}
	}
	return fmt.Sprintf("change %d: %s", m.ConfigChangeID, strings.Join(parts, ", "))
}

package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
)

// CatalogShard is the shard of the catalog itself.
const CatalogShard broker.ShardID = 1

// ReplicaState says how far a replica is. A replica that is added is in the catalog first, then in Raft; one that is
// removed is taken out of Raft first, then of the catalog (see Plan). So the catalog never lacks a replica that runs.
type ReplicaState uint8

// The states.
const (
	// ReplicaJoining does not vote: it is to be added to Raft, then catches up and pulls payloads.
	ReplicaJoining ReplicaState = iota
	// ReplicaVoting is a full member.
	ReplicaVoting
	replicaStateCount
)

// String gives the state's name.
func (s ReplicaState) String() string {
	if s < replicaStateCount {
		return [...]string{"joining", "voting"}[s]
	}
	return fmt.Sprintf("replica-state-%d", uint8(s))
}

// Replica is one replica of a shard.
type Replica struct {
	ID    uint64
	Node  broker.NodeID
	State ReplicaState
}

// Shard is one Raft group. A Shard in a View is never changed.
type Shard struct {
	ID       broker.ShardID
	Replicas []Replica // by id, ascending
	// NextReplica is the id the next replica gets; ids are never reused in a shard, since a wiped replica that came
	// back under its old id would break the promises the old one made.
	NextReplica uint64
}

// Replica finds a replica by id.
func (s *Shard) Replica(id uint64) (Replica, bool) {
	for _, r := range s.Replicas {
		if r.ID == id {
			return r, true
		}
	}
	return Replica{}, false
}

// On finds the replica on a node.
func (s *Shard) On(node broker.NodeID) (Replica, bool) {
	for _, r := range s.Replicas {
		if r.Node == node {
			return r, true
		}
	}
	return Replica{}, false
}

// Preference lists the voting replicas, the one that should lead first: by node, but beginning at another one for each
// shard, so that what is preferred is spread over the nodes.
func (s *Shard) Preference() []Replica {
	var rs []Replica
	for _, r := range s.Replicas {
		if r.State == ReplicaVoting {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b Replica) int { return cmp.Compare(a.Node, b.Node) })
	if len(rs) == 0 {
		return nil
	}
	first := int(uint64(s.ID) % uint64(len(rs)))
	return append(rs[first:len(rs):len(rs)], rs[:first]...)
}

// Voters counts the voting replicas.
func (s *Shard) Voters() int {
	n := 0
	for _, r := range s.Replicas {
		if r.State == ReplicaVoting {
			n++
		}
	}
	return n
}

// Majority is how many voters must agree.
func (s *Shard) Majority() int { return s.Voters()/2 + 1 }

// String prints one line.
func (s *Shard) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "shard %d next=%d", s.ID, s.NextReplica)
	for _, r := range s.Replicas {
		fmt.Fprintf(&b, " %d@%d:%v", r.ID, r.Node, r.State)
	}
	return b.String()
}

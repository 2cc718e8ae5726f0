package catalog

import (
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

func shardCreate(v *View, c *command.ShardCreate) (*View, broker.Code) {
	if !v.booted() {
		return v, broker.CodeUnavailable
	}
	if len(v.shards) >= ShardsMax {
		return v, broker.CodePolicyViolation
	}
	s, code := v.newShard(&c.Spec)
	if code != broker.CodeNone {
		return v, code
	}
	next := v.change()
	next.setShard(s)
	return next, broker.CodeNone
}

// newShard checks a ShardSpec against what is there.
func (v *View) newShard(spec *command.ShardSpec) (*Shard, broker.Code) {
	if _, taken := v.Shard(spec.Shard); taken || spec.Shard == 0 || len(spec.Replicas) == 0 {
		return nil, broker.CodeInvalidRequest
	}
	s := &Shard{ID: spec.Shard}
	for _, r := range spec.Replicas {
		_, known := v.Node(r.Node)
		_, twice := s.On(r.Node)
		_, same := s.Replica(r.Replica)
		if !known || twice || same || r.Replica == 0 || r.NonVoting {
			return nil, broker.CodeInvalidRequest
		}
		s.Replicas = append(s.Replicas, Replica{ID: r.Replica, Node: r.Node, State: ReplicaVoting})
		s.NextReplica = max(s.NextReplica, r.Replica+1)
	}
	slices.SortFunc(s.Replicas, byReplicaID)
	return s, broker.CodeNone
}

func byReplicaID(a, b Replica) int {
	if a.ID < b.ID {
		return -1
	}
	return 1
}

// replicaAdd records a new replica. Its id must be above all that the shard ever had; the same command again changes
// nothing.
func replicaAdd(v *View, c *command.ReplicaAdd) (*View, broker.Code) {
	s, ok := v.Shard(c.Shard)
	if !ok {
		return v, broker.CodeInvalidRequest
	}
	state := ReplicaVoting
	if c.NonVoting {
		state = ReplicaJoining
	}
	if r, there := s.Replica(c.Replica); there {
		if r.Node == c.Node && r.State == state {
			return v, broker.CodeNone
		}
		return v, broker.CodePolicyViolation
	}
	if _, known := v.Node(c.Node); !known {
		return v, broker.CodeInvalidRequest
	}
	if _, hosted := s.On(c.Node); hosted || c.Replica < s.NextReplica || s.changing() {
		return v, broker.CodePolicyViolation
	}
	return v.withReplicas(s, append(slices.Clone(s.Replicas), Replica{ID: c.Replica, Node: c.Node, State: state}), c.Replica+1), broker.CodeNone
}

// changing says whether a membership change is under way; the next one waits for its end.
func (s *Shard) changing() bool {
	return slices.ContainsFunc(s.Replicas, func(r Replica) bool { return r.State != ReplicaVoting })
}

func replicaPromote(v *View, c *command.ReplicaPromote) (*View, broker.Code) {
	s, ok := v.Shard(c.Shard)
	if !ok {
		return v, broker.CodeInvalidRequest
	}
	r, there := s.Replica(c.Replica)
	switch {
	case !there:
		return v, broker.CodeInvalidRequest
	case r.State == ReplicaVoting:
		return v, broker.CodeNone
	}
	return v.withState(s, r.ID, ReplicaVoting), broker.CodeNone
}

// withState is the next view with one replica's state changed.
func (v *View) withState(s *Shard, id uint64, state ReplicaState) *View {
	rs := slices.Clone(s.Replicas)
	for i := range rs {
		if rs[i].ID == id {
			rs[i].State = state
		}
	}
	return v.withReplicas(s, rs, s.NextReplica)
}

// withReplicas is the next view with a shard's replicas replaced.
func (v *View) withReplicas(s *Shard, rs []Replica, nextReplica uint64) *View {
	next := v.change()
	next.setShard(&Shard{ID: s.ID, Replicas: rs, NextReplica: nextReplica})
	return next
}

// replicaRemove forgets a replica. Doing it again changes nothing; the last voter is never forgotten.
func replicaRemove(v *View, c *command.ReplicaRemove) (*View, broker.Code) {
	s, ok := v.Shard(c.Shard)
	if !ok {
		return v, broker.CodeInvalidRequest
	}
	r, there := s.Replica(c.Replica)
	if !there {
		if c.Replica < s.NextReplica {
			return v, broker.CodeNone
		}
		return v, broker.CodeInvalidRequest
	}
	if r.State == ReplicaVoting && s.Voters() == 1 {
		return v, broker.CodePolicyViolation
	}
	rs := slices.DeleteFunc(slices.Clone(s.Replicas), func(x Replica) bool { return x.ID == r.ID })
	return v.withReplicas(s, rs, s.NextReplica), broker.CodeNone
}

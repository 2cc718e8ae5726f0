package engine

import (
	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/group"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/engine/queueing"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
)

// participants are the partitions, groups and queues of a replica, while one command is applied.
type participants struct {
	r *replica
	c *consensus.Command
	w keyspace.Writer
}

var _ transaction.Participants = participants{}

func (ps participants) partition() partition.Context {
	return partition.Context{Index: ps.c.Index, Position: ps.c.Position, Term: ps.c.Term, Clock: ps.c.Clock, Wall: ps.c.Wall}
}

func (ps participants) group() group.Context {
	return group.Context{Index: ps.c.Index, Clock: ps.c.Clock, Wall: ps.c.Wall, Term: ps.c.Term}
}

func partitionOf(p txn.Participant) broker.Partition {
	return broker.Partition{Topic: p.Topic, Index: p.Partition}
}

func participantOf(p broker.Partition) txn.Participant {
	return txn.Participant{Topic: p.Topic, Partition: p.Index}
}

func (ps participants) queues() queueing.Context {
	return queueing.Context{Index: ps.c.Index, Position: ps.c.Position, Clock: ps.c.Clock, ClockOld: ps.c.ClockOld}
}

// here says whether a participant is the queues of this very shard.
func (ps participants) here(p txn.Participant) bool { return p == queuesOf(ps.r.shard) }

// Grant opens a hold.
func (ps participants) Grant(p txn.Participant, g txn.Grant) (here bool, r *txn.Refusal) {
	if p.IsQueues() {
		if !ps.here(p) {
			return false, nil
		}
		return true, ps.r.lines.Grant(ps.queues(), g)
	}
	if p.IsGroup() {
		return true, ps.r.grps.Grant(ps.group(), p.Group, g, ps.w)
	}
	return ps.r.parts.Grant(ps.partition(), partitionOf(p), g, ps.w)
}

// Close takes a decision.
func (ps participants) Close(p txn.Participant, d txn.Decision) (here bool, r *txn.Refusal) {
	if p.IsQueues() {
		if !ps.here(p) {
			return false, nil
		}
		return true, ps.r.lines.Close(ps.queues(), d)
	}
	if p.IsGroup() {
		return true, ps.r.grps.Close(ps.group(), p.Group, d, ps.w)
	}
	return ps.r.parts.Close(ps.partition(), partitionOf(p), d, ps.w)
}

// Open is the number of an open hold.
func (ps participants) Open(p txn.Participant, id txn.ProducerID) txn.Number {
	if p.IsQueues() {
		if !ps.here(p) {
			return 0
		}
		return ps.r.lines.Open(id)
	}
	if p.IsGroup() {
		return ps.r.grps.Open(p.Group, id)
	}
	return ps.r.parts.Open(partitionOf(p), id)
}

package engine

import (
	"context"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// shifts say when the leadership of each shard hosted here last changed.
type shifts map[broker.ShardID]time.Time

// notLeader refuses and names the leader this node knows, if it is another one.
func (e *Engine) notLeader(shard broker.ShardID, op, resource string) *broker.Error {
	err := broker.Refuse(broker.CodeNotLeader, op, resource)
	e.nameLeader(shard, err)
	return err
}

func (e *Engine) nameLeader(shard broker.ShardID, err *broker.Error) {
	if n, term, ok := e.host.Leader(uint64(shard)); ok && n != 0 && broker.NodeID(n) != e.opt.Node {
		err.Leader, err.Epoch = broker.NodeID(n), broker.LeaderEpoch(term)
	}
}

// awaitLeader waits until this node leads a shard or knows who does, but not beyond leaderWait after the last change of its
// leadership. A client that is told the leader goes there at once. One that is told nothing asks for metadata, which
// clients do only every few seconds: franz-go stood still for 2.5 s after each move of a leader.
func (e *Engine) awaitLeader(ctx context.Context, shard broker.ShardID) {
	for {
		shifted := e.shifted.next()
		if _, leading := e.host.Leading(uint64(shard)); leading {
			return
		}
		if n, _, ok := e.host.Leader(uint64(shard)); ok && n != 0 && broker.NodeID(n) != e.opt.Node {
			return
		}
		e.mu.Lock()
		changed, hosted := e.shifts[shard]
		e.mu.Unlock()
		left := leaderWait - time.Since(changed)
		if !hosted || left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-shifted:
			timer.Stop()
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// lostLeadership completes the refusal of a command that was proposed here as leader and came too late: done is called once
// the new leader is known, on a goroutine of its own unless it is known already.
func (e *Engine) lostLeadership(shard broker.ShardID, err *broker.Error, done func()) {
	if e.nameLeader(shard, err); err.Leader != broker.NoNode {
		done()
		return
	}
	if !e.spawn(func(ctx context.Context) {
		e.awaitLeader(ctx, shard)
		e.nameLeader(shard, err)
		done()
	}) {
		done()
	}
}

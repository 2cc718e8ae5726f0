package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// Space hears how full the journal's disk is: for journal.Options.
func (e *Engine) Space(l journal.SpaceLevel) {
	old := journal.SpaceLevel(e.space.Swap(int32(l)))
	if old == l {
		return
	}
	switch l {
	case journal.SpaceOK:
		e.log.Info("disk space is enough again")
	case journal.SpaceCritical:
		// Where others lead, this node cannot refuse what they send. It stops while the rest of the reserve lasts: a log
		// that fails in the middle of a write would take the process without a word.
		e.fail(fmt.Errorf("the disk is full (level %v): free space or enlarge the disk, then start the node again; its replicas catch up by themselves", l))
	default:
		e.log.Error("disk space is short: this node hands over its leaderships, and refuses writes where it cannot", "level", l.String())
	}
	e.weighSpace()
}

// weighSpace decides which shards refuse writes: those of which no majority of voters
// has room. One short disk of three does not stop a shard; its leader moves away from it.
func (e *Engine) weighSpace() {
	full := map[broker.ShardID]bool{}
	for _, s := range e.view.Load().Shards() {
		roomy := 0
		for _, r := range s.Replicas {
			if r.State == catalog.ReplicaVoting && e.roomy(r.Node) {
				roomy++
			}
		}
		if _, here := s.On(e.opt.Node); here && (roomy < s.Majority() || !e.roomy(e.opt.Node)) {
			full[s.ID] = true
		}
	}
	e.fullShards.Store(&full)
}

// roomy says whether a node has room, as far as known; one that is silent is not counted.
func (e *Engine) roomy(n broker.NodeID) bool {
	if n == e.opt.Node {
		return journal.SpaceLevel(e.space.Load()) == journal.SpaceOK
	}
	s, ok := e.peers.status(n)
	return !ok || journal.SpaceLevel(s.Space) == journal.SpaceOK
}

// full says whether a shard led here refuses writes.
func (e *Engine) full(s broker.ShardID) bool {
	m := e.fullShards.Load()
	return m != nil && (*m)[s]
}

// yieldForSpace hands the leadership to a voter whose node has room.
func (l *lead) yieldForSpace() {
	if l.e.roomy(l.e.opt.Node) {
		return
	}
	s, ok := l.e.view.Load().Shard(l.shard)
	if !ok {
		return
	}
	for _, r := range s.Replicas {
		if r.Node != l.e.opt.Node && r.State == catalog.ReplicaVoting && l.e.peers.alive(r.Node) && l.e.roomy(r.Node) {
			l.e.log.Warn("handing over a leadership for want of disk space", "shard", l.shard, "to", r.Node)
			if err := l.e.host.TransferLeader(uint64(l.shard), r.ID); err != nil {
				l.e.log.Warn("hand over", "shard", l.shard, "err", err)
			}
			return
		}
	}
}

// spaceLoop weighs the peers' space as their status arrives.
func (e *Engine) spaceLoop(ctx context.Context) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			e.weighSpace()
		}
	}
}

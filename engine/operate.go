package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// LogDir tells what this node's disk holds: the partitions of the replicas that are open here, leading or not.
func (e *Engine) LogDir(context.Context) (broker.LogDir, error) {
	v := e.view.Load()
	if v.Version() == 0 {
		return broker.LogDir{}, broker.Errorf(broker.CodeUnavailable, "describe log dir", "", "the catalog is not known yet")
	}
	d := broker.LogDir{Path: e.opt.Dir, TotalBytes: -1, FreeBytes: -1}
	if u, err := e.opt.FS.GetDiskUsage(e.opt.Dir); err == nil {
		d.TotalBytes, d.FreeBytes = int64(u.TotalBytes), int64(u.AvailBytes)
	}
	e.mu.Lock()
	replicas := make([]*replica, 0, len(e.replicas))
	for _, s := range sortedShards(e.replicas) {
		replicas = append(replicas, e.replicas[s])
	}
	e.mu.Unlock()
	for _, r := range replicas {
		if r.shard == catalog.CatalogShard {
			continue
		}
		heads := r.headsNow()
		for i := range heads {
			h := &heads[i]
			if t, ok := v.TopicByID(h.Partition.Topic); ok { // else it was deleted, and is about to go
				d.Logs = append(d.Logs, broker.LogSize{Topic: t.Name, Index: h.Partition.Index, Bytes: int64(h.Bytes())})
			}
		}
	}
	slices.SortFunc(d.Logs, func(a, b broker.LogSize) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Index, b.Index))
	})
	return d, nil
}

// CatalogQuorum tells how the replicas of the catalog stand.
func (e *Engine) CatalogQuorum(context.Context) (broker.Quorum, error) {
	q := broker.Quorum{Leader: broker.NoNode, Epoch: broker.NoEpoch, Applied: -1}
	s, ok := e.view.Load().Shard(catalog.CatalogShard)
	if !ok {
		return q, broker.Errorf(broker.CodeUnavailable, "describe quorum", "", "the catalog is not known yet")
	}
	if n, term, ok := e.host.Leader(uint64(s.ID)); ok && n != 0 {
		q.Leader, q.Epoch = broker.NodeID(n), broker.LeaderEpoch(term)
	}
	for _, r := range s.Replicas {
		x := broker.QuorumReplica{Node: r.Node, Voting: r.State == catalog.ReplicaVoting, Applied: -1}
		status, ok := e.peers.status(r.Node)
		if r.Node == e.opt.Node {
			status, ok = e.status(), true
		}
		if st := statusOf(status, s.ID, r.ID); ok && st.Replica == r.ID {
			x.Applied = int64(st.Applied)
		}
		if r.Node == q.Leader {
			q.Applied = x.Applied
		}
		q.Replicas = append(q.Replicas, x)
	}
	return q, nil
}

// ElectLeaders hands leaderships to who is preferred, shard by shard, all at once.
func (e *Engine) ElectLeaders(ctx context.Context, c broker.Client, ps []broker.Partition) []error {
	v := e.view.Load()
	errs, shards := make([]error, len(ps)), make([]broker.ShardID, len(ps))
	outcome := map[broker.ShardID]*error{}
	var wg sync.WaitGroup
	for i, p := range ps {
		t, ok := v.TopicByID(p.Topic)
		if !ok || p.Index < 0 || int(p.Index) >= len(t.Shards) {
			errs[i] = broker.Refuse(broker.CodeUnknownTopic, "elect leader", p.String())
			continue
		}
		shards[i] = t.Shards[p.Index]
		if outcome[shards[i]] != nil {
			continue
		}
		out := new(error)
		outcome[shards[i]] = out
		wg.Add(1)
		go func() {
			defer wg.Done()
			*out = e.elect(ctx, c, v, shards[i])
		}()
	}
	wg.Wait()
	for i := range errs {
		if errs[i] == nil {
			errs[i] = *outcome[shards[i]]
		}
	}
	return errs
}

// elect hands one shard's leadership over. Nothing is lost by it: the leader hands over once the other has its whole log, and a
// transfer that does not succeed leaves it leading.
func (e *Engine) elect(ctx context.Context, c broker.Client, v *catalog.View, id broker.ShardID) error {
	op, res := "elect leader", fmt.Sprintf("shard %d", id)
	s, ok := v.Shard(id)
	if !ok || len(s.Preference()) == 0 {
		return broker.Errorf(broker.CodeUnavailable, op, res, "it has no voting replica yet")
	}
	to := s.Preference()[0]
	switch from := e.leaderOf(id); {
	case from == to.Node:
		return broker.Errorf(broker.CodeElectionNotNeeded, op, res, "node %d leads", from)
	case !e.peers.alive(to.Node) || !e.roomy(to.Node):
		return broker.Errorf(broker.CodePreferredLeaderGone, op, res, "node %d is not alive or has no disk space", to.Node)
	}
	tick := time.NewTicker(electLook)
	defer tick.Stop()
	for look := 0; e.leaderOf(id) != to.Node; look++ {
		if look%electAgain == 0 {
			if _, err := e.change(ctx, s, memberChange{Op: "lead", Shard: id, Replica: to.ID}); err != nil && look == 0 {
				return broker.Errorf(broker.CodeUnavailable, op, res, "%w", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return broker.Errorf(broker.CodeOutcomeUnknown, op, res, "node %d was asked to lead: %w", to.Node, ctx.Err())
		case <-e.ctx.Done():
			return broker.Refuse(broker.CodeShuttingDown, op, res)
		}
	}
	e.log.Info("leader elected", "shard", id, "node", to.Node, "principal", c.Principal)
	return nil
}

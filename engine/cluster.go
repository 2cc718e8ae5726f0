package engine

import (
	"context"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// peers remembers when each node was heard of last.
type peers struct {
	self broker.NodeID
	mu   sync.Mutex
	last map[broker.NodeID]heard
}

// heard is a node's last word.
type heard struct {
	at     time.Time
	status nodeStatus
}

func newPeers(self broker.NodeID) *peers {
	return &peers{self: self, last: map[broker.NodeID]heard{}}
}

func (p *peers) hear(n broker.NodeID, s nodeStatus) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last[n] = heard{at: time.Now(), status: s}
}

func (p *peers) alive(n broker.NodeID) bool {
	if n == p.self {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.last[n]
	return ok && time.Since(h.at) < aliveFor
}

func (p *peers) status(n broker.NodeID) (nodeStatus, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.last[n]
	return h.status, ok && time.Since(h.at) < aliveFor
}

// pingLoop asks every other node for its status, so that this node knows who is alive
// and, if it leads the catalog, what the placement planner needs.
func (e *Engine) pingLoop(ctx context.Context) {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		var wg sync.WaitGroup
		for _, n := range e.view.Load().Nodes() {
			if n.ID == e.opt.Node {
				continue
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				c, cancel := context.WithTimeout(ctx, aliveFor/2)
				defer cancel()
				var s nodeStatus
				if e.call(c, n.ID, rpcStatus, nil, &s) == nil {
					e.peers.hear(n.ID, s)
				}
			}()
		}
		wg.Wait()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Self is this node.
func (e *Engine) Self() broker.NodeID { return e.opt.Node }

// Nodes lists the registered nodes by id.
func (e *Engine) Nodes() []broker.Node {
	ns := e.view.Load().Nodes()
	out := make([]broker.Node, 0, len(ns))
	for _, n := range ns {
		if n.Kafka.Port == 0 {
			continue // named at bootstrap, but it never came: clients cannot use it
		}
		out = append(out, e.brokerNode(n))
	}
	return out
}

func (e *Engine) brokerNode(n *catalog.Node) broker.Node {
	return broker.Node{ID: n.ID, Kafka: n.Kafka, AMQP: n.AMQP, Rack: n.Rack, Alive: e.peers.alive(n.ID)}
}

// Controller is the node that leads the catalog.
func (e *Engine) Controller() broker.NodeID { return e.leaderOf(catalog.CatalogShard) }

// leaderOf is a hint: the leader as this node knows it, NoNode when it knows none or
// knows that it is dead.
func (e *Engine) leaderOf(s broker.ShardID) broker.NodeID {
	n, _, ok := e.host.Leader(uint64(s))
	if !ok || n == 0 {
		return broker.NoNode
	}
	return broker.NodeID(n)
}

// partitionInfo tells where a partition of the shard lives now.
func (e *Engine) partitionInfo(v *catalog.View, index int32, s broker.ShardID) broker.PartitionInfo {
	p := broker.PartitionInfo{Index: index, Shard: s, Leader: broker.NoNode, Epoch: broker.NoEpoch}
	if n, term, ok := e.host.Leader(uint64(s)); ok && n != 0 {
		p.Leader, p.Epoch = broker.NodeID(n), broker.LeaderEpoch(term)
	}
	if sh, ok := v.Shard(s); ok {
		for _, r := range sh.Replicas {
			if r.State == catalog.ReplicaJoining {
				p.Joining = append(p.Joining, r.Node)
			}
		}
		for _, r := range sh.Preference() {
			p.Replicas = append(p.Replicas, r.Node)
			if !e.peers.alive(r.Node) {
				p.Offline = append(p.Offline, r.Node)
			}
		}
	}
	return p
}

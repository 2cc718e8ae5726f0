package engine

import (
	"fmt"
	"time"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
)

// ClusterState is the cluster as this node knows it, for operators.
type ClusterState struct {
	ClusterID string        `json:"cluster_id"`
	Self      broker.NodeID `json:"self"`
	Catalog   uint64        `json:"catalog_version"`
	Space     string        `json:"space"`
	Nodes     []NodeState   `json:"nodes"`
	Shards    []ShardState  `json:"shards"`
	Damages   []string      `json:"damages,omitempty"` // in this node's journal, not yet repaired
}

// NodeState is one registered node.
type NodeState struct {
	ID    broker.NodeID `json:"id"`
	Alive bool          `json:"alive"`
	Kafka string        `json:"kafka"`
	RPC   string        `json:"rpc"`
	Raft  string        `json:"raft"`
	Rack  string        `json:"rack,omitempty"`
	Space string        `json:"space,omitempty"`
}

// ShardState is one shard.
type ShardState struct {
	ID         broker.ShardID  `json:"id"`
	Leader     broker.NodeID   `json:"leader"`
	Term       uint64          `json:"term"`
	Partitions int             `json:"partitions"`
	Replicas   []ReplicaStatus `json:"replicas"`
}

// ReplicaStatus is one replica: what the catalog says of it and what its node reported.
type ReplicaStatus struct {
	Node    broker.NodeID `json:"node"`
	Replica uint64        `json:"replica"`
	State   string        `json:"state"`
	Applied uint64        `json:"applied"`
	Durable uint64        `json:"durable"`
	Whole   bool          `json:"whole"`
	Damaged string        `json:"damaged,omitempty"`
}

// Describe gives the cluster as this node knows it now.
func (e *Engine) Describe() ClusterState {
	v := e.view.Load()
	c := ClusterState{ClusterID: v.ClusterID(), Self: e.opt.Node, Catalog: v.Version(), Space: journal.SpaceLevel(e.space.Load()).String()}
	statuses := map[broker.NodeID]nodeStatus{e.opt.Node: e.status()}
	for _, n := range v.Nodes() {
		x := NodeState{ID: n.ID, Alive: e.peers.alive(n.ID), Kafka: fmt.Sprintf("%s:%d", n.Kafka.Host, n.Kafka.Port), RPC: n.RPC, Raft: n.Raft, Rack: n.Rack}
		if s, ok := e.peers.status(n.ID); ok {
			statuses[n.ID] = s
		}
		if s, ok := statuses[n.ID]; ok {
			x.Space = journal.SpaceLevel(s.Space).String()
		}
		c.Nodes = append(c.Nodes, x)
	}
	for _, s := range v.Shards() {
		x := ShardState{ID: s.ID, Leader: broker.NoNode, Partitions: len(v.PartitionsOf(s.ID))}
		if n, term, ok := e.host.Leader(uint64(s.ID)); ok {
			x.Leader, x.Term = broker.NodeID(n), term
		}
		for _, r := range s.Replicas {
			st := statusOf(statuses[r.Node], s.ID, r.ID)
			x.Replicas = append(x.Replicas, ReplicaStatus{Node: r.Node, Replica: r.ID, State: r.State.String(), Applied: st.Applied, Durable: st.Durable, Whole: st.Whole, Damaged: st.Damaged})
		}
		c.Shards = append(c.Shards, x)
	}
	for _, d := range e.opt.Journal.Damages() {
		c.Damages = append(c.Damages, fmt.Sprint(d))
	}
	return c
}

// Figures are the engine's own numbers, for metrics.
type Figures struct {
	ProducedInFlight, ReadInFlight int64
	Partitions, Leading            int
	Transactions                   TransactionFigures
}

// Figures gives them as they are now.
func (e *Engine) Figures() Figures {
	f := Figures{ProducedInFlight: e.gate.inFlight(), ReadInFlight: e.reads.inFlight()}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.replicas {
		r.mu.RLock()
		f.Partitions += len(r.heads)
		r.mu.RUnlock()
	}
	f.Leading = len(e.leads)
	f.Transactions = e.ends.figures()
	for _, l := range e.leads { //lint:sorted sums, and a maximum
		if l.r.txns == nil {
			continue // the catalog's
		}
		l.r.mu.RLock()
		open, owed, oldest := l.r.txns.IDs().Open()
		l.r.mu.RUnlock()
		f.Transactions.Open += open
		f.Transactions.Owed += owed
		if age := int64(e.host.Clock(uint64(l.shard))) - oldest; open > 0 && oldest >= 0 {
			f.Transactions.Oldest = max(f.Transactions.Oldest, time.Duration(age)*time.Millisecond)
		}
	}
	return f
}

package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// memberChange asks a host of a shard for one change of its membership, or only for what
// the membership is. It is idempotent.
type memberChange struct {
	Op      string         `json:"op"` // "read", "join", "promote", "remove", "lead"
	Shard   broker.ShardID `json:"shard"`
	Replica uint64         `json:"replica"`
	Raft    string         `json:"raft"`
	// At is the membership that a removal was decided on; on another one it is refused.
	At uint64 `json:"at,omitempty"`
}

// serveChange does it here.
func (e *Engine) serveChange(ctx context.Context, _ broker.NodeID, c memberChange) (consensus.Membership, error) {
	var err error
	shard := uint64(c.Shard)
	switch c.Op {
	case "read":
	case "join":
		err = e.host.AddReplica(ctx, shard, c.Replica, c.Raft, true)
	case "promote":
		err = e.host.AddReplica(ctx, shard, c.Replica, c.Raft, false)
	case "remove":
		err = e.host.RemoveReplicaAt(ctx, shard, c.Replica, c.At)
	case "lead":
		err = e.host.TransferLeader(shard, c.Replica)
	default:
		err = fmt.Errorf("unknown change %q", c.Op)
	}
	if err != nil {
		return consensus.Membership{}, err
	}
	return e.host.Membership(ctx, shard)
}

// change asks the shard's leader, or any voter, for a change.
func (e *Engine) change(ctx context.Context, s *catalog.Shard, c memberChange) (consensus.Membership, error) {
	var m consensus.Membership
	err := fmt.Errorf("shard %d: no voter is alive", s.ID)
	for _, n := range e.voters(s) {
		cc, cancel := context.WithTimeout(ctx, barrierTimeout)
		if n == e.opt.Node {
			m, err = e.serveChange(cc, n, c)
		} else {
			err = e.call(cc, n, rpcChange, c, &m)
		}
		cancel()
		if err == nil {
			return m, nil
		}
	}
	return m, err
}

// voters lists the live nodes of a shard's voters, the leader's first.
func (e *Engine) voters(s *catalog.Shard) []broker.NodeID {
	leader := e.leaderOf(s.ID)
	var ns []broker.NodeID
	for _, r := range s.Replicas {
		switch {
		case r.State == catalog.ReplicaJoining || !e.peers.alive(r.Node):
		case r.Node == leader:
			ns = append([]broker.NodeID{r.Node}, ns...)
		default:
			ns = append(ns, r.Node)
		}
	}
	return ns
}

// placementLoop moves replicas, one change per shard at a time, while this node leads the
// catalog. The catalog holds the intent, Raft's membership follows; each step is safe
// to do again.
func (e *Engine) placementLoop(ctx context.Context) {
	for ctx.Err() == nil {
		if l, ok := e.leadOf(catalog.CatalogShard); ok {
			v := l.r.catalogView()
			if v.Version() > 0 {
				f, at := e.facts(ctx, v)
				for _, step := range catalog.Plan(v, f) {
					if err := e.perform(ctx, l, v, at[step.Shard], step); err != nil {
						e.log.Warn("placement step not done, will be tried again", "step", step.String(), "err", err)
					} else {
						e.log.Info("placement step done", "step", step.String())
					}
				}
			}
		}
		sleep(ctx, placementEvery)
	}
}

// facts gathers what Plan goes by: each node's status and each shard's membership; at
// says which membership that was.
func (e *Engine) facts(ctx context.Context, v *catalog.View) (f catalog.Facts, at map[broker.ShardID]uint64) {
	at = map[broker.ShardID]uint64{}
	f = catalog.Facts{Alive: map[broker.NodeID]bool{}, Shards: map[broker.ShardID]catalog.ShardFacts{}}
	statuses := map[broker.NodeID]nodeStatus{e.opt.Node: e.status()}
	for _, n := range v.Nodes() {
		f.Alive[n.ID] = e.peers.alive(n.ID)
		if s, ok := e.peers.status(n.ID); ok {
			statuses[n.ID] = s
		}
	}
	for _, s := range v.Shards() {
		m, err := e.change(ctx, s, memberChange{Op: "read", Shard: s.ID})
		at[s.ID] = m.ConfigChangeID
		sf := catalog.ShardFacts{Known: err == nil, Replicas: map[uint64]catalog.Health{}}
		var most uint64
		for _, r := range s.Replicas {
			most = max(most, statusOf(statuses[r.Node], s.ID, r.ID).Applied)
		}
		for _, r := range s.Replicas {
			x := statusOf(statuses[r.Node], s.ID, r.ID)
			h := catalog.Health{Raft: raftMembership(m, r.ID), Whole: x.Whole, Damaged: x.Damaged != "", CaughtUp: x.Applied+caughtUpEntries >= most && x.Applied > 0}
			if x.Leading {
				sf.Leader = r.ID
			}
			sf.Replicas[r.ID] = h
		}
		for _, set := range []map[uint64]string{m.Voters, m.NonVoting} {
			for id := range set { //lint:sorted each fills its own place
				if _, ok := s.Replica(id); !ok {
					sf.Replicas[id] = catalog.Health{Raft: raftMembership(m, id)}
				}
			}
		}
		f.Shards[s.ID] = sf
	}
	return f, at
}

func raftMembership(m consensus.Membership, id uint64) catalog.Membership {
	if _, ok := m.Voters[id]; ok {
		return catalog.Voter
	}
	if _, ok := m.NonVoting[id]; ok {
		return catalog.NonVoter
	}
	if m.Removed[id] {
		return catalog.Expelled
	}
	return catalog.NotMember
}

func statusOf(s nodeStatus, shard broker.ShardID, replica uint64) replicaStatus {
	for _, r := range s.Replicas {
		if r.Shard == shard && r.Replica == replica {
			return r
		}
	}
	return replicaStatus{}
}

// perform does one step. For a removal Raft comes first, so that the catalog never calls
// a replica gone that still votes; for an addition the catalog comes first, so that no
// replica id is used that the catalog does not know. Removals name the membership they
// were decided on: Raft does not know the catalog's terms, and a driver that was deposed
// unnoticed must not take a voter out of a membership that another one has changed.
func (e *Engine) perform(ctx context.Context, l *lead, v *catalog.View, at uint64, step catalog.Step) error {
	s, ok := v.Shard(step.Shard)
	n, known := v.Node(step.Node)
	if !ok {
		return fmt.Errorf("unknown shard %d", step.Shard)
	}
	c := memberChange{Shard: step.Shard, Replica: step.Replica}
	if known {
		c.Raft = n.Raft
	}
	record := func(cmd []byte) error {
		out, err := e.propose(ctx, catalog.CatalogShard, l.term, cmd)
		if err != nil {
			return err
		}
		var res command.CatalogResult
		if err := res.Decode(out); err != nil {
			return err
		}
		if res.Code != broker.CodeNone {
			return broker.Refuse(res.Code, "place replica", shardName(step.Shard))
		}
		return nil
	}
	switch step.Kind {
	case catalog.StepAdd:
		cmd := command.ReplicaAdd{Shard: step.Shard, Replica: step.Replica, Node: step.Node, NonVoting: true}
		return record(cmd.AppendTo(nil))
	case catalog.StepJoin:
		c.Op = "join"
		_, err := e.change(ctx, s, c)
		return err
	case catalog.StepPromote:
		c.Op = "promote"
		if _, err := e.change(ctx, s, c); err != nil {
			return err
		}
		cmd := command.ReplicaPromote{Shard: step.Shard, Replica: step.Replica}
		return record(cmd.AppendTo(nil))
	case catalog.StepRemove:
		c.Op, c.At = "remove", at
		if _, err := e.change(ctx, s, c); err != nil {
			return err
		}
		cmd := command.ReplicaRemove{Shard: step.Shard, Replica: step.Replica}
		return record(cmd.AppendTo(nil))
	case catalog.StepLead:
		c.Op = "lead"
		_, err := e.change(ctx, s, c)
		return err
	}
	return fmt.Errorf("unknown step %v", step)
}

// placementEvery is the pause between two looks at the placement.
const placementEvery = time.Second

// caughtUpEntries is how far behind the leader's applied index a replica may be to count
// as caught up: what a busy shard appends between two status reports.
const caughtUpEntries = 2000

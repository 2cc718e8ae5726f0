package engine_test

import (
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/engine/broker"
)

// A node may be set aside only when every shard it is in has a leader and a healthy
// majority without it.
func TestSafeWithout(t *testing.T) {
	state := func(change func(*engine.ClusterState)) *engine.ClusterState {
		c := &engine.ClusterState{ClusterID: "c", Self: 2}
		for i := broker.NodeID(1); i <= 3; i++ {
			c.Nodes = append(c.Nodes, engine.NodeState{ID: i, Alive: i != 1})
		}
		s := engine.ShardState{ID: 2, Leader: 2}
		for i := broker.NodeID(1); i <= 3; i++ {
			s.Replicas = append(s.Replicas, engine.ReplicaStatus{Node: i, State: "voting", Whole: i != 1})
		}
		c.Shards = []engine.ShardState{s}
		change(c)
		return c
	}
	for _, x := range []struct {
		why    string
		change func(*engine.ClusterState)
	}{
		{"", func(*engine.ClusterState) {}},
		{"itself", func(c *engine.ClusterState) { c.Self = 1 }},
		{"still alive", func(c *engine.ClusterState) { c.Nodes[0].Alive = true }},
		{"not a member", func(c *engine.ClusterState) { c.Nodes = c.Nodes[1:] }},
		{"no leader", func(c *engine.ClusterState) { c.Shards[0].Leader = broker.NoNode }},
		{"no leader", func(c *engine.ClusterState) { c.Shards[0].Leader = 1 }},
		{"healthy voters", func(c *engine.ClusterState) { c.Nodes[2].Alive = false }},
		{"healthy voters", func(c *engine.ClusterState) { c.Shards[0].Replicas[1].Whole = false }},
		{"healthy voters", func(c *engine.ClusterState) { c.Shards[0].Replicas[2].Damaged = "rot" }},
	} {
		err := state(x.change).SafeWithout(1)
		if (err == nil) != (x.why == "") || err != nil && !strings.Contains(err.Error(), x.why) {
			t.Errorf("%q: %v", x.why, err)
		}
	}
}

package engine

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
)

// SafeWithout says nil when nothing is lost if what a stopped node holds is given up: it
// refuses when a shard of the node has no leader, or no majority of healthy voters, elsewhere.
// It judges by what the node that was asked for the state knows.
func (c *ClusterState) SafeWithout(node broker.NodeID) error {
	if c.Self == node {
		return fmt.Errorf("the answer is that of node %d itself", node)
	}
	alive := map[broker.NodeID]bool{}
	for _, n := range c.Nodes {
		alive[n.ID] = n.Alive
	}
	if _, ok := alive[node]; !ok {
		return fmt.Errorf("node %d is not a member of cluster %s", node, c.ClusterID)
	}
	if alive[node] {
		return fmt.Errorf("node %d is still alive", node)
	}
	for _, s := range c.Shards {
		voters, good, here := 0, 0, false
		for _, r := range s.Replicas {
			here = here || r.Node == node
			if r.State != "voting" {
				continue
			}
			voters++
			if r.Node != node && alive[r.Node] && r.Whole && r.Damaged == "" {
				good++
			}
		}
		switch {
		case !here:
		case s.Leader == node || s.Leader <= 0:
			return fmt.Errorf("shard %d has no leader elsewhere", s.ID)
		case good < voters/2+1:
			return fmt.Errorf("shard %d has only %d healthy voters of %d elsewhere", s.ID, good, voters)
		}
	}
	return nil
}

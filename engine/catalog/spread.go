package catalog

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// Replicas is how many replicas shards get with so many nodes.
func Replicas(nodes int) int {
	if nodes >= ReplicasWanted {
		return ReplicasWanted
	}
	return 1
}

// Majority is that of the data shards' wanted replicas: what min.insync.replicas is said to be.
func (v *View) Majority() int { return Replicas(len(v.Nodes()))/2 + 1 }

// CheckReplicationFactor accepts −1 and the number that shards have (CodeInvalidReplicationFactor).
func (v *View) CheckReplicationFactor(factor int32) error {
	if want := Replicas(len(v.Nodes())); factor != -1 && factor != int32(want) {
		e := broker.Errorf(broker.CodeInvalidReplicationFactor, "check replication factor", "", "%d was asked for, shards have %d", factor, want)
		e.Hint = "leave it to the cluster with -1"
		return e
	}
	return nil
}

// Spread says on which shards the partitions of a new topic go: each on the data shard with the fewest partitions by
// then, of equals the one with the lowest id. With a colocation name all go to the shard of that name's slot, where its groups and
// transactional ids are, too (ColocationOf); but to the shard of its topics, if these came when the slot was elsewhere.
func (v *View) Spread(partitions int32, colocate string) ([]broker.ShardID, error) {
	if partitions < 1 || partitions > PartitionsPerTopicMax {
		return nil, broker.Errorf(broker.CodeInvalidPartitions, "spread partitions", "", "%d partitions: want 1 to %d", partitions, PartitionsPerTopicMax)
	}
	load := v.loads()
	if len(load) == 0 {
		return nil, broker.Errorf(broker.CodeUnavailable, "spread partitions", "", "there is no data shard yet")
	}
	out := make([]broker.ShardID, partitions)
	if colocate != "" {
		_, owner := v.Owner(colocate)
		home := owner.Shard
		for _, t := range v.topics {
			if t.Effective().Colocate == colocate && len(t.Shards) > 0 {
				home = t.Shards[0]
				break
			}
		}
		for i := range out {
			out[i] = home
		}
		return out, nil
	}
	for i := range out {
		l := least(load)
		out[i] = l.shard
		l.partitions++
	}
	return out, nil
}

type shardLoad struct {
	shard      broker.ShardID
	partitions int
}

// loads counts the partitions of every data shard, by shard id.
func (v *View) loads() []shardLoad {
	count := make(map[broker.ShardID]int, len(v.shards))
	for _, t := range v.topics {
		for _, s := range t.Shards {
			count[s]++
		}
	}
	var out []shardLoad
	for _, s := range v.shards {
		if s.ID != CatalogShard {
			out = append(out, shardLoad{s.ID, count[s.ID]})
		}
	}
	return out
}

func least(load []shardLoad) *shardLoad {
	best := &load[0]
	for i := range load {
		if load[i].partitions < best.partitions {
			best = &load[i]
		}
	}
	return best
}

// PlanBootstrap is the command that makes a cluster of these nodes: the catalog's shard and perNode data shards for
// each node (0: DataShardsPerNode), replicas spread evenly with the lowest ids as replica ids 1, 2, 3, and the slots
// dealt out to the data shards in turn.
func PlanBootstrap(clusterID string, nodes []*Node, perNode int) (*command.Bootstrap, error) {
	if len(nodes) == 0 || len(nodes) > NodesMax {
		return nil, fmt.Errorf("plan bootstrap: %d nodes: want 1 to %d", len(nodes), NodesMax)
	}
	if perNode <= 0 {
		perNode = DataShardsPerNode
	}
	c := &command.Bootstrap{ClusterID: clusterID}
	for _, n := range nodes {
		c.Nodes = append(c.Nodes, n.Spec())
	}
	shards, replicas := 1+perNode*len(nodes), Replicas(len(nodes))
	for i := range shards {
		s := command.ShardSpec{Shard: CatalogShard + broker.ShardID(i)}
		for r := range replicas {
			s.Replicas = append(s.Replicas, command.ReplicaSpec{Replica: uint64(r + 1), Node: nodes[(i+r)%len(nodes)].ID})
		}
		c.Shards = append(c.Shards, s)
	}
	c.Slots = make([]broker.ShardID, Slots)
	for i := range c.Slots {
		c.Slots[i] = CatalogShard + 1 + broker.ShardID(i%(shards-1))
	}
	return c, nil
}

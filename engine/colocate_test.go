package engine

import (
	"context"
	"slices"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// What is called after one colocation name lives on one shard with its topics, so that a transaction over them owes nobody anything
// when it is answered: its decision and all of its parts are one log entry.
func TestColocated(t *testing.T) {
	ns := newTestCluster(t, 3)
	createTopic(t, ns, "other", 1) // so that the shard of bank's slot is not the emptiest
	var topic *broker.Topic
	eventually(t, "create topic", func() (err error) {
		topic, err = ns[0].e.CreateTopic(context.Background(), broker.Client{}, broker.TopicSpec{Name: "bank.transfers", Partitions: 4, ReplicationFactor: -1,
			Configs: map[string]string{catalog.KeyColocate: "bank"}})
		return err
	})
	v := ns[0].e.view.Load()
	_, owner := v.Owner("bank--tellers")
	stored, _ := v.TopicByID(topic.ID)
	if slices.ContainsFunc(stored.Shards, func(s broker.ShardID) bool { return s != owner.Shard }) {
		t.Fatalf("partitions on %v, the group on %d", stored.Shards, owner.Shard)
	}
	connect(t, ns[1]).declare("bank--audit") // answered when every node has it
	if q, ok := ns[0].e.view.Load().Queue(broker.DefaultHost, "bank--audit"); !ok || q.Shard != owner.Shard {
		t.Fatalf("the queue is %v, the group on shard %d", q, owner.Shard)
	}
	for i, id := range []string{"bank--transfers", "bank--reversals"} {
		c := newFirstVersion(t, ns, id)
		var ps []broker.Partition
		for p := range int32(4) {
			ps = append(ps, broker.Partition{Topic: topic.ID, Index: p})
		}
		c.must("add partitions", func(n *testNode, p broker.TransactionalProducer) error {
			return n.e.AddPartitions(context.Background(), &broker.AddPartitions{TransactionalProducer: p, Partitions: ps})
		})
		for _, p := range ps {
			c.write(p, id)
		}
		c.must("end", func(n *testNode, p broker.TransactionalProducer) error {
			_, _, err := n.e.EndTransaction(context.Background(), &broker.EndTransaction{TransactionalProducer: p, Commit: true})
			if err != nil {
				return err
			}
			r, _ := n.e.replica(owner.Shard)
			r.mu.RLock()
			defer r.mu.RUnlock()
			if _, owed, _ := r.txns.IDs().Open(); owed != 0 {
				t.Errorf("%d decisions are owed to other shards", owed)
			}
			return nil
		})
		for _, p := range ps { // at once: nothing is on its way
			got, err := readCommitted(ns, p)
			if err != nil || len(got) != i+1 || got[i] != id {
				t.Errorf("%v: read %v, %v", p, got, err)
			}
		}
	}
}

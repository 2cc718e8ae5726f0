package engine

import (
	"slices"
	"testing"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
)

// A leader whose catalog is older than a partition keeps it, and all that was
// acknowledged in it: to its cache the partition looks deleted.
func TestOldCatalogDeletesNoPartition(t *testing.T) {
	ns := newTestCluster(t, 1)
	e := ns[0].e
	old := e.view.Load()
	topic := createTopic(t, ns, "payments", 4)
	for i := range int32(4) {
		appendTo(t, ns, broker.Partition{Topic: topic.ID, Index: i}, records("a", "b"))
	}
	for _, s := range old.Shards() {
		l, ok := e.leadOf(s.ID)
		if !ok || s.ID == catalog.CatalogShard {
			continue
		}
		e.view.Store(old)
		l.reconcile()
	}
	for i := range int32(4) {
		if got := readAll(t, ns, broker.Partition{Topic: topic.ID, Index: i}, 0); !slices.Equal(got, []string{"a", "b"}) {
			t.Fatalf("partition %d: %v", i, got)
		}
	}
}

// A catalog that is older than a replica takes nothing away from it: not its log, not
// its rows.
func TestOldCatalogForgetsNoReplica(t *testing.T) {
	shard := &catalog.Shard{ID: 2, NextReplica: 4, Replicas: []catalog.Replica{{ID: 1, Node: 1}, {ID: 3, Node: 3}}}
	for id, want := range map[uint64]bool{1: false, 2: true, 3: false, 4: false, 5: false} {
		if got := takenAway(shard, id); got != want {
			t.Errorf("replica %d taken away: %v", id, got)
		}
	}
	ns := newTestCluster(t, 1)
	e := ns[0].e
	topic := createTopic(t, ns, "payments", 4)
	p := broker.Partition{Topic: topic.ID}
	appendTo(t, ns, p, records("a"))
	v := e.view.Load()
	old, err := catalog.DecodeView(v.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range old.Shards() { // as it was before the replicas were placed here
		s.Replicas, s.NextReplica = []catalog.Replica{}, 1
	}
	e.followReplicas(t.Context(), old)
	if rs := e.host.Replicas(); len(rs) != 3 || rs[0].Role == consensus.RoleUnknown {
		t.Fatalf("replicas %+v", rs)
	}
	if got := readAll(t, ns, p, 0); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("read %v", got)
	}
}

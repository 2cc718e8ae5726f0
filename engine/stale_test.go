package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
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

// A node whose disk was lost, and which meets peers that just restarted with a catalog
// older than its registration, comes back under new ids all the same.
func TestLostDiskBesideOldCatalogs(t *testing.T) {
	ns := newTestCluster(t, 3)
	before := ns[0].e.view.Load()
	topic := createTopic(t, ns, "payments", 4)
	for i := range int32(4) {
		appendTo(t, ns, broker.Partition{Topic: topic.ID, Index: i}, records("a"))
	}
	ns[2].stop()
	ns[2].fs = vfs.NewMem()
	for _, n := range ns[:2] {
		old, err := catalog.DecodeView(before.AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range old.Nodes() { // as at bootstrap: nobody has registered
			x.Kafka = broker.Endpoint{}
		}
		n.e.view.Store(old)
	}
	ns[2].start()
	eventually(t, "identity", func() error {
		if !ns[2].e.identified() {
			return fmt.Errorf("none yet")
		}
		return nil
	})
	for s := range broker.ShardID(3) {
		if id, ok := ns[2].e.isLost(s + 1); !ok || id == 0 {
			t.Errorf("shard %d: replica %d lost: %v", s+1, id, ok)
		}
	}
	ns[2].ready()
	for i := range int32(4) {
		if got := readAll(t, ns, broker.Partition{Topic: topic.ID, Index: i}, 0); !slices.Equal(got, []string{"a"}) {
			t.Fatalf("partition %d: %v", i, got)
		}
	}
}

// A crash between the first word about a replica and the journal's record of it is no
// lost disk: a cluster of one would wait for ever for peers to rebuild it from.
func TestCrashAtTheFirstStart(t *testing.T) {
	n := newTestNode(t, 1)
	for s := range broker.ShardID(3) {
		e := &Engine{opt: Options{Node: 1, FS: n.fs, Dir: "data"}}
		id, _, err := loadIdentity(n.fs, "data")
		if err != nil {
			t.Fatal(err)
		}
		e.ident = id
		if err := e.willStart(s+1, 1); err != nil {
			t.Fatal(err)
		}
	}
	n.start()
	n.ready()
	n.stop()
	n.start()
	n.ready()
	n.stop()
	n.j, n.fs = nil, withoutJournal(t, n.fs)
	n.start()
	defer n.stop()
	if _, lost := n.e.isLost(1); !lost {
		t.Error("a journal that is gone was not noticed")
	}
}

// withoutJournal is a copy of the files without the journal's.
func withoutJournal(t *testing.T, from *vfs.MemFS) *vfs.MemFS {
	to := vfs.NewMem()
	if _, err := vfs.Clone(from, to, "data", "data"); err != nil {
		t.Fatal(err)
	}
	return to
}

// A catalog replica that was removed while its node was away is told so by nobody in
// Raft; the node learns it from its peers and takes part again under a new id.
func TestCatalogReplicaRemovedMeanwhile(t *testing.T) {
	ns := newTestCluster(t, 3)
	ns[2].stop()
	var on catalog.Replica
	eventually(t, "removed", func() error {
		s, _ := ns[0].e.view.Load().Shard(catalog.CatalogShard)
		r, ok := s.On(3)
		if !ok {
			return nil
		}
		on = r
		if err := ns[0].h.RemoveReplica(t.Context(), uint64(catalog.CatalogShard), r.ID); err != nil {
			return err
		}
		cmd := command.ReplicaRemove{Shard: catalog.CatalogShard, Replica: r.ID}
		_, err := ns[0].e.changeCatalog(t.Context(), "remove", "", cmd.AppendTo(nil))
		return err
	})
	ns[2].start()
	eventually(t, "a new catalog replica", func() error {
		s, _ := ns[2].e.view.Load().Shard(catalog.CatalogShard)
		if r, ok := s.On(3); !ok || r.ID <= on.ID || r.State != catalog.ReplicaVoting {
			return fmt.Errorf("%v", s)
		}
		return nil
	})
	// What a crash in the middle of forgetting leaves is freed later.
	left := logID{catalog.CatalogShard, on.ID}
	if err := saveBootstrap(ns[2].j.SaveBootstrapInfo, left); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old log is freed", func() error {
		if logs, err := ns[2].e.logs(); err != nil || logs[left] {
			return fmt.Errorf("%v %w", logs, err)
		}
		return nil
	})
}

// saveBootstrap writes an empty bootstrap record, whose type is only consensus' to name.
func saveBootstrap[T any](save func(shard, replica uint64, b T) error, l logID) error {
	var b T
	return save(uint64(l.shard), l.replica, b)
}

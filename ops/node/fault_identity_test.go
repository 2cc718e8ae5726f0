package node_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/ops/node"
)

// One copy of a node's identity rots while it is down: it mends it and goes on. Both rot: it says so and does not start,
// and once its stores are set aside it is rebuilt from its peers under new ids, as if its disk were lost.
func TestFaultIdentityRots(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, nil)
	rng := seeded(t)
	l := startLoad(t, c, 4, 1, 200, 200)
	l.progress(100)
	s := c.nodes[1]
	had := c.replicasOf(s)
	for _, name := range engine.IdentityFiles() {
		s.stop()
		s.disk.flip(t, "/data/"+name, 0, 1<<30, 1<<30, rng)
		if err := s.start(); err != nil {
			t.Fatalf("one copy left: %v", err)
		}
		if _, ok := s.log.said("a copy of this node's identity was made anew", name); !ok {
			t.Errorf("it does not say that it mended %s", name)
		}
		c.ready()
	}
	for shard, id := range c.replicasOf(s) { //lint:sorted each is judged by itself
		if !maps.Equal(had[shard], id) {
			t.Errorf("shard %d: replicas %v now, %v before", shard, id, had[shard])
		}
	}
	s.stop()
	for _, name := range engine.IdentityFiles() {
		s.disk.flip(t, "/data/"+name, 0, 1<<30, 1<<30, rng)
	}
	if err := s.start(); !errors.Is(err, engine.ErrIdentityDamaged) {
		t.Fatalf("both copies rotten: %v", err)
	}
	l.progress(100)
	if _, err := node.SetAside(s.disk, "/data", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	c.healthy(had)
	if _, ok := s.log.said("this node's disk was lost", "replicas=3"); !ok {
		t.Error("it does not say that it begins anew")
	}
	l.progress(100)
	l.finish()
}

package node_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tallymq/tallymq/engine/store"
)

// Tables of the row store rot while a former leader is down: it does not serve with them and
// says which file it is, the others serve, and on an empty disk it is rebuilt under new
// replica ids.
func TestFaultRowsRot(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, smallCache)
	rng := seeded(t)
	l := startLoad(t, c, 4, 1, 300, 500)
	l.progress(300)
	s := c.leaderOf(2)
	for _, shard := range []uint64{1, 2, 3} {
		for _, r := range s.node().Host.Replicas() {
			if r.Shard == shard {
				if err := s.node().Store.Replica(shard, r.Replica).Sync(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	had := c.replicasOf(s)
	s.stop()
	tables, flips := s.disk.list(t, "/data/rows", ".sst"), 0
	for _, name := range tables {
		flips += s.disk.flip(t, name, 0, 1<<30, 512, rng)
	}
	if flips == 0 {
		t.Fatal("there is no table to damage")
	}
	err := s.start()
	if err == nil {
		eventually(t, "the node stops", func() error {
			if err = s.why(); err == nil {
				return fmt.Errorf("it runs on")
			}
			return nil
		})
	}
	t.Logf("%d bits flipped in %d tables: %.300v", flips, len(tables), err)
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("the node does not say what is wrong: %v", err)
	}
	l.progress(100)
	s.stop()
	s.disk = newDisk()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	c.healthy(had)
	c.lead(2, s)
	l.progress(100)
	l.finish()
}

package node_test

import (
	"fmt"
	"testing"

	"github.com/tallymq/tallymq/ops/config"
)

// smallCache makes readers read the disk.
func smallCache(c *config.Config) { c.JournalCacheBytes = 64 << 10 }

// segments are a node's journal segments, oldest first; the last one is written to.
func (s *server) segments() []string {
	s.t.Helper()
	names := s.disk.list(s.t, "/data/journal", ".seg")
	if len(names) < 2 {
		all, _ := s.disk.FS.List("/data/journal")
		s.t.Fatalf("node %d has too few segments: %v", s.cfg.NodeID, all)
	}
	return names
}

// mended waits until a node knows of no damage any more, and every shard is whole.
func (c *servers) mended(s *server) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("node %d is mended", s.cfg.NodeID), func() error {
		if n := s.node(); n == nil {
			return fmt.Errorf("it is down: %v", s.why())
		}
		if st := s.cluster(); len(st.Damages) > 0 {
			return fmt.Errorf("%d damages, first %s", len(st.Damages), st.Damages[0])
		}
		return nil
	})
	c.healthy(nil)
}

// Bits of sealed segments rot on a follower that is down: it finds the damage when it
// starts, says so, is repaired from its peers or rebuilt, and the others serve all along.
func TestFaultJournalRotsWhileDown(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, smallCache)
	rng := seeded(t)
	l := startLoad(t, c, 4, 1, 500, 2000)
	l.progress(2500)
	s := c.follower(2)
	s.stop()
	names, flips := s.segments(), 0
	for _, name := range names[:len(names)-1] {
		flips += s.disk.flip(t, name, 64<<10, 1<<20, 128<<10, rng)
	}
	l.progress(100)
	if err := s.start(); err != nil {
		t.Fatalf("a node with %d flipped bits in %d segments does not start: %v", flips, len(names)-1, err)
	}
	eventually(t, "the node says what is damaged", func() error {
		if _, ok := s.log.said("damage found in the journal"); !ok {
			return fmt.Errorf("it does not")
		}
		return nil
	})
	l.progress(100)
	c.mended(s)
	if _, err := s.node().Journal.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mended(s)
	t.Logf("%d bits flipped in %d segments, %d repairs", flips, len(names)-1, s.node().Journal.Stats().Repairs)
	// What it was given by its peers is what clients get from it.
	c.lead(2, s)
	c.lead(3, s)
	l.progress(100)
	l.finish()
}

// Bits rot under a running leader, in records that are committed and, as all of them here,
// still in Raft's range: consumers that read them get no wrong byte, only a delay.
func TestFaultJournalRotsUnderLeader(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, smallCache)
	rng := seeded(t)
	l := startLoad(t, c, 4, 1, 500, 2000)
	l.progress(2500)
	s := c.leaderOf(2)
	c.lead(3, s)
	names, flips := s.segments(), 0
	for _, name := range names[:len(names)-1] {
		flips += s.disk.flip(t, name, 64<<10, 1<<20, 256<<10, rng)
	}
	// A reader from the start meets every one of them.
	l.drain()
	l.progress(100)
	if _, err := s.node().Journal.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.mended(s)
	if _, ok := s.log.said("damage found in the journal"); !ok {
		t.Error("the node does not say what is damaged")
	}
	repairs := s.metric("tallymq_journal_repairs_total")
	t.Logf("%d bits flipped in %d segments, %v repairs", flips, len(names)-1, repairs)
	if repairs < 1 {
		t.Errorf("metrics tell %v repairs", repairs)
	}
	l.finish()
}

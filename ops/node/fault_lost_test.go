package node_test

import (
	"testing"
)

// Every node in turn loses its disk and comes back with the same flags and nothing else:
// it is given new replica ids, catches up, votes again, and serves. At the end no byte of
// the first three disks is left.
func TestFaultDiskLost(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, nil)
	l := startLoad(t, c, 4, 1, 200, 200)
	for _, s := range c.nodes {
		had := c.replicasOf(s)
		if len(had) != 3 {
			t.Fatalf("node %d has replicas of %d shards", s.cfg.NodeID, len(had))
		}
		s.stop()
		l.progress(100) // the others go on
		s.disk = newDisk()
		if err := s.start(); err != nil {
			t.Fatal(err)
		}
		c.healthy(had)
		if _, ok := s.log.said("this node's disk was lost", "replicas=3"); !ok {
			t.Errorf("node %d does not say that its disk was lost", s.cfg.NodeID)
		}
		l.progress(100)
	}
	l.finish()
}

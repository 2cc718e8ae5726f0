package node_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/ops/config"
)

// short waits until a node says that its disk is short, in all three places; or it has said so in its log and then stopped, since what others lead went on
// to fill its disk.
func (c *servers) short(s *server) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("node %d says that its disk is short", s.cfg.NodeID), func() error {
		why := s.why()
		if _, ok := s.log.said("disk space is short"); !ok {
			return fmt.Errorf("not in its log (it stopped: %v)", why)
		}
		if why != nil {
			if strings.Contains(why.Error(), "the disk is full") {
				return nil
			}
			return fmt.Errorf("it stopped: %v", why)
		}
		if m := s.metric("tallymq_journal_space_level"); m < 1 {
			return fmt.Errorf("metric %v", m)
		}
		for _, x := range c.nodes { // every node tells it
			st := x.cluster()
			for _, n := range st.Nodes {
				if int32(n.ID) == s.cfg.NodeID && (n.Space == "ok" || n.Space == "") {
					return fmt.Errorf("node %d calls its space %q", x.cfg.NodeID, n.Space)
				}
			}
		}
		return nil
	})
}

// roomAgain gives the disk room and waits until nobody complains any more. A node that
// had to stop is started again.
func (c *servers) roomAgain(s *server) {
	c.t.Helper()
	s.disk.empty()
	if s.why() != nil {
		c.t.Logf("node %d had stopped: %v", s.cfg.NodeID, s.why())
		s.restart()
	}
	eventually(c.t, "enough space", func() error {
		if m := s.metric("tallymq_journal_space_level"); m != 0 {
			return fmt.Errorf("level %v", m)
		}
		return nil
	})
	c.healthy(nil)
}

// The disk of the leader of all shards gets full: it says so, hands its leaderships over,
// and the cluster goes on. Then the same with a follower, until nothing at all can be
// written there.
func TestFaultDiskFull(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, nil)
	l := startLoad(t, c, 4, 1, 200, 4000)
	s := c.leaderOf(2)
	c.lead(3, s)
	s.disk.fill(2 << 20)
	c.short(s)
	eventually(t, "others lead the data shards", func() error {
		for _, shard := range []uint64{2, 3} {
			if c.leaderOf(shard) == s {
				return fmt.Errorf("it still leads shard %d", shard)
			}
		}
		return nil
	})
	l.progress(300)
	c.roomAgain(s)

	s = c.follower(2)
	s.disk.fill(0)
	l.progress(2000) // 8 MB: more than its reserve
	if s.node() != nil {
		c.short(s)
	} else {
		t.Logf("the follower stopped: %v", s.why())
	}
	if s.disk.refusals() == 0 {
		t.Error("the disk refused nothing")
	}
	c.roomAgain(s)
	l.progress(100)
	l.finish()
}

// A follower whose disk is full is sent a snapshot: it waits, or stops and says why; the
// others serve, and once there is room it catches up.
func TestFaultDiskFullAtSnapshot(t *testing.T) {
	t.Parallel()
	c := newServers(t, 3, func(c *config.Config) { c.SnapshotBytes, c.LogKeepBytes = 1<<20, 1<<20 })
	l := startLoad(t, c, 4, 1, 300, 8000)
	l.progress(500)
	s := c.follower(2)
	s.stop()
	l.progress(1500)
	s.disk.fill(256 << 10) // enough to start, not enough for what it missed
	if err := s.start(); err != nil {
		t.Logf("it does not start: %v", err)
	} else {
		l.progress(300)
		if s.node() != nil {
			c.short(s)
		}
	}
	s.disk.empty()
	if s.node() == nil {
		t.Logf("it stopped: %v", s.why())
		s.restart()
	}
	c.roomAgain(s)
	if s.pulled() == 0 {
		t.Error("it was not sent a snapshot: nothing was shown")
	}
	l.progress(100)
	l.finish()
}

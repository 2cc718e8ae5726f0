package consensus

import (
	"context"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus/journal"
)

func TestEntryspan(t *testing.T) {
	none := entryspan{}
	for _, c := range []struct{ a, b, want entryspan }{
		{none, none, none},
		{none, entryspan{3, 3}, entryspan{3, 3}},
		{entryspan{3, 3}, none, entryspan{3, 3}},
		{entryspan{3, 3}, entryspan{7, 9}, entryspan{3, 9}},
		{entryspan{5, math.MaxUint64}, entryspan{4, 4}, entriesFrom(4)},
	} {
		if got := c.a.with(c.b); got != c.want {
			t.Errorf("%v with %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestMark(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/d", 0o755); err != nil {
		t.Fatal(err)
	}
	mark := markPath("/d", 2, 3)
	read := func(want entryspan) {
		t.Helper()
		if got, err := readMark(fs, mark); err != nil || got != want {
			t.Fatalf("%v, %v; want %v", got, err, want)
		}
	}
	read(entryspan{})
	for _, want := range []entryspan{{1, 1}, {7, 12}, entriesFrom(99)} {
		if err := writeMark(fs, mark, want); err != nil {
			t.Fatal(err)
		}
		read(want)
	}
	// One that says nothing that can be read puts everything in doubt.
	for _, text := range []string{"", "payloads may be missing\n", "payloads of entries 0 to 0 may be missing\n"} {
		if err := writeFileAtomically(fs, mark, []byte(text)); err != nil {
			t.Fatal(err)
		}
		read(entriesFrom(1))
	}
	if err := removeMark(fs, mark); err != nil {
		t.Fatal(err)
	}
	read(entryspan{})
}

// looked counts the payloads that a puller looks for in its own journal: each look reads the bytes.
type looked struct {
	payloads
	n atomic.Int64
}

func (l *looked) HasPayload(shard, replica uint64, n journal.Name) bool {
	l.n.Add(1)
	return l.payloads.HasPayload(shard, replica, n)
}

// aheadOf makes a cluster of three in which one node is stopped, has applied 400 payloads, and cannot get the next 100 by log.
func aheadOf(t *testing.T, walkNames int) (c *testCluster, leader, away *testNode, had uint64) {
	t.Helper()
	c = newCluster(t, 3)
	for _, n := range c.nodes {
		n.options = func(o *Options) {
			smallLog(o)
			o.Limits.PullWalkNames = walkNames
		}
	}
	c.boot(3)
	leader = c.leader()
	leader.fill(0, 400, 1000)
	c.compacted()
	for _, n := range c.nodes {
		if n != leader {
			away = n
		}
	}
	c.eventually("caught up", func() bool { return away.status().Whole && away.status().Applied >= leader.status().Applied })
	if err := away.toy().Sync(); err != nil {
		t.Fatal(err)
	}
	had = away.status().Applied
	away.stop()
	leader.fill(400, 100, 1000)
	c.eventually("a log that does not reach back", func() bool {
		leader.fill(500, 1, 0)
		ss, err := leader.host.logdb.GetSnapshot(testShard, uint64(leader.id))
		if err != nil {
			t.Fatal(err)
		}
		st, err := leader.host.logdb.ReadRaftState(testShard, uint64(leader.id), ss.Index)
		return err == nil && st.FirstIndex > had+1
	})
	return c, leader, away, had
}

// comesBack starts the node's replica and waits until it has everything.
func (c *testCluster) comesBack(away, leader *testNode) {
	c.t.Helper()
	away.host.SetPlacement(testShard, c.placement(3))
	if err := away.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: uint64(away.id)}); err != nil {
		c.t.Fatal(err)
	}
	c.eventually("whole again", func() bool { return away.status().Whole && away.status().Applied >= leader.status().Applied })
	c.sameLogs(leader, away)
	if n := away.checkPayloads(uint64(away.id)); n != 500 {
		c.t.Errorf("%d payloads of 500", n)
	}
}

// A replica that was away looks only for payloads that came since, and about once for each, however few a walk remembers.
func TestPullLooksOnlyWhereItMust(t *testing.T) {
	c, leader, away, _ := aheadOf(t, 50)
	away.start()
	l := &looked{payloads: away.host.payloads}
	away.host.payloads = l
	c.comesBack(away, leader)
	if n := l.n.Load(); n < 100 || n > 350 {
		t.Errorf("looked for %d payloads, 100 were new", n)
	}
}

// A pull that was left unfinished goes on when the replica starts. If a snapshot is installed at that moment, it walks over
// rows that are about to be replaced, finds nothing missing, and must not conclude anything from that.
func TestPullConcludesNothingWhileRowsAreReplaced(t *testing.T) {
	c, leader, away, had := aheadOf(t, 50)
	if err := writeMark(away.fs, markPath(away.dir+"/raft", testShard, uint64(away.id)), entriesFrom(had+1)); err != nil {
		t.Fatal(err)
	}
	installing, walked := make(chan struct{}), false
	away.walking = func(ctx context.Context, _ *toy) {
		select { // the pull must not be over before the snapshot comes
		case <-installing:
		case <-ctx.Done():
		}
	}
	away.installing = func(m *toy) {
		close(installing)
		before := m.walks.Load()
		for range 100 { // until a walk that began meanwhile has ended, and something may have been concluded from it
			if walked = m.walks.Load() > before+2 || away.status().Whole; walked {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	away.start()
	c.comesBack(away, leader)
	if !walked {
		t.Error("no pull walked over rows about to be replaced: the test shows nothing")
	}
}

package consensus

import (
	"math"
	"sync/atomic"
	"testing"

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

// A replica that was away looks only for payloads that came since, and about once for each, however few a walk remembers.
func TestPullLooksOnlyWhereItMust(t *testing.T) {
	c := newCluster(t, 3)
	for _, n := range c.nodes {
		n.options = func(o *Options) {
			smallLog(o)
			o.Limits.PullWalkNames = 50
		}
	}
	c.boot(3)
	leader := c.leader()
	leader.fill(0, 400, 1000)
	c.compacted()
	var away *testNode
	for _, n := range c.nodes {
		if n != leader {
			away = n
		}
	}
	c.eventually("caught up", func() bool { return away.status().Applied >= leader.status().Applied })
	if err := away.toy().Sync(); err != nil {
		t.Fatal(err)
	}
	had := away.status().Applied
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
	away.start()
	l := &looked{payloads: away.host.payloads}
	away.host.payloads = l
	away.host.SetPlacement(testShard, c.placement(3))
	if err := away.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: uint64(away.id)}); err != nil {
		t.Fatal(err)
	}
	c.eventually("whole again", func() bool { return away.status().Whole && away.status().Applied >= leader.status().Applied })
	c.sameLogs(leader, away)
	if n := l.n.Load(); n < 100 || n > 350 {
		t.Errorf("looked for %d payloads, 100 were new", n)
	}
	if n := away.checkPayloads(uint64(away.id)); n != 500 {
		t.Errorf("%d payloads of 500", n)
	}
}

package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// payloadCommand is a toy command with a payload of n bytes that k decides.
func payloadCommand(k, n int) (head, payload []byte) {
	head = fmt.Appendf(nil, "P%016d", k)
	payload = make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(k), 1))
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	return head, payload
}

// fill proposes count payload commands of n bytes through node and waits for all.
func (n *testNode) fill(from, count, size int) {
	n.c.t.Helper()
	var wg sync.WaitGroup
	for k := from; k < from+count; k++ {
		head, payload := payloadCommand(k, size)
		wg.Add(1)
		n.host.Propose(&Proposal{Shard: testShard, Head: head, Payload: payload, Done: func(_ []byte, err error) {
			if err != nil {
				n.c.t.Errorf("payload %d: %v", k, err)
			}
			wg.Done()
		}})
	}
	wg.Wait()
}

// checkPayloads reads every payload that the rows name from the node's own journal.
func (n *testNode) checkPayloads(replica uint64) (count int) {
	n.c.t.Helper()
	for _, r := range n.toy().log() {
		if r.Name.Length == 0 {
			continue
		}
		got, err := n.journal.ReadPayload(testShard, replica, r.Name, nil)
		if err != nil {
			n.c.t.Fatalf("node %d: payload %v: %v", n.id, r.Name, err)
		}
		var k int
		if _, err := fmt.Sscanf(string(r.Body), "P%d", &k); err != nil {
			n.c.t.Fatal(err)
		}
		if _, want := payloadCommand(k, len(got)); !bytes.Equal(got, want) {
			n.c.t.Fatalf("node %d: payload %d differs", n.id, k)
		}
		count++
	}
	return count
}

// smallLog makes snapshots frequent and the kept log short, so that a new replica needs a snapshot.
func smallLog(o *Options) {
	o.Limits.SnapshotBytes, o.Limits.LogKeepBytes = 64<<10, 16<<10
	o.Limits.EntryBytes = 8 << 10
	o.Limits.PullBatchBytes = 16 << 10
}

// compacted waits until no voter's log reaches back to its beginning.
func (c *testCluster) compacted() {
	c.t.Helper()
	c.eventually("compacted logs", func() bool {
		for _, n := range c.nodes[:3] {
			ss, err := n.host.logdb.GetSnapshot(testShard, uint64(n.id))
			if err != nil {
				c.t.Fatal(err)
			}
			st, err := n.host.logdb.ReadRaftState(testShard, uint64(n.id), ss.Index)
			if err != nil || st.FirstIndex <= 10 {
				return false
			}
		}
		return true
	})
}

func (n *testNode) status() ReplicaStatus {
	for _, s := range n.host.Replicas() {
		if s.Shard == testShard {
			return s
		}
	}
	return ReplicaStatus{}
}

// A fourth node joins as non-voting, gets rows by snapshot and payloads by pull, is promoted, restarts in each role, and
// another replica is removed.
func TestAddPromoteRestartRemove(t *testing.T) {
	c := newCluster(t, 4)
	for _, n := range c.nodes {
		n.options = smallLog
	}
	c.boot(3)
	leader := c.leader()
	leader.fill(0, 400, 1000)
	c.compacted()

	joiner := c.nodes[3]
	// Asked on a node that hosts nothing: forwarded.
	if err := joiner.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, true); err != nil {
		t.Fatal(err)
	}
	if err := leader.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, true); err != nil {
		t.Fatalf("repeated: %v", err)
	}
	start := func(nonVoting bool) {
		t.Helper()
		placement := append(c.placement(3), Placement{Replica: 4, Node: 4, NonVoting: true})
		for _, n := range c.nodes {
			n.host.SetPlacement(testShard, placement)
		}
		if err := joiner.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: 4, Join: true, NonVoting: nonVoting}); err != nil {
			t.Fatal(err)
		}
	}
	start(true)
	c.eventually("whole", func() bool { s := joiner.status(); return s.Whole && s.Applied > 0 })
	c.sameLogs(leader, joiner)
	if n := joiner.checkPayloads(4); n != 400 {
		t.Fatalf("%d payloads of 400", n)
	}
	if s := joiner.status(); s.Role != RoleNonVoting {
		t.Fatal(s)
	}

	restart := func(nonVoting bool) {
		t.Helper()
		joiner.stop()
		joiner.start()
		start(nonVoting)
	}
	restart(true)
	c.sameLogs(leader, joiner)
	if err := leader.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, false); err != nil {
		t.Fatal(err)
	}
	c.eventually("promoted", func() bool { return joiner.status().Role == RoleVoter })
	leader.fill(1000, 20, 1000)
	// A promoted replica restarts, whatever the caller believes, before and after its own snapshot.
	restart(true)
	c.sameLogs(leader, joiner)
	restart(false)
	c.sameLogs(leader, joiner)
	if s := joiner.status(); s.Role != RoleVoter {
		t.Fatal(s)
	}
	leader.fill(2000, 200, 1000)
	restart(false)
	c.sameLogs(leader, joiner)
	c.eventually("whole again, if it was so far behind that it got a snapshot", func() bool { return joiner.status().Whole })
	joiner.checkPayloads(4)

	gone := c.nodes[0]
	seen, err := joiner.host.Membership(c.ctx(), testShard)
	if err != nil {
		t.Fatal(err)
	}
	if err := joiner.host.RemoveReplicaAt(c.ctx(), testShard, 1, seen.ConfigChangeID-1); !errors.Is(err, ErrMembershipChanged) {
		t.Fatalf("decided on an older membership: %v", err)
	}
	if _, err := joiner.host.nh.RequestDeleteReplica(testShard, 1, seen.ConfigChangeID-1, time.Second); err != nil {
		t.Fatal(err) // refused when it is applied, whoever asks
	}
	if m, err := joiner.host.Membership(c.ctx(), testShard); err != nil || len(m.Voters) != 4 {
		t.Fatal(m, err)
	}
	if err := joiner.host.RemoveReplicaAt(c.ctx(), testShard, 1, seen.ConfigChangeID); err != nil {
		t.Fatal(err)
	}
	if err := joiner.host.RemoveReplica(c.ctx(), testShard, 1); err != nil {
		t.Fatalf("repeated: %v", err)
	}
	if err := joiner.host.RemoveReplicaAt(c.ctx(), testShard, 1, seen.ConfigChangeID); err != nil {
		t.Fatalf("repeated, of what is done already: %v", err)
	}
	m, err := joiner.host.Membership(c.ctx(), testShard)
	if err != nil || len(m.Voters) != 3 || !m.Removed[1] {
		t.Fatal(m, err)
	}
	if err := joiner.host.AddReplica(c.ctx(), testShard, 1, gone.raftAddr, false); !errors.Is(err, ErrReplicaRemoved) {
		t.Fatal(err)
	}
	if err := gone.host.StopReplica(testShard); err != nil {
		t.Fatal(err)
	}
	if err := gone.host.RemoveReplicaData(testShard, 1); err != nil {
		t.Fatal(err)
	}
	placement := []Placement{{Replica: 2, Node: 2}, {Replica: 3, Node: 3}, {Replica: 4, Node: 4}}
	for _, n := range c.nodes {
		n.host.SetPlacement(testShard, placement)
	}
	gone.mustPropose("forwarded by the removed")
	c.sameLogs(c.nodes[1:]...)
	// A wiped node comes back under a new id.
	if err := gone.host.AddReplica(c.ctx(), testShard, 5, gone.raftAddr, true); err != nil {
		t.Fatal(err)
	}
	if err := gone.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: 5, Join: true, NonVoting: true}); err != nil {
		t.Fatal(err)
	}
	c.eventually("the new replica", func() bool { s := gone.status(); return s.Whole && s.Applied > 0 })
	c.sameLogs(c.nodes[1], gone)
	gone.checkPayloads(5)
}

// The pull is interrupted by closing the host in its middle: the mark makes the next start go on, and what was pulled is
// not pulled again. Until whole the replica cannot be promoted.
func TestPullInterrupted(t *testing.T) {
	c := newCluster(t, 4)
	for _, n := range c.nodes {
		n.options = smallLog
	}
	joiner := c.nodes[3]
	slow := true
	joiner.options = func(o *Options) {
		smallLog(o)
		if slow {
			o.Limits.PullBytesPerSecond = 200 << 10
		}
	}
	c.boot(3)
	leader := c.leader()
	leader.fill(0, 400, 1000)
	c.compacted()
	if err := leader.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, true); err != nil {
		t.Fatal(err)
	}
	placement := append(c.placement(3), Placement{Replica: 4, Node: 4, NonVoting: true})
	start := func() {
		for _, n := range c.nodes {
			n.host.SetPlacement(testShard, placement)
		}
		if err := joiner.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: 4, Join: true, NonVoting: true}); err != nil {
			t.Fatal(err)
		}
	}
	have := func() (n int) {
		for _, r := range joiner.toy().log() {
			if r.Name.Length > 0 && joiner.journal.HasPayload(testShard, 4, r.Name) {
				n++
			}
		}
		return n
	}
	start()
	c.eventually("a part of the payloads", func() bool { n := have(); return n > 0 && n < 380 && !joiner.status().Whole })
	ctx, cancel := context.WithTimeout(c.ctx(), 2*time.Second)
	defer cancel()
	if err := leader.host.AddReplica(ctx, testShard, 4, joiner.raftAddr, false); !errors.Is(err, ErrNotWhole) {
		t.Fatalf("promoted while pulling: %v", err)
	}
	joiner.stop()
	slow = false
	joiner.start()
	start()
	c.eventually("whole", func() bool { return joiner.status().Whole })
	c.sameLogs(leader, joiner)
	if n := joiner.checkPayloads(4); n != 400 {
		t.Fatalf("%d payloads of 400", n)
	}
	if err := leader.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, false); err != nil {
		t.Fatal(err)
	}
}

// Rows that are ahead of the log are refused: dragonboat would skip what comes next.
func TestRowsAheadOfTheLog(t *testing.T) {
	c := newCluster(t, 1)
	c.boot(1)
	n := c.leader()
	n.mustPropose("a")
	if err := n.toy().Sync(); err != nil {
		t.Fatal(err)
	}
	n.stop()
	disk := n.disks[[2]uint64{testShard, 1}]
	rows, err := disk.load()
	if err != nil {
		t.Fatal(err)
	}
	rows.Applied += 1000
	if err := disk.store(&rows); err != nil {
		t.Fatal(err)
	}
	n.start()
	if err := n.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: 1}); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

// A replica that joined as non-voting and has its whole log, promoted since, starts again whatever the caller believes:
// dragonboat panics when its log makes a voter non-voting (#204).
func TestPromotedRestartsFromItsLog(t *testing.T) {
	c := newCluster(t, 4)
	c.boot(3)
	leader := c.leader()
	joiner := c.nodes[3]
	if err := leader.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, true); err != nil {
		t.Fatal(err)
	}
	start := func(nonVoting bool) {
		t.Helper()
		if err := joiner.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: 4, Join: true, NonVoting: nonVoting}); err != nil {
			t.Fatal(err)
		}
	}
	start(true)
	leader.fill(0, 10, 100)
	c.eventually("applied", func() bool { return joiner.status().Applied > 5 })
	if err := leader.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, false); err != nil {
		t.Fatal(err)
	}
	c.eventually("promoted", func() bool { return joiner.status().Role == RoleVoter })
	for _, nonVoting := range []bool{false, true} {
		joiner.stop()
		joiner.start()
		joiner.host.SetPlacement(testShard, append(c.placement(3), Placement{Replica: 4, Node: 4}))
		start(nonVoting)
		leader.mustPropose("x")
		c.sameLogs(leader, joiner)
		c.eventually("a voter again", func() bool { return joiner.status().Role == RoleVoter })
	}
}

package consensus

import (
	"bytes"
	"errors"
	"io"
	"path"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus/journal"
)

// flip inverts one byte in the middle of the only place where the node's journal holds these bytes.
func (n *testNode) flip(want []byte) {
	n.c.t.Helper()
	names, err := n.fs.List(n.dir + "/journal")
	if err != nil {
		n.c.t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		p := path.Join(n.dir, "journal", name)
		f, err := n.fs.OpenReadWrite(p, vfs.WriteCategoryUnspecified)
		if err != nil {
			continue
		}
		b, err := io.ReadAll(f)
		if err != nil {
			n.c.t.Fatal(err)
		}
		if at := bytes.Index(b, want); at >= 0 {
			at += len(want) / 2
			if _, err := f.WriteAt([]byte{b[at] ^ 0xff}, int64(at)); err != nil {
				n.c.t.Fatal(err)
			}
			found++
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			n.c.t.Fatal(err)
		}
	}
	if found != 1 {
		n.c.t.Fatalf("the bytes are in %d files", found)
	}
}

// A follower's committed entry rots while it is down: the journal finds it, a peer's copy repairs it, and the replica
// starts with every byte as it was.
func TestDamagedEntryIsRepairedAtStart(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	leader := c.leader()
	leader.fill(0, 50, 2000)
	c.sameLogs(c.nodes...)
	victim := c.nodes[int(leader.id)%3]
	victim.stop()
	_, payload := payloadCommand(7, 2000)
	victim.flip(payload)
	victim.start()
	victim.host.SetPlacement(testShard, c.placement(3))
	if len(victim.journal.Damages()) == 0 {
		t.Fatal("the journal saw no damage")
	}
	t.Log(victim.journal.Damages())
	victim.startReplica(nil)
	if d := victim.journal.Damages(); len(d) > 0 {
		t.Fatalf("not repaired: %v", d)
	}
	leader.mustPropose("after")
	c.sameLogs(c.nodes...)
	victim.checkPayloads(uint64(victim.id))
}

// With no peer to repair it, the replica is refused, and says why.
func TestDamageWithoutPeersIsRefused(t *testing.T) {
	c := newCluster(t, 1)
	c.boot(1)
	n := c.leader()
	n.fill(0, 50, 2000)
	n.stop()
	_, payload := payloadCommand(7, 2000)
	n.flip(payload)
	n.start()
	err := n.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: 1})
	if !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	t.Log(err)
}

// Damage found while running: an entry is repaired in the background, anything else marks the replica.
func TestDamageWhileRunning(t *testing.T) {
	c := newCluster(t, 3)
	c.boot(3)
	leader := c.leader()
	leader.fill(0, 50, 2000)
	c.sameLogs(c.nodes...)
	n := c.nodes[0]
	n.host.OnDamage(journal.Damage{Shard: testShard, Replica: uint64(n.id), Kind: journal.LostState})
	if s := n.status(); !errors.Is(s.Damaged, ErrDamaged) {
		t.Fatal(s)
	}
	if _, err := n.host.serveWhole(c.ctx(), 2, []byte{testShard, 0, 0, 0, 0, 0, 0, 0, byte(n.id), 0, 0, 0, 0, 0, 0, 0}); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

// A replica whose apply failed waits for its owner. Stopped, it is gone, with nothing of what it failed at called applied;
// the others of its node, whose apply worker it held, go on; and started again it goes on from there.
func TestStopOfAHaltedReplica(t *testing.T) {
	c := newCluster(t, 3)
	for _, n := range c.nodes {
		n.options = func(o *Options) { o.Limits.Workers = 1 }
	}
	c.boot(3)
	leader := c.leader()
	leader.fill(0, 20, 100)
	c.sameLogs(c.nodes...)
	n := c.nodes[0]
	if n == leader {
		n = c.nodes[1]
	}
	n.mu.Lock()
	machine := n.toys[testShard]
	n.mu.Unlock()
	machine.mu.Lock()
	machine.broken = true
	before := machine.rows.Applied
	machine.mu.Unlock()
	leader.mustPropose("it fails at this")
	c.eventually("the failure is told", func() bool { return errors.Is(n.status().Damaged, ErrDamaged) })
	if err := n.host.StopReplica(testShard); err != nil {
		t.Fatal(err)
	}
	if rows, err := machine.disk.load(); err != nil || rows.Applied > before || machine.rows.Applied != before {
		t.Errorf("what failed was called applied: %d of %d, %v", rows.Applied, before, err)
	}
	if err := n.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: uint64(n.id)}); err != nil {
		t.Fatal(err)
	}
	leader.mustPropose("after")
	c.sameLogs(c.nodes...)
}

// A replica that joined looks in its log for how it became a member. An entry that rotted there is repaired first, like
// any other: such a node started never again.
func TestDamagedEntryOfAReplicaThatJoined(t *testing.T) {
	c := newCluster(t, 4)
	c.boot(3)
	leader, joiner := c.leader(), c.nodes[3]
	if err := leader.host.AddReplica(c.ctx(), testShard, 4, joiner.raftAddr, true); err != nil {
		t.Fatal(err)
	}
	spec := ReplicaSpec{Shard: testShard, Replica: 4, Join: true, NonVoting: true}
	if err := joiner.host.StartReplica(c.ctx(), spec); err != nil {
		t.Fatal(err)
	}
	leader.fill(0, 10, 2000)
	c.sameLogs(leader, joiner)
	joiner.stop()
	_, payload := payloadCommand(7, 2000)
	joiner.flip(payload)
	joiner.start()
	joiner.host.SetPlacement(testShard, append(c.placement(3), Placement{Replica: 4, Node: 4}))
	if err := joiner.host.StartReplica(c.ctx(), spec); err != nil {
		t.Fatal(err)
	}
	if d := joiner.journal.Damages(); len(d) > 0 {
		t.Fatalf("not repaired: %v", d)
	}
	leader.mustPropose("after")
	c.sameLogs(leader, joiner)
}

package journal

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// fillSegments saves entries of one replica until n more segments have begun. Each is trimmed at once.
func fillSegments(t *testing.T, j *Journal, id replicaID, next *uint64, n int) {
	t.Helper()
	start := j.newest()
	for j.newest() < start+uint64(n) {
		must(t, j.SaveRaftState([]pb.Update{testUpdate(id, st(1, 1, *next), testEntry(id.shard, *next+1, 1, 9000))}, 1))
		*next++
		must(t, j.RemoveEntriesTo(id.shard, id.replica, *next))
	}
}

// newest is the number of the active segment.
func (j *Journal) newest() uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.ledger.active.number
}

// TestIdleShardPinsNothing: while another shard writes ten segments, an idle one with a vote, a snapshot and entries in
// Raft's range keeps none of them.
func TestIdleShardPinsNothing(t *testing.T) {
	fs := vfs.NewMem()
	idle, busy := replicaID{1, 1}, replicaID{2, 1}
	live := &namesEverything{applied: map[replicaID]uint64{idle: 4, busy: 0}, names: map[replicaID][]Name{}}
	o := testOptions(fs)
	o.Live = live
	j := mustOpen(t, o)
	m := newModel()
	boot := pb.Bootstrap{Join: true, Type: pb.OnDiskStateMachine}
	m.of(idle).boot = &boot
	must(t, j.SaveBootstrapInfo(1, 1, boot))
	u := testUpdate(idle, st(3, 2, 4), testEntries(1, 1, 6, 3, 100)...)
	m.save(u)
	must(t, j.SaveRaftState([]pb.Update{u}, 1))
	s := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 3, 3)}
	m.snapshot(s)
	must(t, j.SaveSnapshots([]pb.Update{s}))
	next := uint64(0)
	for range 10 {
		fillSegments(t, j, busy, &next, 1)
		live.applied[busy] = next
		_, err := j.Collect(context.Background())
		must(t, err)
	}
	if st := j.Stats(); st.Segments > 4 || st.SegmentsFreed < 7 {
		t.Fatalf("%d segments, %d freed\n%s", st.Segments, st.SegmentsFreed, j.Describe())
	}
	must(t, m.judge(j, idle, false))
	must(t, j.Close())
	j = mustOpen(t, o)
	defer j.Close()
	must(t, m.judge(j, idle, false))
}

// TestNothingGoesTooEarly: an entry stays while Raft needs it, while it is not durably applied, and while it is named.
func TestNothingGoesTooEarly(t *testing.T) {
	fs := vfs.NewMem()
	live := &namesEverything{applied: map[replicaID]uint64{}, names: map[replicaID][]Name{}}
	o := testOptions(fs)
	j := mustOpen(t, o)
	defer func() { must(t, j.Close()) }()
	collect := func(want bool, why string) {
		t.Helper()
		s, err := j.Collect(context.Background())
		must(t, err)
		if (s.Freed > 0) != want {
			t.Fatalf("%s: freed %d\n%s", why, s.Freed, j.Describe())
		}
	}
	next := uint64(0)
	save := func(n int) {
		for range n {
			must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, next), testEntry(1, next+1, 1, 9000))}, 1))
			next++
		}
	}
	save(20)
	collect(false, "nobody to ask")
	j.SetLiveness(live)
	collect(false, "unknown replica")
	live.applied[one] = 20
	collect(false, "in Raft's range")
	must(t, j.RemoveEntriesTo(1, 1, 20))
	live.applied[one] = 1
	collect(false, "not durably applied")
	live.applied[one] = 20
	for i := uint64(1); i <= 20; i++ {
		live.names[one] = append(live.names[one], nameOf(testEntry(1, i, 1, 9000), 0, 8000))
	}
	collect(false, "named, most of it")
	live.names[one] = live.names[one][3:4]
	collect(true, "one payload left")
	n := live.names[one][0]
	b, err := j.ReadPayload(1, 1, n, []byte("before "))
	if err != nil || !bytes.Equal(b[7:], testEntry(1, 4, 1, 9000).Cmd[1:8001]) || string(b[:7]) != "before " {
		t.Fatalf("relocated: %d bytes, %v", len(b), err)
	}
	if !j.HasPayload(1, 1, n) || j.HasPayload(1, 1, nameOf(testEntry(1, 5, 1, 9000), 0, 8000)) {
		t.Fatal("has")
	}
	live.names[one] = nil
	collect(true, "the payload segment")
	if _, err := j.ReadPayload(1, 1, n, nil); !errors.Is(err, ErrNotFound) {
		t.Fatalf("freed payload: %v", err)
	}
}

// TestRestateRacesOverwrite: an entry is said again while its suffix is overwritten; whichever comes first in the log,
// the overwritten one does not come back, neither now nor after a restart.
func TestRestateRacesOverwrite(t *testing.T) {
	for _, again := range []bool{false, true} {
		fs := vfs.NewMem()
		j := mustOpen(t, testOptions(fs))
		m := newModel()
		u := testUpdate(one, st(1, 1, 2), testEntries(1, 1, 6, 1, 50)...)
		m.save(u)
		must(t, j.SaveRaftState([]pb.Update{u}, 1))
		old := testEntry(1, 5, 1, 50)
		d, err := entryDescriptor(kindRestate, one, &old)
		must(t, err)
		p := plan{ds: []descriptor{d}, bodies: []body{{entry: &old}}}
		over := testUpdate(one, st(2, 1, 2), testEntries(1, 4, 5, 2, 50)...)
		m.save(over)
		if again {
			must(t, j.submitPlan(&p))
			must(t, j.SaveRaftState([]pb.Update{over}, 1))
		} else {
			must(t, j.SaveRaftState([]pb.Update{over}, 1))
			must(t, j.submitPlan(&p))
		}
		for range 3 {
			must(t, m.judge(j, one, false))
			must(t, j.Close())
			j = mustOpen(t, testOptions(fs))
		}
		must(t, j.Close())
	}
}

// slowMachine overwrites Raft's suffix and takes a new history while garbage collection asks it.
type slowMachine struct {
	namesEverything
	meanwhile func()
	once      sync.Once
}

func (s *slowMachine) Live(shard, replica, lo, hi uint64, yield func(Name) bool) error {
	err := s.namesEverything.Live(shard, replica, lo, hi, yield)
	s.once.Do(s.meanwhile)
	return err
}

// TestRelocationRacesNewHistory: while live ranges are judged and copied, a snapshot resets the log and other entries
// take the indexes. The old payloads are still found by their names, the new entries are Raft's.
func TestRelocationRacesNewHistory(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	j := mustOpen(t, o)
	m := newModel()
	save := func(u pb.Update) { m.save(u); must(t, j.SaveRaftState([]pb.Update{u}, 1)) }
	save(testUpdate(one, st(1, 1, 8), testEntries(1, 1, 20, 1, 4000)...))
	must(t, j.RemoveEntriesTo(1, 1, 8))
	m.trim(one, 8)
	n := nameOf(testEntry(1, 5, 1, 4000), 10, 100)
	machine := &slowMachine{namesEverything: namesEverything{applied: map[replicaID]uint64{one: 8}, names: map[replicaID][]Name{one: {n}}}}
	machine.meanwhile = func() {
		save(testUpdate(one, st(2, 1, 8), testEntries(1, 10, 12, 2, 60)...))
		u := testUpdate(one, st(3, 1, 30), testEntries(1, 31, 32, 3, 60)...)
		u.Snapshot = testSnapshot(1, 30, 3)
		save(u)
	}
	next := uint64(0)
	fillSegments(t, j, replicaID{2, 1}, &next, 3)
	machine.applied[replicaID{2, 1}] = next
	m.snapshot(pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 8, 1)})
	must(t, j.SaveSnapshots([]pb.Update{{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 8, 1)}}))
	j.SetLiveness(machine)
	for range 3 {
		_, err := j.Collect(context.Background())
		must(t, err)
		machine.applied[one] = 30
	}
	if s := j.Stats(); s.Relocated == 0 {
		t.Fatalf("nothing relocated\n%s", j.Describe())
	}
	for range 2 {
		must(t, m.judge(j, one, false))
		if b, err := j.ReadPayload(1, 1, n, nil); err != nil || checksum(b) != n.CRC {
			t.Fatalf("payload: %v", err)
		}
		must(t, j.Close())
		j = mustOpen(t, o)
	}
	must(t, j.Close())
}

// TestForgetReplica: Raft's data goes first, payloads stay; forgotten, they go as well, over restarts.
func TestForgetReplica(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	live := &namesEverything{applied: map[replicaID]uint64{}, names: map[replicaID][]Name{}}
	o.Live = live
	j := mustOpen(t, o)
	must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, 3), testEntries(1, 1, 3, 1, 100)...)}, 1))
	n := nameOf(testEntry(1, 2, 1, 100), 5, 50)
	must(t, j.RemoveNodeData(1, 1))
	must(t, j.Close())
	j = mustOpen(t, o)
	if b, err := j.ReadPayload(1, 1, n, nil); err != nil || len(b) != 50 {
		t.Fatalf("after removal: %v", err)
	}
	if _, err := j.Collect(context.Background()); err != nil || j.Stats().SegmentsFreed != 0 {
		t.Fatalf("freed of an unknown replica: %v", err)
	}
	must(t, j.ForgetReplica(1, 1))
	for range 2 {
		if _, err := j.ReadPayload(1, 1, n, nil); !errors.Is(err, ErrNotFound) {
			t.Fatalf("after forgetting: %v", err)
		}
		must(t, j.Close())
		j = mustOpen(t, o)
	}
	if _, err := j.Collect(context.Background()); err != nil || j.Stats().SegmentsFreed == 0 {
		t.Fatalf("not freed: %v\n%s", err, j.Describe())
	}
	must(t, j.Close())
}

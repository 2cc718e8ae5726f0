package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// step is one call and what it does to the model.
type step struct {
	name  string
	model func(*model)
	do    func(*Journal) error
}

func saveStep(name string, us ...pb.Update) step {
	return step{name, func(m *model) { m.save(us...) }, func(j *Journal) error { return j.SaveRaftState(us, 1) }}
}

// history is a little of everything: overwritten suffixes, snapshots received and local, removal, several segments.
func history() (steps []step) {
	two := replicaID{2, 1}
	boot := pb.Bootstrap{Addresses: map[uint64]string{1: "a1"}, Type: pb.OnDiskStateMachine}
	add := func(s ...step) { steps = append(steps, s...) }
	add(step{"bootstrap", func(m *model) { m.of(one).boot = &boot }, func(j *Journal) error { return j.SaveBootstrapInfo(1, 1, boot) }})
	add(saveStep("first entries", testUpdate(one, st(1, 1, 0), testEntries(1, 1, 3, 1, 20)...)))
	add(saveStep("both shards at once", testUpdate(one, st(1, 1, 2), testEntries(1, 4, 4, 1, 700)...), testUpdate(two, st(1, 1, 0), testEntries(2, 1, 2, 1, 30)...)))
	add(saveStep("commit alone", testUpdate(one, st(1, 1, 3))))
	add(saveStep("overwrite a suffix", testUpdate(one, st(2, 2, 3), testEntries(1, 4, 5, 2, 40)...)))
	add(saveStep("vote alone", testUpdate(two, st(3, 1, 0))))
	add(saveStep("fill a segment", testUpdate(two, st(3, 1, 1), testEntries(2, 3, 12, 3, 5000)...)))
	snap := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 3, 1)}
	add(step{"local snapshot", func(m *model) { m.snapshot(snap) }, func(j *Journal) error { return j.SaveSnapshots([]pb.Update{snap}) }})
	add(step{"trim", func(m *model) { m.trim(one, 2) }, func(j *Journal) error { return j.RemoveEntriesTo(1, 1, 2) }})
	add(saveStep("fill another", testUpdate(two, st(3, 1, 12), testEntries(2, 13, 22, 3, 5000)...)))
	received := testUpdate(one, st(4, 1, 9), testEntries(1, 10, 11, 4, 30)...)
	received.Snapshot = testSnapshot(1, 9, 4)
	add(saveStep("snapshot received", received))
	add(saveStep("overwrite across segments", testUpdate(two, st(5, 1, 12), testEntries(2, 20, 21, 5, 100)...)))
	add(step{"remove", func(m *model) { m.remove(one) }, func(j *Journal) error { return j.RemoveNodeData(1, 1) }})
	add(saveStep("come back", testUpdate(one, st(1, 1, 0), testEntries(1, 1, 1, 1, 10)...)))
	add(saveStep("last", testUpdate(two, st(5, 1, 21), testEntries(2, 22, 22, 5, 1200)...)))
	return steps
}

// check opens a disk as it is after a power loss and says whether it holds the model as acknowledged, or with the call
// under way done as well.
func check(disk *vfs.MemFS, before, after *model) error {
	j, err := Open(testOptions(disk))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer j.Close()
	if ds := j.Damages(); len(ds) > 0 {
		return fmt.Errorf("damage reported: %v", ds)
	}
	e1 := before.judgeAll(j, true)
	if e1 == nil || after == nil {
		return e1
	}
	if e2 := after.judgeAll(j, true); e2 != nil {
		return fmt.Errorf("neither before (%w) nor after (%w)", e1, e2)
	}
	return nil
}

// TestPowerLossAtEverySync runs the history and fails the power at every sync of every file, with nothing of what was
// not synced, with all of it, with every subset of its sectors where they are few, else with random ones. What was
// acknowledged is there; a call under way is there whole or not at all; no damage is reported.
func TestPowerLossAtEverySync(t *testing.T) {
	fs := newCrashFS(vfs.NewCrashableMem())
	must(t, fs.MkdirAll("/", 0o755))
	rng := rand.New(rand.NewPCG(1, 2))
	before, after := newModel(), newModel()
	var now atomic.Pointer[string]
	points, disks := 0, 0
	try := func(what string, disk *vfs.MemFS) {
		disks++
		if err := check(disk, before, after); err != nil {
			t.Errorf("%s during %q: %v", what, *now.Load(), err)
		}
	}
	hook := func(path string, ws []write) {
		if t.Failed() {
			return
		}
		points++
		pieces := sectors(fs.synced(), path, ws)
		if n := len(pieces); n > 0 && n <= 8 {
			for mask := range uint64(1) << n {
				try(fmt.Sprintf("sectors %b of %d of %s", mask, n, path), fs.torn(path, pieces, mask))
			}
		} else if n > 0 {
			n = min(n, 63)
			for i := range n {
				try(fmt.Sprintf("first %d sectors of %s", i, path), fs.torn(path, pieces[:n], 1<<i-1))
				try(fmt.Sprintf("all but sector %d of %s", i, path), fs.torn(path, pieces, ^(uint64(1)<<i)))
			}
			for range 20 {
				mask := rng.Uint64()
				try(fmt.Sprintf("sectors %b of %s", mask, path), fs.torn(path, pieces, mask))
			}
		}
		try("nothing unsynced", fs.synced())
		try("everything unsynced", fs.random(rng, 100))
		for range 4 {
			try("random blocks and names", fs.random(rng, 50))
		}
	}
	name := "open"
	now.Store(&name)
	fs.watch(hook)
	j := mustOpen(t, testOptions(fs))
	for _, s := range history() {
		name := s.name
		now.Store(&name)
		doing := before.clone()
		s.model(doing)
		fs.hooks.Lock()
		after = doing
		fs.hooks.Unlock()
		must(t, s.do(j))
		if name == "commit alone" || name == "trim" {
			must(t, j.settle()) // so that it has a sync of its own
		}
		j.sealedAll() // the footer's writer must not meet the next step's models
		fs.hooks.Lock()
		before = after
		fs.hooks.Unlock()
	}
	last := "close"
	now.Store(&last)
	must(t, j.Close())
	t.Logf("%d syncs, %d disks", points, disks)
	if points < 20 || disks < 500 {
		t.Fatalf("only %d syncs, %d disks", points, disks)
	}
}

// TestPowerLossAgainAndAgain: random histories over many power losses, each continued on the disk it left. What was cut
// once never comes back.
func TestPowerLossAgainAndAgain(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 20
	}
	freed := uint64(0)
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		disk := vfs.NewCrashableMem()
		m := newModel()
		term := uint64(1)
		for round := range rounds {
			fs := newCrashFS(disk)
			o := testOptions(fs)
			live := &appliedAll{applied: map[replicaID]uint64{}}
			o.Live = live
			j := mustOpen(t, o)
			if ds := j.Damages(); len(ds) > 0 {
				t.Fatalf("seed %d round %d: damages %v", seed, round, ds)
			}
			if err := m.judgeAll(j, true); err != nil {
				t.Fatalf("seed %d round %d: %v", seed, round, err)
			}
			resync(t, j, m)
			term++
			var lost *vfs.MemFS
			countdown := rng.IntN(12)
			dice := rand.New(rand.NewPCG(seed, uint64(round)))
			fs.watch(func(path string, ws []write) {
				if countdown--; countdown != 0 || lost != nil {
					return
				}
				if pieces := sectors(fs.synced(), path, ws); len(pieces) > 0 {
					lost = fs.torn(path, pieces[:min(64, len(pieces))], dice.Uint64())
				} else {
					lost = fs.random(dice, 50)
				}
			})
			cut := func() *vfs.MemFS { fs.hooks.Lock(); defer fs.hooks.Unlock(); return lost }
			acked := m.clone()
			for range 10 {
				after := m.clone()
				if rng.IntN(4) > 0 {
					u := randomUpdate(rng, after, term)
					after.save(u)
					must(t, j.SaveRaftState([]pb.Update{u}, 1))
				} else {
					compact(t, rng, j, after, live)
				}
				j.sealedAll()
				if at := cut(); at == nil {
					acked = after.clone()
				} else if after.judgeableOn(at) {
					acked = after.clone() // the call under way made it
				}
				m = after
				if cut() != nil {
					break
				}
			}
			fs.hooks.Lock()
			if lost == nil {
				lost = fs.random(rng, rng.IntN(101))
			}
			fs.hooks.Unlock()
			freed += j.Stats().SegmentsFreed
			must(t, j.Close())
			m = acked
			disk = lost
		}
	}
	t.Logf("%d segments freed", freed)
	if freed == 0 {
		t.Fatal("nothing was ever freed")
	}
}

// compact takes a local snapshot of what is committed, trims the log and collects garbage, which recycles segments.
func compact(t *testing.T, rng *rand.Rand, j *Journal, after *model, live *appliedAll) {
	id := replicaID{1 + rng.Uint64N(2), 1}
	if r := after.of(id); r.state.Commit > r.snap.Index && r.state.Commit <= r.last {
		u := pb.Update{ShardID: id.shard, ReplicaID: 1, Snapshot: testSnapshot(id.shard, r.state.Commit, r.entries[r.state.Commit].Term)}
		after.snapshot(u)
		must(t, j.SaveSnapshots([]pb.Update{u}))
		after.trim(id, u.Snapshot.Index)
		must(t, j.RemoveEntriesTo(id.shard, 1, u.Snapshot.Index))
	}
	for _, id := range after.ids() {
		live.set(id, after.of(id).snap.Index)
	}
	_, err := j.Collect(context.Background())
	must(t, err)
}

// judgeableOn says whether a disk holds this model.
func (m *model) judgeableOn(disk *vfs.MemFS) bool {
	j, err := Open(testOptions(disk.CrashClone(vfs.CrashCloneCfg{})))
	if err != nil {
		return false
	}
	defer j.Close()
	return m.judgeAll(j, true) == nil
}

// resync takes over what need not have been durable.
func resync(t *testing.T, j *Journal, m *model) {
	for _, id := range m.ids() {
		r := m.of(id)
		if rs, err := j.ReadRaftState(id.shard, id.replica, r.snap.Index); err == nil {
			r.state = rs.State
		}
	}
}

// randomUpdate is legal for the model it is given.
func randomUpdate(rng *rand.Rand, m *model, term uint64) pb.Update {
	id := replicaID{1 + rng.Uint64N(2), 1}
	r := m.of(id)
	state := st(term, 1, r.state.Commit)
	switch rng.IntN(10) {
	case 0: // a snapshot received
		u := testUpdate(id, st(term, 1, r.last+5))
		u.Snapshot = testSnapshot(id.shard, r.last+5, term)
		return u
	case 1: // commit
		return testUpdate(id, st(max(1, r.state.Term), r.state.Vote, r.last))
	default:
		from := r.last + 1
		if low := max(r.state.Commit, r.snap.Index) + 1; low < from && rng.IntN(3) == 0 {
			from = low + rng.Uint64N(from-low) // overwrite what is not committed
		}
		return testUpdate(id, state, testEntries(id.shard, from, from+rng.Uint64N(4), term, 1+rng.IntN(4000))...)
	}
}

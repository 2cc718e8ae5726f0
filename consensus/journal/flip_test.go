package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// namesEverything is a machine that still names the commands of some entries.
type namesEverything struct {
	applied map[replicaID]uint64
	names   map[replicaID][]Name
}

func (n *namesEverything) Live(shard, replica, lo, hi uint64, yield func(Name) bool) error {
	id := replicaID{shard, replica}
	if _, ok := n.applied[id]; !ok {
		return ErrUnknownReplica
	}
	for _, x := range n.names[id] {
		if x.Index >= lo && x.Index <= hi && !yield(x) {
			break
		}
	}
	return nil
}

func (n *namesEverything) Flushed(_ context.Context, shard, replica uint64) (uint64, error) {
	a, ok := n.applied[replicaID{shard, replica}]
	if !ok {
		return 0, ErrUnknownReplica
	}
	return a, nil
}

// smallJournal writes a journal with everything in it: sealed segments with footers, a payload segment, overwritten
// suffixes, a tail. It gives what must be found.
func smallJournal(t *testing.T) (*vfs.MemFS, *model, map[replicaID][]Name, map[Name][]byte) {
	fs := vfs.NewCrashableMem()
	m := newModel()
	two := replicaID{2, 1}
	live := &namesEverything{applied: map[replicaID]uint64{}, names: map[replicaID][]Name{}}
	payloads := map[Name][]byte{}
	name := func(id replicaID, e pb.Entry) {
		n := nameOf(e, 2, 20)
		live.names[id] = append(live.names[id], n)
		payloads[n] = e.Cmd[3:23]
	}
	o := testOptions(fs)
	o.Live = live
	save := func(j *Journal, us ...pb.Update) { m.save(us...); must(t, j.SaveRaftState(us, 1)) }
	j := mustOpen(t, o)
	boot := pb.Bootstrap{Addresses: map[uint64]string{1: "a1"}, Type: pb.OnDiskStateMachine}
	m.of(one).boot = &boot
	must(t, j.SaveBootstrapInfo(1, 1, boot))
	// Segment 1: entries that only names need afterwards; most of it is dead.
	first := testEntries(1, 1, 6, 1, 100)
	save(j, testUpdate(one, st(1, 1, 6), first...))
	save(j, testUpdate(two, st(1, 1, 0), testEntries(2, 1, 2, 1, 30)...))
	name(one, first[1])
	name(one, first[4])
	must(t, j.Close())
	j = mustOpen(t, o)
	save(j, testUpdate(one, st(1, 1, 6), testEntries(1, 7, 9, 1, 60)...))
	save(j, testUpdate(two, st(2, 1, 0), testEntries(2, 2, 3, 2, 30)...))
	snap := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 6, 1)}
	m.snapshot(snap)
	must(t, j.SaveSnapshots([]pb.Update{snap}))
	m.trim(one, 6)
	must(t, j.RemoveEntriesTo(1, 1, 6))
	must(t, j.Close())
	j = mustOpen(t, o)
	// Entry 9 is overwritten, in another segment.
	e := testEntries(1, 9, 10, 3, 80)
	save(j, testUpdate(one, st(3, 1, 8), e...))
	live.applied[one], live.applied[two] = 8, 0
	for range 2 { // the second cycle sees what the first one said again
		if _, err := j.Collect(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if s := j.Stats(); s.Relocated == 0 || s.SegmentsFreed == 0 {
		t.Fatalf("nothing was relocated: %+v\n%s", s, j.Describe())
	}
	must(t, j.Close())
	j = mustOpen(t, o)
	save(j, testUpdate(one, st(3, 1, 10), testEntries(1, 11, 11, 3, 40)...))
	must(t, j.SaveRaftState([]pb.Update{testUpdate(two, st(4, 2, 1))}, 1))
	m.save(testUpdate(two, st(4, 2, 1)))
	must(t, j.Close())
	return fs, m, live.names, payloads
}

// verdictOn opens a disk with one damaged byte and says whether anything wrong was served or anything acknowledged was
// missing in silence.
func verdictOn(disk *vfs.MemFS, m *model, names map[replicaID][]Name, payloads map[Name][]byte) (reported bool, err error) {
	o := testOptions(disk)
	j, err := Open(o)
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			return false, fmt.Errorf("open: %w", err)
		}
		return true, nil
	}
	defer j.Close()
	covered := func(id replicaID, index uint64) bool {
		return slices.ContainsFunc(j.Damages(), func(d Damage) bool {
			mine := d.Shard == id.shard && d.Replica == id.replica
			return mine && (d.Index == index || d.Index == 0) || d.Kind == LostSegment
		})
	}
	atOpen := len(j.Damages())
	for _, id := range m.ids() {
		r := m.of(id)
		if atOpen == 0 {
			if err := m.judge(j, id, true); err != nil {
				return false, fmt.Errorf("%d/%d and no damage: %w", id.shard, id.replica, err)
			}
		}
		for i, want := range r.entries {
			e, err := j.ReadEntry(id.shard, id.replica, i)
			if err == nil && !sameEntry(e, want) {
				if covered(id, 0) {
					continue // whole replica is given up: it may show an older term
				}
				return false, fmt.Errorf("%d/%d entry %d term %d served, want term %d", id.shard, id.replica, i, e.Term, want.Term)
			}
			if err != nil && !covered(id, i) {
				return false, fmt.Errorf("%d/%d entry %d: %w, and not reported: %v", id.shard, id.replica, i, err, j.Damages())
			}
		}
	}
	for id, ns := range names {
		for _, n := range ns {
			b, err := j.ReadPayload(id.shard, id.replica, n, nil)
			if err == nil && string(b) != string(payloads[n]) {
				return false, fmt.Errorf("payload %v: wrong bytes served", n)
			}
			if err != nil && !errors.Is(err, ErrDamaged) && !covered(id, n.Index) {
				return false, fmt.Errorf("payload %v: %w, and not reported: %v", n, err, j.Damages())
			}
		}
	}
	if _, err := j.Scrub(context.Background()); err != nil {
		return false, fmt.Errorf("scrub: %w", err)
	}
	return len(j.Damages()) > 0, nil
}

// TestEveryByteFlipped flips each byte of a small journal in turn: never is a wrong byte served, never is an
// acknowledged entry missing in silence. Of stretches of zeroes every 61st byte is taken, all of them with -run and
// JOURNAL_FLIP_ALL set.
func TestEveryByteFlipped(t *testing.T) {
	disk, m, names, payloads := smallJournal(t)
	if reported, err := verdictOn(disk.CrashClone(vfs.CrashCloneCfg{}), m, names, payloads); err != nil || reported {
		t.Fatalf("undamaged: reported %t, %v", reported, err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	files, err := disk.List("/j")
	must(t, err)
	slices.Sort(files)
	flips, reports := 0, 0
	stride := 1
	if testing.Short() {
		stride = 23
	}
	for _, f := range files {
		if _, ok := parseSegmentName(f); !ok {
			continue
		}
		data, err := disk.UnsafeGetFileDataBuffer("/j/" + f)
		must(t, err)
		quiet := 0
		for i := 0; i < len(data); i++ {
			if quiet++; data[i] != 0 {
				quiet = 0
			}
			if quiet > 32 && i%61 != 0 && os.Getenv("JOURNAL_FLIP_ALL") == "" || i%stride != 0 {
				continue
			}
			c := disk.CrashClone(vfs.CrashCloneCfg{})
			b, err := c.UnsafeGetFileDataBuffer("/j/" + f)
			must(t, err)
			b[i] ^= 1 << rng.IntN(8)
			flips++
			reported, err := verdictOn(c, m, names, payloads)
			if err != nil {
				t.Fatalf("%s byte %d (of batch at %d): %v", f, i, i/alignBytes*alignBytes, err)
			}
			if reported {
				reports++
			}
		}
	}
	t.Logf("%d bytes flipped, %d reported as damage", flips, reports)
	if flips < 200 || reports < 20 {
		t.Fatalf("only %d flips, %d reports", flips, reports)
	}
}

package journal

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
	"pgregory.net/rapid"
)

// machine is the model of a state machine that names payloads: live names of applied entries, which only ever die.
type machine struct {
	applied, durable uint64
	live             []Name
}

func (w *world) Live(shard, replica, lo, hi uint64, yield func(Name) bool) error {
	k := w.machines[replicaID{shard, replica}]
	if k == nil {
		return ErrUnknownReplica
	}
	for _, n := range k.live {
		if n.Index >= lo && n.Index <= hi && !yield(n) {
			return nil
		}
	}
	return nil
}

func (w *world) Flushed(_ context.Context, shard, replica uint64) (uint64, error) {
	k := w.machines[replicaID{shard, replica}]
	if k == nil {
		return 0, ErrUnknownReplica
	}
	k.durable = k.applied
	return k.durable, nil
}

// world is a journal, the model of its contract, and machines that name payloads in it.
type world struct {
	t        *rapid.T
	fs       *vfs.MemFS
	j        *Journal
	m        *model
	machines map[replicaID]*machine
	bytes    map[replicaID]map[Name][]byte
	term     uint64
}

func (w *world) open() {
	o := testOptions(w.fs)
	o.Live = w
	j, err := Open(o)
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	if ds := j.Damages(); len(ds) > 0 {
		w.t.Fatalf("damages: %v", ds)
	}
	w.j = j
}

func (w *world) check(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatal(err)
	}
}

func (w *world) id(t *rapid.T) replicaID {
	return replicaID{rapid.Uint64Range(1, 3).Draw(t, "shard"), 1}
}

func (w *world) save(t *rapid.T) {
	var us []pb.Update
	after := w.m.clone()
	for shard := uint64(1); shard <= 3; shard++ {
		id := replicaID{shard, 1}
		if rapid.IntRange(0, 2).Draw(t, "skip") > 0 {
			continue
		}
		r := after.of(id)
		w.term += uint64(rapid.IntRange(0, 1).Draw(t, "new term"))
		from := r.last + 1
		if low := max(r.state.Commit, r.snap.Index) + 1; low < from {
			if from = rapid.Uint64Range(low, from).Draw(t, "from"); from <= r.last {
				w.term++ // only a newer leader overwrites
			}
		}
		n := rapid.Uint64Range(0, 5).Draw(t, "entries")
		size := rapid.SampledFrom([]int{24, 300, 3000, 9000}).Draw(t, "size")
		u := testUpdate(id, st(w.term, 1, r.state.Commit), testEntries(shard, from, from+n, w.term, size)...)
		after.save(u)
		if rapid.Bool().Draw(t, "commit") {
			c := testUpdate(id, st(w.term, 1, rapid.Uint64Range(r.state.Commit, r.last).Draw(t, "commit index")))
			u.State = c.State
			after.save(c)
		}
		us = append(us, u)
	}
	w.m = after
	w.check(w.j.SaveRaftState(us, 1))
}

// apply lets the machine name parts of committed entries, and forget some names.
func (w *world) apply(t *rapid.T) {
	id := w.id(t)
	r, k := w.m.of(id), w.machines[id]
	for k.applied < r.state.Commit {
		k.applied++
		e, ok := r.entries[k.applied]
		if !ok {
			continue // came with a snapshot
		}
		for range rapid.IntRange(0, 2).Draw(t, "names") {
			size := uint32(len(e.Cmd) - 1)
			at := rapid.Uint32Range(0, size-1).Draw(t, "position")
			n := nameOf(e, at, rapid.Uint32Range(1, size-at).Draw(t, "length"))
			if len(k.live) > 0 {
				if last := k.live[len(k.live)-1]; last.Index == n.Index && last.Position > n.Position {
					continue // ascending
				}
			}
			k.live = append(k.live, n)
			w.bytes[id][n] = bytes.Clone(e.Cmd[1+n.Position:][:n.Length])
		}
	}
}

func (w *world) settleMessages(t *rapid.T) {
	k := w.machines[w.id(t)]
	keep := k.live[:0]
	one := rapid.IntRange(0, 9).Draw(t, "one in ten stays")
	for i, n := range k.live {
		if i%10 == one {
			keep = append(keep, n)
		}
	}
	k.live = keep
}

func (w *world) snapshotAndTrim(t *rapid.T) {
	id := w.id(t)
	r, k := w.m.of(id), w.machines[id]
	if k.applied == 0 || k.applied <= r.snap.Index || k.applied > r.last {
		return
	}
	u := pb.Update{ShardID: id.shard, ReplicaID: 1, Snapshot: testSnapshot(id.shard, k.applied, w.term)}
	w.m.snapshot(u)
	w.check(w.j.SaveSnapshots([]pb.Update{u}))
	to := rapid.Uint64Range(0, k.applied).Draw(t, "trim")
	w.m.trim(id, to)
	w.check(w.j.RemoveEntriesTo(id.shard, 1, to))
}

func (w *world) receive(t *rapid.T) {
	id := w.id(t)
	r, k := w.m.of(id), w.machines[id]
	w.term++
	index := r.last + rapid.Uint64Range(1, 9).Draw(t, "ahead")
	u := testUpdate(id, st(w.term, 1, index))
	u.Snapshot = testSnapshot(id.shard, index, w.term)
	w.m.save(u)
	w.check(w.j.SaveRaftState([]pb.Update{u}, 1))
	k.applied = index // the rows came with it, and name what was there before
}

func (w *world) pull(t *rapid.T) {
	id := w.id(t)
	k := w.machines[id]
	if k.applied == 0 {
		return
	}
	b := rapid.SliceOfN(rapid.Byte(), 1, 2000).Draw(t, "bytes")
	n := Name{Index: k.applied, Position: 1 << 20, Length: uint32(len(b)), CRC: checksum(b)}
	if len(k.live) > 0 && k.live[len(k.live)-1].Index == n.Index {
		return
	}
	w.check(w.j.WritePayloads(id.shard, 1, []Payload{{n, b}}))
	k.live = append(k.live, n)
	w.bytes[id][n] = b
}

func (w *world) collect(*rapid.T) {
	_, err := w.j.Collect(context.Background())
	w.check(err)
}

func (w *world) reopen(*rapid.T) {
	w.check(w.j.Close())
	w.open()
}

// crash loses what was not synced; commit indexes and trims may go back.
func (w *world) crash(t *rapid.T) {
	w.fs = w.fs.CrashClone(vfs.CrashCloneCfg{})
	w.check(w.j.Close())
	w.open()
	for _, id := range w.m.ids() {
		r := w.m.of(id)
		if rs, err := w.j.ReadRaftState(id.shard, 1, r.snap.Index); err == nil {
			if rs.State.Commit > r.state.Commit && rs.State.Commit > r.snap.Index {
				t.Fatalf("commit %d, was %d", rs.State.Commit, r.state.Commit)
			}
		}
		// dragonboat sends the commit index again.
		w.check(w.j.SaveRaftState([]pb.Update{{ShardID: id.shard, ReplicaID: 1, State: r.state}}, 1))
	}
}

// invariant: the log store's contract, and no live name without its bytes.
func (w *world) invariant(t *rapid.T) {
	if err := w.m.judgeAll(w.j, false); err != nil {
		t.Fatalf("%v\n%s", err, w.j.Describe())
	}
	for id, k := range w.machines {
		for _, n := range k.live {
			b, err := w.j.ReadPayload(id.shard, id.replica, n, nil)
			if err != nil || !bytes.Equal(b, w.bytes[id][n]) {
				t.Fatalf("%d/%d payload %v: %d bytes, %v\n%s", id.shard, id.replica, n, len(b), err, w.j.Describe())
			}
		}
	}
	if _, err := w.j.ReadPayload(1, 1, Name{Index: 1 << 40, Length: 3}, nil); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a name of nothing: %v", err)
	}
}

// TestRandomOperations does everything in any order, garbage collection and power losses included, beside the model.
func TestRandomOperations(t *testing.T) {
	freed, moved, again := uint64(0), uint64(0), uint64(0)
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, fs: vfs.NewCrashableMem(), m: newModel(), machines: map[replicaID]*machine{}, bytes: map[replicaID]map[Name][]byte{}, term: 1}
		for shard := uint64(1); shard <= 3; shard++ {
			w.machines[replicaID{shard, 1}] = &machine{}
			w.bytes[replicaID{shard, 1}] = map[Name][]byte{}
		}
		w.open()
		defer func() {
			s := w.j.Stats()
			freed, moved, again = freed+s.SegmentsFreed, moved+s.Relocated, again+s.Restated
			_ = w.j.Close()
		}()
		t.Repeat(map[string]func(*rapid.T){
			"save": w.save, "save more": w.save, "save still more": w.save, "apply": w.apply, "settle": w.settleMessages,
			"snapshot and trim": w.snapshotAndTrim, "receive a snapshot": w.receive, "pull": w.pull, "collect": w.collect,
			"reopen": w.reopen, "crash": w.crash, "": w.invariant,
		})
	})
	t.Logf("%d segments freed, %d payloads moved, %d entries said again", freed, moved, again)
}

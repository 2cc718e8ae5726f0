package journal

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// spoil flips a bit of the body of an entry, where Raft's range finds it.
func spoil(t *testing.T, fs *vfs.MemFS, j *Journal, id replicaID, index uint64) {
	t.Helper()
	j.sealedAll() // nobody else writes the file now
	j.mu.RLock()
	e := *j.ledger.replicas[id].at(index)
	j.mu.RUnlock()
	b, err := fs.UnsafeGetFileDataBuffer("/j/" + segmentName(e.segment))
	must(t, err)
	b[e.offset+e.length-2] ^= 4
}

func reported() (Options, func() []Damage) {
	var mu sync.Mutex
	var ds []Damage
	o := testOptions(nil)
	o.OnDamage = func(d Damage) { mu.Lock(); ds = append(ds, d); mu.Unlock() }
	return o, func() []Damage { mu.Lock(); defer mu.Unlock(); return append([]Damage(nil), ds...) }
}

// TestDamageFoundAtOpen: a damaged entry that a restart would replay is known before any replica starts, can be
// repaired by a peer's copy of the same index and term and by nothing else, and stays repaired.
func TestDamageFoundAtOpen(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		fs := vfs.NewMem()
		o, reports := reported()
		o.FS = fs
		j := mustOpen(t, o)
		m := newModel()
		u := testUpdate(one, st(1, 1, 8), testEntries(1, 1, 9, 1, 100)...)
		m.save(u)
		must(t, j.SaveRaftState([]pb.Update{u}, 1))
		if sealed {
			must(t, j.Close())
			j = mustOpen(t, o)
		}
		spoil(t, fs, j, one, 4)
		must(t, j.Close())
		j = mustOpen(t, o)
		ds := j.Damages()
		if len(ds) != 1 || ds[0].Index != 4 || ds[0].Term != 1 || ds[0].Kind != DamagedEntry || !ds[0].Repairable || ds[0].Shard != 1 {
			t.Fatalf("sealed %t: %v", sealed, ds)
		}
		if err := j.RepairEntry(1, 1, testEntry(1, 4, 2, 100)); !errors.Is(err, ErrMismatch) {
			t.Fatalf("a repair of another term: %v", err)
		}
		if err := j.RepairEntry(1, 1, testEntry(1, 40, 1, 100)); !errors.Is(err, ErrNotFound) {
			t.Fatalf("a repair of nothing: %v", err)
		}
		must(t, j.RepairEntry(1, 1, testEntry(1, 4, 1, 100)))
		for range 3 {
			if ds := j.Damages(); len(ds) > 0 {
				t.Fatalf("after the repair: %v", ds)
			}
			must(t, m.judge(j, one, true))
			must(t, j.Close())
			j = mustOpen(t, o)
		}
		must(t, j.Close())
		if len(reports()) == 0 {
			t.Fatal("nothing was reported")
		}
	}
}

// TestDamageOnRead: found while running, it is reported first; the reader waits, is given the repaired entry, and the
// NodeHost lives.
func TestDamageOnRead(t *testing.T) {
	fs := vfs.NewMem()
	o := testOptions(fs)
	o.CacheBytes = 1 // nothing is served from memory
	var j *Journal
	o.OnDamage = func(d Damage) {
		if err := j.RepairEntry(d.Shard, d.Replica, testEntry(1, d.Index, d.Term, 100)); err != nil {
			t.Error(err)
		}
	}
	j = mustOpen(t, o)
	m := newModel()
	u := testUpdate(one, st(1, 1, 8), testEntries(1, 1, 9, 1, 100)...)
	m.save(u)
	must(t, j.SaveRaftState([]pb.Update{u}, 1))
	must(t, j.SaveRaftState([]pb.Update{testUpdate(replicaID{2, 1}, st(1, 1, 0), testEntries(2, 1, 3, 1, 5000)...)}, 1))
	for len(j.cache.spans) > 0 {
		j.cache.evictLocked()
	}
	spoil(t, fs, j, one, 4)
	es, _, err := j.IterateEntries(nil, 0, 1, 1, 1, 10, math.MaxUint64)
	if err != nil || len(es) != 9 {
		t.Fatalf("%d entries, %v", len(es), err)
	}
	must(t, m.judge(j, one, false))
	if j.Stats().Repairs != 1 {
		t.Fatalf("%+v", j.Stats())
	}
	must(t, j.Close())
}

// TestScrub: rot in a sealed segment that nobody reads is found; a payload is put right by its bytes, a footer anew.
func TestScrub(t *testing.T) {
	fs := vfs.NewMem()
	o, _ := reported()
	o.FS = fs
	j := mustOpen(t, o)
	must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, 8), testEntries(1, 1, 9, 1, 100)...)}, 1))
	spoil(t, fs, j, one, 2)
	must(t, j.SaveSnapshots([]pb.Update{{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 5, 1)}}))
	must(t, j.RemoveEntriesTo(1, 1, 5))
	first := j.newest()
	must(t, j.Close())
	j = mustOpen(t, o)
	must(t, j.Close())
	j = mustOpen(t, o)
	n := nameOf(testEntry(1, 2, 1, 100), 0, 100)
	s, err := j.Scrub(context.Background())
	if err != nil || s.Damages != 1 {
		t.Fatalf("%+v, %v, %v", s, err, j.Damages())
	}
	if _, err := j.ReadPayload(1, 1, n, nil); !errors.Is(err, ErrDamaged) {
		t.Fatalf("damaged payload: %v", err)
	}
	must(t, j.WritePayloads(1, 1, []Payload{{n, testEntry(1, 2, 1, 100).Cmd[1:]}}))
	if b, err := j.ReadPayload(1, 1, n, nil); err != nil || checksum(b) != n.CRC {
		t.Fatalf("repaired payload: %v", err)
	}
	// The footer's block: found, and written anew from the batches.
	j.mu.RLock()
	blocks := j.ledger.segments[first].view().blocks
	j.mu.RUnlock()
	b, err := fs.UnsafeGetFileDataBuffer("/j/" + segmentName(first))
	must(t, err)
	b[blocks+5] ^= 1
	j.indexCache.drop(first)
	if _, err := j.Scrub(context.Background()); err != nil {
		t.Fatal(err)
	}
	must(t, j.reindex(first))
	j.sealedAll()
	m := nameOf(testEntry(1, 3, 1, 100), 0, 100)
	if b, err := j.ReadPayload(1, 1, m, nil); err != nil || checksum(b) != m.CRC {
		t.Fatalf("through the new footer: %v", err)
	}
	must(t, j.Close())
	j = mustOpen(t, o)
	if b, err := j.ReadPayload(1, 1, m, nil); err != nil || checksum(b) != m.CRC {
		t.Fatalf("after a restart: %v", err)
	}
	must(t, j.Close())
}

// TestWrongPayloadRefused: bytes that do not match their name are not stored.
func TestWrongPayloadRefused(t *testing.T) {
	j := mustOpen(t, testOptions(vfs.NewMem()))
	defer j.Close()
	n := Name{Index: 3, Position: 0, Length: 3, CRC: checksum([]byte("abc"))}
	if err := j.WritePayloads(1, 1, []Payload{{n, []byte("abd")}}); !errors.Is(err, ErrMismatch) {
		t.Fatal(err)
	}
	must(t, j.WritePayloads(1, 1, []Payload{{n, []byte("abc")}}))
	if b, err := j.ReadPayload(1, 1, Name{Index: 3, Position: 1, Length: 2, CRC: checksum([]byte("bc"))}, nil); err != nil || string(b) != "bc" {
		t.Fatalf("%q, %v", b, err)
	}
	// Every other header than dragonboat's plain one is refused.
	e := testEntry(1, 9, 1, 20)
	e.Cmd[0] = 2
	must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, 0), e)}, 1))
	if _, err := j.ReadPayload(1, 1, nameOf(e, 0, 5), nil); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
}

// TestLostSegment: a file that is gone is said to be gone, entry by entry.
func TestLostSegment(t *testing.T) {
	fs := vfs.NewMem()
	o, _ := reported()
	o.FS = fs
	j := mustOpen(t, o)
	must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, 2), testEntries(1, 1, 3, 1, 100)...)}, 1))
	first := j.newest()
	must(t, j.Close())
	j = mustOpen(t, o)
	must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, 3), testEntries(1, 4, 5, 1, 100)...)}, 1))
	must(t, j.Close())
	must(t, fs.Remove("/j/"+segmentName(first)))
	j = mustOpen(t, o)
	defer j.Close()
	ds := j.Damages()
	lost := 0
	for _, d := range ds {
		if d.Kind == LostEntry && d.Index <= 3 && d.Repairable == (d.Index <= 3) {
			lost++
		}
	}
	if lost != 3 || len(ds) != 4 {
		t.Fatalf("%v", ds)
	}
	for i := uint64(1); i <= 3; i++ {
		must(t, j.RepairEntry(1, 1, testEntry(1, i, 1, 100)))
	}
	if es, _, err := j.IterateEntries(nil, 0, 1, 1, 1, 6, math.MaxUint64); err != nil || len(es) != 5 {
		t.Fatalf("%d entries, %v", len(es), err)
	}
}

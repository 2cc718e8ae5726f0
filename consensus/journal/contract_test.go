package journal

import (
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

var one = replicaID{1, 1}

func st(term, vote, commit uint64) pb.State { return pb.State{Term: term, Vote: vote, Commit: commit} }

// TestContract is the table of what dragonboat asks of a log store, each line judged before and after a restart.
func TestContract(t *testing.T) {
	save := func(j *Journal, m *model, u pb.Update) error { m.save(u); return j.SaveRaftState([]pb.Update{u}, 1) }
	for _, c := range []struct {
		name string
		run  func(t *testing.T, j *Journal, m *model)
	}{
		{"nothing", func(t *testing.T, j *Journal, m *model) {
			m.of(one)
			must(t, j.SaveRaftState(nil, 1))
			must(t, j.SaveRaftState([]pb.Update{{ShardID: 1, ReplicaID: 1, Messages: []pb.Message{{}}}}, 1))
			if n := j.Stats().Batches; n != 0 {
				t.Fatalf("%d batches for nothing", n)
			}
		}},
		{"entries", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 1, 10, 1, 100)...)))
			must(t, save(j, m, testUpdate(one, st(1, 1, 10))))
		}},
		{"a snapshot over a longer stale log resets it", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 1), testEntries(1, 1, 10, 1, 50)...)))
			u := testUpdate(one, st(2, 1, 6))
			u.Snapshot = testSnapshot(1, 6, 2)
			must(t, save(j, m, u))
			rs, err := j.ReadRaftState(1, 1, 6)
			if err != nil || rs.EntryCount != 0 || rs.FirstIndex != 7 {
				t.Fatalf("%+v, %v", rs, err)
			}
		}},
		{"a snapshot with entries behind it", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 1), testEntries(1, 1, 3, 1, 50)...)))
			u := testUpdate(one, st(2, 1, 8), testEntries(1, 9, 12, 2, 50)...)
			u.Snapshot = testSnapshot(1, 8, 2)
			must(t, save(j, m, u))
		}},
		{"an overlapping save truncates", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 1, 10, 1, 50)...)))
			must(t, save(j, m, testUpdate(one, st(2, 1, 0), testEntries(1, 4, 5, 2, 50)...)))
		}},
		{"a local snapshot leaves the log", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 8), testEntries(1, 1, 10, 1, 50)...)))
			u := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 8, 1)}
			m.snapshot(u)
			must(t, j.SaveSnapshots([]pb.Update{u}))
			old := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 5, 1)}
			must(t, j.SaveSnapshots([]pb.Update{old, {ShardID: 1, ReplicaID: 1}})) // never goes back
			m.trim(one, 6)
			must(t, j.RemoveEntriesTo(1, 1, 6))
		}},
		{"commit is never below the snapshot", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 3), testEntries(1, 1, 10, 1, 50)...)))
			u := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 9, 1)}
			m.snapshot(u)
			must(t, j.SaveSnapshots([]pb.Update{u}))
			if rs, err := j.ReadRaftState(1, 1, 9); err != nil || rs.State.Commit != 9 {
				t.Fatalf("%+v, %v", rs, err)
			}
		}},
		{"the entry that goes past the size is included", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 1, 10, 1, 1000)...)))
			one := testEntry(1, 1, 1, 1000)
			n := uint64(one.SizeUpperLimit())
			for max, want := range map[uint64]int{0: 1, n - 1: 1, n: 2, 2*n + 1: 3, 100 * n: 10} {
				es, size, err := j.IterateEntries(nil, 0, 1, 1, 1, 11, max)
				if err != nil || len(es) != want || size != uint64(want)*n {
					t.Fatalf("max %d: %d entries of %d bytes, %v", max, len(es), size, err)
				}
			}
			if es, size, err := j.IterateEntries([]pb.Entry{one}, n, 1, 1, 2, 5, 100*n); err != nil || len(es) != 4 || size != 4*n {
				t.Fatalf("appended: %d entries, %d bytes, %v", len(es), size, err)
			}
		}},
		{"remove then read", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 10), testEntries(1, 1, 10, 1, 50)...)))
			u := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 7, 1)}
			m.snapshot(u)
			must(t, j.SaveSnapshots([]pb.Update{u}))
			m.trim(one, 7)
			must(t, j.RemoveEntriesTo(1, 1, 7))
			rs, err := j.ReadRaftState(1, 1, 7)
			if err != nil || rs.FirstIndex > 8 {
				t.Fatalf("%+v, %v", rs, err)
			}
			if es, _, err := j.IterateEntries(nil, 0, 1, 1, 3, 5, math.MaxUint64); err != nil || len(es) != 0 {
				t.Fatalf("removed entries: %v, %v", es, err)
			}
		}},
		{"compaction of an unknown shard", func(t *testing.T, j *Journal, m *model) {
			c, err := j.CompactEntriesTo(77, 1, math.MaxUint64)
			must(t, err)
			<-c
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 1, 3, 1, 50)...)))
			_, err = j.CompactEntriesTo(1, 1, math.MaxUint64)
			must(t, err)
		}},
		{"bootstrap and removal", func(t *testing.T, j *Journal, m *model) {
			b := pb.Bootstrap{Addresses: map[uint64]string{1: "a1", 2: "a2"}, Type: pb.OnDiskStateMachine}
			must(t, j.SaveBootstrapInfo(1, 1, b))
			must(t, j.SaveBootstrapInfo(2, 5, b))
			m.of(one).boot = &b
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 1, 3, 1, 50)...)))
			must(t, j.RemoveNodeData(2, 5))
			m.remove(replicaID{2, 5})
			ns, err := j.ListNodeInfo()
			if err != nil || len(ns) != 1 || ns[0] != raftio.GetNodeInfo(1, 1) {
				t.Fatalf("%v, %v", ns, err)
			}
			must(t, j.RemoveNodeData(1, 1))
			m.remove(one)
			// It may come back, and its first state is as good as new.
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 1, 2, 1, 60)...)))
		}},
		{"an imported snapshot begins a new history", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(9, 1, 4), testEntries(1, 1, 10, 9, 50)...)))
			ss := testSnapshot(1, 6, 3)
			ss.Imported = true
			must(t, j.ImportSnapshot(ss, 1))
			m.remove(one)
			m.save(pb.Update{ShardID: 1, ReplicaID: 1, State: st(3, 0, 6), Snapshot: ss})
			m.of(one).boot = &pb.Bootstrap{Join: true, Type: ss.Type}
			must(t, save(j, m, testUpdate(one, st(9, 1, 6), testEntries(1, 7, 8, 9, 50)...)))
		}},
		{"two replicas of a shard", func(t *testing.T, j *Journal, m *model) {
			two := replicaID{1, 2}
			us := []pb.Update{testUpdate(one, st(1, 1, 0), testEntries(1, 1, 3, 1, 50)...), testUpdate(two, st(2, 2, 0), testEntries(1, 1, 4, 2, 50)...)}
			m.save(us...)
			must(t, j.SaveRaftState(us, 1))
		}},
		{"an entry larger than a segment", func(t *testing.T, j *Journal, m *model) {
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 1, 3, 1, 3*segmentBytesMin)...)))
			must(t, save(j, m, testUpdate(one, st(1, 1, 0), testEntries(1, 4, 4, 1, 10)...)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs, m := vfs.NewMem(), newModel()
			j := mustOpen(t, testOptions(fs))
			c.run(t, j, m)
			for range 3 {
				must(t, m.judgeAll(j, false))
				must(t, j.Close())
				j = mustOpen(t, testOptions(fs))
				if ds := j.Damages(); len(ds) > 0 {
					t.Fatalf("damages %v", ds)
				}
			}
			must(t, m.judgeAll(j, false))
			must(t, j.Close())
		})
	}
}

// TestCommitAloneNeedsNoSync: a lone proposal must not cost two.
func TestCommitAloneNeedsNoSync(t *testing.T) {
	synctest.Test(t, testCommitAlone) // its clock stands still: no marker comes
}

func testCommitAlone(t *testing.T) {
	j := mustOpen(t, testOptions(vfs.NewMem()))
	defer j.Close()
	must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, 0), testEntries(1, 1, 1, 1, 50)...)}, 1))
	before := j.Stats().Batches
	for range 3 {
		must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, 1))}, 1))
	}
	if n := j.append.open; n == nil || n.count != 1 || n.urgent {
		t.Fatalf("open batch %+v after batches %d", n, before)
	}
}

// TestFactory: closing a NodeHost's log store leaves the journal open; names agree.
func TestFactory(t *testing.T) {
	j := mustOpen(t, testOptions(vfs.NewMem()))
	f := j.Factory()
	db, err := f.Create(config.NodeHostConfig{}, nil, nil, nil)
	must(t, err)
	if f.Name() != db.Name() || db.Name() != "tallymq-journal" || db.BinaryFormat() != raftio.PlainLogDBBinVersion {
		t.Fatalf("%s, %s, %d", f.Name(), db.Name(), db.BinaryFormat())
	}
	must(t, db.Close())
	must(t, j.SaveBootstrapInfo(1, 1, pb.Bootstrap{Join: true}))
	must(t, j.Close())
	if err := j.SaveBootstrapInfo(1, 1, pb.Bootstrap{Join: true}); !errors.Is(err, ErrClosed) {
		t.Fatalf("after close: %v", err)
	}
}

// TestSnapshotBesideState: a snapshot worker saves while a step worker does, of the same shard.
func TestSnapshotBesideState(t *testing.T) {
	fs := vfs.NewMem()
	j := mustOpen(t, testOptions(fs))
	const n = 300
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for i := uint64(1); i <= n; i++ {
			if err := j.SaveSnapshots([]pb.Update{{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, i, 1)}}); err != nil {
				t.Error(err)
			}
			if ss, err := j.GetSnapshot(1, 1); err != nil || ss.Index != i {
				t.Errorf("snapshot %d, %v: not its own write %d", ss.Index, err, i)
			}
		}
	}()
	for i := uint64(1); i <= n; i++ {
		must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, i-1), testEntry(1, i, 1, 500))}, 1))
	}
	wg.Wait()
	must(t, j.Close())
	j = mustOpen(t, testOptions(fs))
	defer j.Close()
	rs, err := j.ReadRaftState(1, 1, n)
	if err != nil || rs.State.Commit != n || rs.FirstIndex+rs.EntryCount-1 != n {
		t.Fatalf("%+v, %v", rs, err)
	}
}

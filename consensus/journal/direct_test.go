package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// TestDirectConcurrent runs on a real file system, past the page cache where it can: several step workers save, trim
// and read at once while garbage collection recycles segments; then a restart finds the same.
func TestDirectConcurrent(t *testing.T) {
	dir := t.TempDir()
	live := &appliedAll{applied: map[replicaID]uint64{}}
	o := Options{FS: vfs.Default, Dir: dir + "/j", Direct: OSDirect(), SegmentBytes: 1 << 20, CacheBytes: 1 << 20, ReserveBytes: 1 << 20, Live: live}
	j := mustOpen(t, o)
	must(t, j.refill(func() bool { return false }))
	const shards, entries = 4, 300
	var wg sync.WaitGroup
	for shard := uint64(1); shard <= shards; shard++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			id := replicaID{shard, 1}
			for i := uint64(1); i <= entries; i++ {
				e := testEntry(shard, i, 1, int(i*97%20000))
				if err := j.SaveRaftState([]pb.Update{testUpdate(id, st(1, 1, i-1), e)}, shard); err != nil {
					t.Error(err)
					return
				}
				live.set(id, i)
				got, err := j.ReadEntry(shard, 1, i)
				if err != nil || !bytes.Equal(got.Cmd, e.Cmd) {
					t.Errorf("%d/%d: %v", shard, i, err)
					return
				}
				if i%50 == 0 {
					u := pb.Update{ShardID: shard, ReplicaID: 1, Snapshot: testSnapshot(shard, i, 1)}
					if err := errors.Join(j.SaveSnapshots([]pb.Update{u}), j.RemoveEntriesTo(shard, 1, i-10)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		}()
	}
	stop := make(chan struct{})
	wg.Add(1)
	var collector sync.WaitGroup
	collector.Add(1)
	go func() {
		defer collector.Done()
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := j.Collect(context.Background()); err != nil {
				t.Error(err)
				return
			}
			if _, err := j.Scrub(context.Background()); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	wg.Done()
	wg.Wait()
	close(stop)
	collector.Wait()
	s := j.Stats()
	t.Logf("direct %t, %d segments freed, %d batches of %d records", s.Direct, s.SegmentsFreed, s.Batches, s.Records)
	if s.SegmentsFreed == 0 || s.Damages > 0 {
		t.Fatalf("%+v %v", s, j.Damages())
	}
	must(t, j.Close())
	j = mustOpen(t, o)
	if ds := j.Damages(); len(ds) > 0 {
		t.Fatal(ds)
	}
	for shard := uint64(1); shard <= shards; shard++ {
		if last := j.LastIndex(shard, 1); last != entries {
			t.Fatalf("last %d", last)
		}
		for i := uint64(entries - 9); i <= entries; i++ {
			e, err := j.ReadEntry(shard, 1, i)
			if want := testEntry(shard, i, 1, int(i*97%20000)); err != nil || !sameEntry(e, want) {
				t.Fatalf("%d/%d: %v", shard, i, err)
			}
		}
	}
	must(t, j.Close())
}

// appliedAll is a machine that names nothing.
type appliedAll struct {
	mu      sync.Mutex
	applied map[replicaID]uint64
}

func (a *appliedAll) set(id replicaID, i uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied[id] = i
}

func (a *appliedAll) Live(uint64, uint64, uint64, uint64, func(Name) bool) error { return nil }

func (a *appliedAll) Flushed(_ context.Context, shard, replica uint64) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied[replicaID{shard, replica}], nil
}

// noDirect is a file system without direct writes.
type noDirect struct{ asked int }

func (n *noDirect) OpenDirect(string) (DirectFile, error) {
	n.asked++
	return nil, fmt.Errorf("none here: %w", errors.ErrUnsupported)
}

// TestDirectFallsBack: asked once, the journal writes buffered from then on.
func TestDirectFallsBack(t *testing.T) {
	o := testOptions(vfs.NewMem())
	n := &noDirect{}
	o.Direct, o.ReserveBytes = n, segmentBytesMin
	j := mustOpen(t, o)
	next := uint64(0)
	fillSegments(t, j, one, &next, 3)
	if j.Stats().Direct || n.asked != 1 {
		t.Fatalf("asked %d times, direct %t", n.asked, j.Stats().Direct)
	}
	must(t, j.Close())
}

// TestOneProcess: a directory in use is refused.
func TestOneProcess(t *testing.T) {
	fs := vfs.NewMem()
	j := mustOpen(t, testOptions(fs))
	if _, err := Open(testOptions(fs)); err == nil {
		t.Fatal("opened twice")
	}
	must(t, j.Close())
	j = mustOpen(t, testOptions(fs))
	must(t, j.Close())
	must(t, j.Close())
}

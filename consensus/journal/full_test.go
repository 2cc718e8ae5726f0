package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// fullFS is a disk of so many bytes. Preallocated bytes are taken at once, as on a real one.
type fullFS struct {
	vfs.FS
	mu     sync.Mutex
	left   int64
	sizes  map[string]int64
	failAt atomic.Int64 // the write or creation of that number fails as on a full disk, and all after it; 0: none
	ops    atomic.Int64
	stored bool // it fails, but the bytes are there
	errno  error
}

func (f *fullFS) op() error {
	n := f.ops.Add(1)
	if at := f.failAt.Load(); at > 0 && n >= at {
		return f.errno
	}
	return nil
}

func (f *fullFS) take(name string, size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	grow := size - f.sizes[name]
	if grow <= 0 {
		return nil
	}
	if grow > f.left {
		return &pathError{name}
	}
	f.left -= grow
	f.sizes[name] = size
	return nil
}

func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: uint64(f.left), TotalBytes: 1 << 40, UsedBytes: 1<<40 - uint64(f.left)}, nil
}

type pathError struct{ name string }

func (e *pathError) Error() string { return "no space for " + e.name }
func (e *pathError) Unwrap() error { return syscall.ENOSPC }

func (f *fullFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.op(); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return &fullFile{file, f, name}, err
}

func (f *fullFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := f.op(); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(name, c, o...)
	return &fullFile{file, f, name}, err
}

func (f *fullFS) Rename(a, b string) error {
	f.mu.Lock()
	if n, ok := f.sizes[a]; ok {
		f.sizes[b] = n
		delete(f.sizes, a)
	}
	f.mu.Unlock()
	return f.FS.Rename(a, b)
}

func (f *fullFS) Remove(name string) error {
	f.mu.Lock()
	f.left += f.sizes[name]
	delete(f.sizes, name)
	f.mu.Unlock()
	return f.FS.Remove(name)
}

type fullFile struct {
	vfs.File
	fs   *fullFS
	name string
}

func (f *fullFile) Preallocate(offset, length int64) error { return f.fs.take(f.name, offset+length) }

func (f *fullFile) WriteAt(b []byte, offset int64) (int, error) {
	err := f.fs.op()
	if err == nil {
		err = f.fs.take(f.name, offset+int64(len(b)))
	}
	if err != nil && !f.fs.stored {
		return 0, err
	}
	n, werr := f.File.WriteAt(b, offset)
	return n, errors.Join(err, werr)
}

func (f *fullFile) SyncData() error {
	err := f.fs.op()
	if err != nil && !f.fs.stored {
		return err
	}
	return errors.Join(err, f.File.SyncData())
}

// TestFullDisk: while leaders obey the level, no append ever fails: the reserve carries what was under way, and garbage
// collection makes room again.
func TestFullDisk(t *testing.T) {
	fs := &fullFS{FS: vfs.NewMem(), left: 14 * segmentBytesMin, sizes: map[string]int64{}}
	o := testOptions(fs)
	o.ReserveBytes = 3 * segmentBytesMin
	o.OnFatal = func(err error) { t.Errorf("fatal: %v", err) }
	live := &namesEverything{applied: map[replicaID]uint64{}, names: map[replicaID][]Name{}}
	o.Live = live
	j := mustOpen(t, o)
	must(t, j.refill(func() bool { return false }))
	next, refused := uint64(0), 0
	for range 3 {
		// Writers obey; what is under way when the level falls is bounded: here, two segments' worth.
		for under := 0; under < 8; {
			j.measure()
			if j.space.get() != SpaceOK {
				under++
				refused++
			}
			must(t, j.SaveRaftState([]pb.Update{testUpdate(one, st(1, 1, next), testEntry(1, next+1, 1, 9000))}, 1))
			next++
			must(t, j.RemoveEntriesTo(1, 1, next))
		}
		if j.space.get() == SpaceOK {
			t.Fatal("never low")
		}
		live.applied[one] = next
		_, err := j.Collect(context.Background())
		must(t, err)
		must(t, j.refill(func() bool { return false }))
		if j.measure(); j.space.get() != SpaceOK {
			t.Fatalf("%v after garbage collection: %+v", j.space.get(), j.Stats())
		}
	}
	if refused == 0 {
		t.Fatal("the disk was never full")
	}
	must(t, j.Close())
}

// TestWriteFails fails each write, sync and creation in turn, once not stored and once stored although it failed. The
// node is told to stop, nothing is written after it, and what was acknowledged is there at the next start.
func TestWriteFails(t *testing.T) {
	for _, stored := range []bool{false, true} {
		reached := false
		for at := int64(1); !reached || at < 12; at++ {
			reached = failedAt(t, at, stored)
			if at > 200 {
				t.Fatal("never ran to the end")
			}
		}
	}
}

func failedAt(t *testing.T, at int64, stored bool) (whole bool) {
	t.Helper()
	mem := vfs.NewMem()
	fs := &fullFS{FS: mem, left: 1 << 40, sizes: map[string]int64{}, stored: stored, errno: fmt.Errorf("injected: %w", syscall.EIO)}
	fatal := make(chan error, 1)
	o := testOptions(fs)
	o.OnFatal = func(err error) { fatal <- err }
	fs.failAt.Store(at)
	j, err := Open(o)
	acked, doing := newModel(), newModel()
	if err == nil {
		for _, s := range history() {
			doing = acked.clone()
			s.model(doing)
			if err = s.do(j); err != nil {
				break
			}
			if s.name == "trim" || s.name == "commit alone" {
				if err = j.settle(); err != nil {
					break
				}
			}
			acked = doing
		}
		if err != nil {
			if ferr := <-fatal; !errors.Is(err, ErrStopped) || !errors.Is(ferr, syscall.EIO) {
				t.Fatalf("at %d: %v, fatal %v", at, err, ferr)
			}
			if err := j.SaveBootstrapInfo(9, 9, pb.Bootstrap{Join: true}); !errors.Is(err, ErrStopped) {
				t.Fatalf("at %d: after the failure: %v", at, err)
			}
		}
		_ = j.Close()
		whole = err == nil
	}
	fs.failAt.Store(0)
	o = testOptions(mem)
	j = mustOpen(t, o)
	defer j.Close()
	if ds := j.Damages(); len(ds) > 0 {
		t.Fatalf("at %d: damages %v", at, ds)
	}
	if e1 := acked.judgeAll(j, true); e1 != nil {
		if e2 := doing.judgeAll(j, true); e2 != nil {
			t.Fatalf("at %d stored %t: neither %v nor %v", at, stored, e1, e2)
		}
	}
	return whole
}

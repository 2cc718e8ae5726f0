package store

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// fullDisk refuses what needs room on files whose path contains part, while full.
type fullDisk struct {
	full    atomic.Bool
	refused atomic.Int64
	part    string
}

func (d *fullDisk) wrap(fs vfs.FS) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !d.full.Load() || !strings.Contains(op.Path, d.part) {
			return nil
		}
		switch op.Kind {
		case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpRename, errorfs.OpLink:
			d.refused.Add(1)
			return syscall.ENOSPC
		}
		return nil
	}))
}

// TestFullDisk: committing goes on in memory up to the bound, Sync waits, the failure is reported, nothing is fatal;
// with room again all of it becomes durable. In tables, in the manifest, everywhere.
func TestFullDisk(t *testing.T) {
	for _, part := range []string{".sst", "MANIFEST", "rows/"} {
		synctest.Test(t, func(t *testing.T) {
			disk := &fullDisk{part: part}
			fs := vfs.NewCrashableMem()
			o := testOptions(disk.wrap(fs))
			var reported atomic.Int64
			o.OnBackgroundError = func(err error) {
				if !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("reported %v", err)
				}
				reported.Add(1)
			}
			o.OnFatal = func(err error) { t.Errorf("fatal: %v", err) }
			s := mustOpen(t, o)
			w := newWorld(t, s, rand.New(rand.NewPCG(1, 1)), 2)
			for range 20 {
				w.commit()
			}
			_, r := w.replica()
			must(t, r.Sync())
			durable := w.durable()

			disk.full.Store(true)
			for before := r.Applied(); r.Applied() == before; {
				w.commit()
			}
			var synced, blocked atomic.Bool
			go func() {
				must(t, r.Sync())
				synced.Store(true)
			}()
			writer := s.Replica(9, 9)
			mustOpenReplica(t, writer)
			var bytesTaken atomic.Int64
			go func() {
				for i := range 100 {
					b := writer.NewBatch()
					b.Set([]byte("k"), make([]byte, 10<<10))
					w.h.seq++
					if err := writer.Commit(b, w.h.seq, seqMeta(w.h.seq)); err != nil {
						t.Errorf("commit %d: %v", i, err)
					}
					w.h.add(writer.ID(), rows{"k": string(make([]byte, 10<<10))})
					bytesTaken.Add(10 << 10)
				}
				blocked.Store(true)
			}()
			for range 200 { // fake time: every wait of the retry passes
				synctest.Wait()
				if reported.Load() > 3 || part == "MANIFEST" && reported.Load() > 0 {
					break
				}
				<-timeAfter(retryBackoff)
			}
			synctest.Wait()
			if synced.Load() || blocked.Load() {
				t.Fatalf("%s: synced %v, all taken %v while the disk is full", part, synced.Load(), blocked.Load())
			}
			if n := bytesTaken.Load(); n == 0 || n > (stallMemTables+2)*memTableBytesMin {
				t.Fatalf("%s: %d bytes were taken while the disk was full", part, n)
			}
			if reported.Load() == 0 || !s.Stats().Failing {
				t.Fatalf("%s: reported %d times, %+v", part, reported.Load(), s.Stats())
			}
			if w.durable() != durable {
				t.Fatalf("%s: durable moved from %d to %d on a full disk", part, durable, w.durable())
			}
			disk.full.Store(false)
			<-timeAfter(100 * retryBackoff)
			synctest.Wait()
			if !synced.Load() || !blocked.Load() {
				t.Fatalf("%s: synced %v, all taken %v with room again", part, synced.Load(), blocked.Load())
			}
			must(t, writer.Sync())
			checkRecovered(t, part, fs.CrashClone(vfs.CrashCloneCfg{}), w.h, w.h.seq)
			must(t, s.Close())
		})
	}
}

// TestCloseOnAFullDisk ends though a commit and a Sync wait for room.
func TestCloseOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &fullDisk{part: "rows/"}
		fs := vfs.NewCrashableMem()
		o := testOptions(disk.wrap(fs))
		o.OnFatal = func(err error) { t.Errorf("fatal: %v", err) }
		s := mustOpen(t, o)
		r := s.Replica(1, 1)
		mustOpenReplica(t, r)
		disk.full.Store(true)
		commit := func() error {
			b := r.NewBatch()
			b.Set([]byte("k"), make([]byte, 10<<10))
			return r.Commit(b, 1, nil)
		}
		must(t, commit())
		var ends sync.WaitGroup
		ends.Go(func() {
			if err := r.Sync(); !errors.Is(err, ErrClosed) {
				t.Errorf("sync: %v", err)
			}
		})
		ends.Go(func() {
			for {
				if err := commit(); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Errorf("commit: %v", err)
					}
					return
				}
			}
		})
		synctest.Wait()
		if err := s.Close(); err != nil {
			t.Logf("close: %v", err)
		}
		ends.Wait()
		disk.full.Store(false)
		again := mustOpen(t, testOptions(fs))
		must(t, again.Close())
	})
}

// TestFatalAgainWaits: a store that stopped for good is told of its failure by pebble again and again, at a walk, until it
// is closed. The simulator found a flush without a table that ran without end and let no time pass.
func TestFatalAgainWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(vfs.NewMem())
		o.OnFatal = func(error) {}
		s := mustOpen(t, o)
		l, began := logger{s}, time.Now()
		l.Fatalf("first")
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the first time it waited %v", waited)
		}
		for range 5 {
			l.Fatalf("again")
		}
		if waited := time.Since(began); waited != 5*retryBackoff {
			t.Errorf("five times more it waited %v", waited)
		}
		if err := s.Close(); !errors.Is(err, ErrFatal) {
			t.Errorf("close: %v", err)
		}
		began = time.Now()
		if l.Fatalf("closed"); time.Since(began) != 0 {
			t.Errorf("closed, it waited %v", time.Since(began))
		}
	})
}

// TestManifestSyncFails: the store stops, tells it once, calls nothing durable that may not be, and leaves on the disk
// what a power loss would have left.
func TestManifestSyncFails(t *testing.T) {
	for _, kind := range []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileWrite} {
		synctest.Test(t, func(t *testing.T) {
			var broken, hits atomic.Bool
			fs := vfs.NewCrashableMem()
			o := testOptions(errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if broken.Load() && op.Kind == kind && strings.Contains(op.Path, "MANIFEST") {
					broken.Store(false) // once: the retry would succeed
					hits.Store(true)
					return syscall.EIO
				}
				return nil
			})))
			var fatal atomic.Int64
			o.OnFatal = func(err error) {
				if !errors.Is(err, ErrFatal) {
					t.Errorf("told %v", err)
				}
				fatal.Add(1)
			}
			s := mustOpen(t, o)
			w := newWorld(t, s, rand.New(rand.NewPCG(2, 2)), 3)
			for range 20 {
				w.commit()
			}
			_, r := w.replica()
			must(t, r.Sync())
			durable := w.durable()
			for range 5 {
				w.commit()
			}
			before := w.h.seq
			broken.Store(true)
			_, r = w.replica()
			b := r.NewBatch()
			w.h.seq++
			w.h.add(r.ID(), maps.Clone(w.h.at(r.ID(), before).rows))
			must(t, r.Commit(b, w.h.seq, seqMeta(w.h.seq)))
			err := r.Sync()
			if !hits.Load() {
				must(t, err)
				must(t, s.Close())
				return // this kind of operation is not used on manifests
			}
			if !errors.Is(err, ErrFatal) || fatal.Load() != 1 {
				t.Fatalf("sync: %v, told %d times", err, fatal.Load())
			}
			if _, _, err := r.Get([]byte("k")); !errors.Is(err, ErrFatal) {
				t.Fatalf("get: %v", err)
			}
			if w.durable() != durable {
				t.Fatalf("durable moved from %d to %d", durable, w.durable())
			}
			<-timeAfter(50 * retryBackoff) // pebble's retries meet the guard
			if err := s.Close(); !errors.Is(err, ErrFatal) {
				t.Fatalf("close: %v", err)
			}
			checkRecovered(t, "power loss", fs.CrashClone(vfs.CrashCloneCfg{}), w.h, durable)
			checkRecovered(t, "restart", fs, w.h, durable)
		})
	}
}

// TestCorruptTable flips bytes of a table all over: every read says the right rows or ErrCorrupt with the file's name,
// never other rows; Check finds what reads did not touch.
func TestCorruptTable(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	r := s.Replica(1, 1)
	mustOpenReplica(t, r)
	want := rows{}
	b := r.NewBatch()
	for i := range 3000 {
		k, v := fmt.Sprintf("key%04d", i*7), fmt.Sprintf("value %d %x", i*i, uint64(i)*0x9e3779b97f4a7c15)
		b.Set([]byte(k), []byte(v))
		want[k] = v
	}
	must(t, r.Commit(b, 9, []byte("meta")))
	must(t, r.Sync())
	must(t, s.Check())
	must(t, s.Close())
	names, err := fs.List("rows")
	must(t, err)
	var outcomes = map[string]int{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		path := fs.PathJoin("rows", name)
		whole := readFile(t, fs, path)
		for at := 0; at < len(whole); at += len(whole)/100 + at%3 {
			broken := vfs.NewMem()
			for _, n := range names {
				copyFile(t, fs, broken, fs.PathJoin("rows", n), func(p []byte) {
					if n == name {
						p[at] ^= 0x40
					}
				})
			}
			outcomes[readBroken(t, fmt.Sprintf("%s flipped at %d of %d", name, at, len(whole)), broken, path, want)]++
		}
	}
	t.Logf("outcomes: %v", outcomes)
	if outcomes["read"] == 0 || outcomes["open"] == 0 || outcomes["silent"] > 0 {
		t.Fatalf("outcomes: %v", outcomes)
	}
}

// readBroken says where the corruption was found.
func readBroken(t *testing.T, what string, fs vfs.FS, path string, want rows) string {
	corrupt := func(err error) bool {
		if err == nil {
			return false
		}
		var c *CorruptError
		if !errors.Is(err, ErrCorrupt) || !errors.As(err, &c) || !strings.Contains(path, c.File) {
			t.Fatalf("%s: %v", what, err)
		}
		return true
	}
	o := testOptions(fs)
	o.OnFatal = func(err error) { t.Errorf("%s: fatal %v", what, err) }
	s, err := Open(o)
	if corrupt(err) {
		return "open"
	}
	defer func() { must(t, s.Close()) }()
	r := s.Replica(1, 1)
	applied, meta, err := r.Open()
	if corrupt(err) {
		return "open"
	}
	if applied != 9 || string(meta) != "meta" {
		t.Fatalf("%s: opened at %d %q", what, applied, meta)
	}
	got := rows{}
	err = r.Scan(nil, nil, func(k, v []byte) bool { got[string(k)] = string(v); return true })
	for k, v := range got {
		if want[k] != v {
			t.Fatalf("%s: row %q = %q", what, k, v)
		}
	}
	bad := corrupt(err)
	for i := range 60 {
		k := fmt.Sprintf("key%04d", i*50*7)
		v := want[k]
		value, ok, err := r.Get([]byte(k))
		if corrupt(err) {
			bad = true
			continue
		}
		if !ok || string(value) != v {
			t.Fatalf("%s: get %q = %q %v", what, k, value, ok)
		}
	}
	switch found := corrupt(s.Check()); {
	case bad && !found:
		t.Fatalf("%s: reads fail and Check is content", what)
	case bad:
		return "read"
	case found:
		return "check"
	case len(got) != len(want):
		t.Fatalf("%s: %d rows of %d without an error", what, len(got), len(want))
	}
	return "silent"
}

func readFile(t *testing.T, fs vfs.FS, path string) []byte {
	f, err := fs.Open(path)
	must(t, err)
	defer f.Close()
	p, err := io.ReadAll(f)
	must(t, err)
	return p
}

func copyFile(t *testing.T, from, to vfs.FS, path string, change func([]byte)) {
	p := readFile(t, from, path)
	change(p)
	must(t, to.MkdirAll(to.PathDir(path), 0o755))
	f, err := to.Create(path, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = f.Write(p)
	must(t, errors.Join(err, f.Close()))
}

// TestDamagedOptionsFile: whichever byte of pebble's options file is wrong, the store opens with all that it had. The file has no
// checksum, and says only what the program says.
func TestDamagedOptionsFile(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	r := s.Replica(1, 1)
	mustOpenReplica(t, r)
	b := r.NewBatch()
	b.Set([]byte("key"), []byte("value"))
	must(t, r.Commit(b, 9, nil))
	must(t, r.Sync())
	must(t, s.Close())
	names, err := fs.List("rows")
	must(t, err)
	mended := 0
	for _, name := range names {
		if !strings.HasPrefix(name, "OPTIONS-") {
			continue
		}
		for at := range readFile(t, fs, fs.PathJoin("rows", name)) {
			broken := vfs.NewMem()
			for _, n := range names {
				copyFile(t, fs, broken, fs.PathJoin("rows", n), func(p []byte) {
					if n == name {
						p[at] ^= 1 << (at % 7)
					}
				})
			}
			s, err := Open(testOptions(broken))
			if err != nil {
				t.Fatalf("byte %d of %s: %v", at, name, err)
			}
			r := s.Replica(1, 1)
			if applied, _ := mustOpenReplica(t, r); applied != 9 {
				t.Fatalf("byte %d of %s: applied %d", at, name, applied)
			}
			if v, ok, err := r.Get([]byte("key")); err != nil || !ok || string(v) != "value" {
				t.Fatalf("byte %d of %s: %q %v %v", at, name, v, ok, err)
			}
			must(t, s.Close())
			mended++
		}
	}
	if mended == 0 {
		t.Fatalf("no options file among %v", names)
	}
}

// TestOpenOnAFullDisk: wherever in Open the disk is full, Open ends. Pebble by itself tries the flush of a manifest
// that it could not write for ever, and its Open waits for that flush.
func TestOpenOnAFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	r := s.Replica(1, 1)
	mustOpenReplica(t, r)
	b := r.NewBatch()
	b.Set([]byte("k"), []byte("v"))
	must(t, r.Commit(b, 1, nil))
	must(t, r.Sync())
	must(t, s.Close())
	failed := 0
	for n := int64(0); ; n++ {
		var changes atomic.Int64
		clone := vfs.NewMem()
		if ok, err := vfs.Clone(fs, clone, "rows", "rows"); !ok || err != nil {
			t.Fatal(ok, err)
		}
		o := testOptions(errorfs.Wrap(clone, errorfs.InjectorFunc(func(op errorfs.Op) error {
			switch op.Kind {
			case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpRename, errorfs.OpLink:
				if changes.Add(1) > n {
					return syscall.ENOSPC
				}
			}
			return nil
		})))
		o.OnFatal = func(error) {}
		s, err := Open(o)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, ErrFatal) {
				t.Errorf("full after %d changes: %v", n, err)
			}
			failed++
			continue
		}
		whole := changes.Load() <= n
		if err := s.Close(); err != nil {
			t.Logf("full after %d changes: close: %v", n, err)
		}
		if whole {
			break
		}
	}
	if failed == 0 {
		t.Error("Open never met the full disk")
	}
}

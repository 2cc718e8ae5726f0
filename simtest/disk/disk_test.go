package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/simtest/trace"
)

func newDisk(seed uint64) *Disk {
	return New("n1", trace.New(nil, nil), rand.New(rand.NewPCG(seed, 0)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func noError(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readAll(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f := must(fs.Open(name))
	defer f.Close()
	return must(io.ReadAll(f))
}

func syncDir(t testing.TB, fs vfs.FS, name string) {
	t.Helper()
	d := must(fs.OpenDir(name))
	noError(t, d.Sync(), d.Close())
}

// TestSameAsPebblesOwn: without faults every operation answers as pebble's
// file system in memory does.
func TestSameAsPebblesOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine, theirs := newDisk(1).Mount().FS(), vfs.FS(vfs.NewMem())
		name := func(label string) string {
			return rapid.SampledFrom([]string{"/a", "/b", "/d/a", "/d/b", "/d/e/a", "/x/y"}).Draw(t, label)
		}
		noError2 := func(a, b error) {
			if (a == nil) != (b == nil) || errors.Is(a, os.ErrNotExist) != errors.Is(b, os.ErrNotExist) {
				t.Fatalf("mine: %v, theirs: %v", a, b)
			}
		}
		noError2(mine.MkdirAll("/d/e", 0o755), theirs.MkdirAll("/d/e", 0o755))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			a := name("a")
			switch rapid.IntRange(0, 6).Draw(t, "op") {
			case 0, 1:
				data := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "data")
				f, err1 := mine.Create(a, vfs.WriteCategoryUnspecified)
				g, err2 := theirs.Create(a, vfs.WriteCategoryUnspecified)
				noError2(err1, err2)
				if err1 == nil {
					_, err1 = f.Write(slices.Clone(data))
					_, err2 = g.Write(slices.Clone(data))
					noError2(err1, err2)
					noError2(f.Close(), g.Close())
				}
			case 2:
				off := int64(rapid.IntRange(0, 5000).Draw(t, "off"))
				data := rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(t, "data")
				f, err1 := mine.OpenReadWrite(a, vfs.WriteCategoryUnspecified)
				g, err2 := theirs.OpenReadWrite(a, vfs.WriteCategoryUnspecified)
				noError2(err1, err2)
				if err1 == nil {
					_, err1 = f.WriteAt(slices.Clone(data), off)
					_, err2 = g.WriteAt(slices.Clone(data), off)
					noError2(err1, err2)
				}
			case 3:
				noError2(mine.Remove(a), theirs.Remove(a))
			case 4:
				b := name("b")
				// Theirs loses a file that is renamed into a directory that does not exist.
				if a != b && b != "/x/y" {
					noError2(mine.Rename(a, b), theirs.Rename(a, b))
				}
			case 5:
				b := name("b")
				if a != b {
					noError2(mine.Link(a, b), theirs.Link(a, b))
				}
			case 6:
				f, err1 := mine.Open(a)
				g, err2 := theirs.Open(a)
				noError2(err1, err2)
				if err1 == nil {
					x, y := must(io.ReadAll(f)), must(io.ReadAll(g))
					if !bytes.Equal(x, y) || must(f.Stat()).Size() != must(g.Stat()).Size() {
						t.Fatalf("%s: %d bytes, theirs %d", a, len(x), len(y))
					}
				}
			}
			for _, dir := range []string{"/", "/d", "/d/e"} {
				x, err1 := mine.List(dir)
				y, err2 := theirs.List(dir)
				noError2(err1, err2)
				slices.Sort(y)
				if !slices.Equal(x, y) {
					t.Fatalf("%s lists %v, theirs %v", dir, x, y)
				}
			}
		}
	})
}

// TestPowerLossKeepsWhatWasSynced and loses or keeps each sector of the rest; both
// happen, and so do torn writes.
func TestPowerLossKeepsWhatWasSynced(t *testing.T) {
	lost, kept, torn, shorter := 0, 0, 0, 0
	for seed := uint64(0); seed < 300; seed++ {
		d := newDisk(seed)
		fs := d.Mount().FS()
		f := must(fs.Create("/f", vfs.WriteCategoryUnspecified))
		old, newer := bytes.Repeat([]byte("o"), 4*pageBytes), bytes.Repeat([]byte("n"), 3*pageBytes)
		must(f.Write(slices.Clone(old)))
		noError(t, f.Sync())
		syncDir(t, fs, "/")
		must(f.WriteAt(slices.Clone(newer), 2*pageBytes)) // half over the old, half beyond
		d.PowerLoss()
		if _, err := f.Write([]byte("x")); err == nil {
			t.Fatal("a file of the dead process still writes")
		}
		got := readAll(t, d.Mount().FS(), "/f")
		if len(got) < len(old) || !bytes.Equal(got[:2*pageBytes], old[:2*pageBytes]) {
			t.Fatalf("seed %d lost what was synced: %d bytes", seed, len(got))
		}
		o, n := 0, 0
		for at := 2 * pageBytes; at < len(got); at += sectorBytes {
			sector := got[at:min(at+sectorBytes, len(got))]
			switch {
			case bytes.Count(sector, []byte("n")) == len(sector):
				n++
			case at < len(old) && bytes.Count(sector, []byte("o")) == len(sector),
				at >= len(old) && bytes.Count(sector, []byte{0}) == len(sector):
				o++
			default:
				t.Fatalf("seed %d: a sector at %d that nobody wrote: %q", seed, at, sector)
			}
		}
		switch {
		case n == 0:
			lost++
		case o == 0 && len(got) == 5*pageBytes:
			kept++
		default:
			torn++
		}
		if len(got) < 5*pageBytes {
			shorter++
		}
	}
	if lost == 0 || kept == 0 || torn == 0 || shorter == 0 {
		t.Errorf("lost %d, kept %d, torn %d, shorter %d: each must happen", lost, kept, torn, shorter)
	}
}

// TestRenameIsWholeOrNot: the way to replace a file atomically works, and without
// the sync of the directory either file may be found.
func TestRenameIsWholeOrNot(t *testing.T) {
	seen := map[string]int{}
	for seed := uint64(0); seed < 200; seed++ {
		d := newDisk(seed)
		fs := d.Mount().FS()
		write := func(name, text string) {
			f := must(fs.Create(name, vfs.WriteCategoryUnspecified))
			must(f.Write([]byte(text)))
			noError(t, f.Sync(), f.Close())
		}
		write("/current", "one")
		syncDir(t, fs, "/")
		write("/next", "two")
		noError(t, fs.Rename("/next", "/current"))
		synced := seed%2 == 0
		if synced {
			syncDir(t, fs, "/")
		}
		d.PowerLoss()
		got := string(readAll(t, d.Mount().FS(), "/current"))
		if synced && got != "two" || got != "one" && got != "two" {
			t.Fatalf("seed %d, directory synced %v: found %q", seed, synced, got)
		}
		if !synced {
			seen[got]++
		}
	}
	if seen["one"] == 0 || seen["two"] == 0 {
		t.Errorf("without a sync of the directory: %v", seen)
	}
}

// TestKillLosesNothing: only power does.
func TestKillLosesNothing(t *testing.T) {
	d := newDisk(1)
	f := must(d.Mount().FS().Create("/f", vfs.WriteCategoryUnspecified))
	must(f.Write([]byte("unsynced")))
	m := d.Mount()
	if got := readAll(t, m.FS(), "/f"); string(got) != "unsynced" {
		t.Errorf("found %q", got)
	}
	if _, err := f.Write([]byte("x")); !errors.Is(err, syscall.EIO) {
		t.Errorf("a file of the dead process: %v", err)
	}
	lock := must(m.FS().Lock("/LOCK"))
	if _, err := m.FS().Lock("/LOCK"); err == nil {
		t.Error("locked twice")
	}
	must(d.Mount().FS().Lock("/LOCK")) // the holder died
	noError(t, lock.Close())
}

// TestFailedSyncDropsAndALaterOneDoesNotSave, as on Linux.
func TestFailedSyncDropsAndALaterOneDoesNotSave(t *testing.T) {
	d := newDisk(3)
	fs := d.Mount().FS()
	f := must(fs.Create("/f", vfs.WriteCategoryUnspecified))
	must(f.Write(bytes.Repeat([]byte("o"), sectorBytes)))
	noError(t, f.Sync())
	syncDir(t, fs, "/")
	must(f.WriteAt(bytes.Repeat([]byte("n"), sectorBytes), 0))
	d.SetFaults(Faults{SyncError: 1})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("want EIO, got %v", err)
	}
	d.SetFaults(Faults{})
	noError(t, f.Sync())
	if got := readAll(t, fs, "/f"); got[0] != 'n' {
		t.Error("the page cache forgot")
	}
	d.PowerLoss()
	if got := readAll(t, d.Mount().FS(), "/f"); got[0] != 'o' {
		t.Error("a later sync saved what an earlier one dropped")
	}
}

func TestLieIsFoundAfterPowerLoss(t *testing.T) {
	for seed := uint64(0); ; seed++ {
		d := newDisk(seed)
		fs := d.Mount().FS()
		f := must(fs.Create("/f", vfs.WriteCategoryUnspecified))
		syncDir(t, fs, "/")
		d.SetFaults(Faults{SyncLies: true})
		must(f.Write(bytes.Repeat([]byte("n"), sectorBytes)))
		noError(t, f.Sync())
		d.PowerLoss()
		if len(readAll(t, d.Mount().FS(), "/f")) == 0 {
			return
		}
		if seed > 50 {
			t.Fatal("a lie never costs anything")
		}
	}
}

func TestErrorsRotAndMisdirection(t *testing.T) {
	d := newDisk(5)
	fs := d.Mount().FS()
	f := must(fs.Create("/seg", vfs.WriteCategoryUnspecified))
	want := make([]byte, 8*pageBytes)
	for i := range want {
		want[i] = byte(i / sectorBytes)
	}
	must(f.Write(slices.Clone(want)))
	noError(t, f.Sync())
	if hit := d.Rot(3, "seg"); len(hit) != 3 {
		t.Fatalf("rot hit %v", hit)
	}
	got := readAll(t, fs, "/seg")
	bits := 0
	for i := range got {
		for b := got[i] ^ want[i]; b != 0; b &= b - 1 {
			bits++
		}
	}
	if bits != 3 {
		t.Errorf("%d bits flipped, want 3", bits)
	}
	copy(want, got)
	d.SetFaults(Faults{ReadError: 1, Only: "seg"})
	if _, err := f.ReadAt(got, 0); !errors.Is(err, syscall.EIO) {
		t.Errorf("read error: %v", err)
	}
	d.SetFaults(Faults{Full: true})
	if _, err := f.WriteAt([]byte("x"), int64(len(want))); !errors.Is(err, syscall.ENOSPC) || !vfs.IsNoSpaceError(err) {
		t.Errorf("full: %v", err)
	}
	must(f.WriteAt([]byte("x"), 0)) // needs no room
	want[0] = 'x'
	d.SetFaults(Faults{MisWrite: 1})
	must(f.WriteAt(bytes.Repeat([]byte("m"), sectorBytes), pageBytes))
	d.SetFaults(Faults{})
	got = readAll(t, fs, "/seg")
	if bytes.Equal(got[pageBytes:pageBytes+sectorBytes], bytes.Repeat([]byte("m"), sectorBytes)) || !bytes.Contains(got, bytes.Repeat([]byte("m"), sectorBytes)) {
		t.Error("a misdirected write must land elsewhere, and only there")
	}
	d.SetFaults(Faults{MisRead: 1})
	b := make([]byte, sectorBytes)
	must(f.ReadAt(b, 0))
	if bytes.Equal(b, got[:sectorBytes]) {
		t.Error("a misdirected read comes from elsewhere")
	}
	d.SetFaults(Faults{})
	d.SetCapacity(d.Used())
	if _, err := f.WriteAt([]byte("x"), int64(len(want))); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("capacity: %v", err)
	}
	if h := d.Hits(); h["full"] != 2 || h["bit rot"] != 3 || h["misdirected write"] != 1 {
		t.Errorf("hits: %v", h)
	}
}

func TestSlowAndStuckSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk(7)
		f := must(d.Mount().FS().Create("/f", vfs.WriteCategoryUnspecified))
		d.SetFaults(Faults{SyncDelay: time.Second})
		start := time.Now()
		for range 20 {
			noError(t, f.Sync())
		}
		if e := time.Since(start); e < 5*time.Second || e > 60*time.Second {
			t.Errorf("20 slow syncs took %v", e)
		}
		d.SetFaults(Faults{SyncStuck: true})
		done := make(chan error, 1)
		go func() { done <- f.Sync() }()
		select {
		case <-done:
			t.Error("a stuck sync returned")
		case <-time.After(time.Hour):
		}
		d.SetFaults(Faults{})
		noError(t, <-done)
	})
}

// TestPebbleSurvivesPowerLoss: a real user of the disk. What a synced commit wrote
// is there after any loss of power; a pebble without syncs does lose.
func TestPebbleSurvivesPowerLoss(t *testing.T) {
	if lost := pebbleCycles(t, pebble.Sync, 12); lost > 0 {
		t.Errorf("%d synced commits are gone", lost)
	}
	if lost := pebbleCycles(t, pebble.NoSync, 12); lost == 0 {
		t.Error("unsynced commits are never gone: the disk loses nothing")
	}
}

func pebbleCycles(t *testing.T, w *pebble.WriteOptions, cycles int) (lost int) {
	d := newDisk(11)
	want := map[string]string{}
	for cycle := range cycles {
		db, err := pebble.Open("/db", &pebble.Options{FS: d.Mount().FS(), Logger: silent{}, MemTableSize: 16 << 10})
		if err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
		for k, v := range want {
			got, c, err := db.Get([]byte(k))
			if err != nil || string(got) != v {
				lost++
				delete(want, k)
			}
			if c != nil {
				c.Close()
			}
		}
		for i := range 200 {
			k, v := fmt.Sprintf("%d-%d", cycle, i), fmt.Sprintf("%0100d", i)
			noError(t, db.Set([]byte(k), []byte(v), w))
			want[k] = v
		}
		d.PowerLoss()
		_ = closeDead(db)
	}
	return lost
}

// closeDead ends the goroutines of a database whose disk is gone. What it says
// does not matter.
func closeDead(db *pebble.DB) (err error) {
	defer func() { _ = recover() }()
	return db.Close()
}

type silent struct{}

func (silent) Infof(string, ...any)      {}
func (silent) Errorf(string, ...any)     {}
func (silent) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

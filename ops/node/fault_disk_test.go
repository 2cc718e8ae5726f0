package node_test

import (
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is a file system in memory of bounded size, which can be damaged: what a node
// keeps is lost with it, and nothing else is.
type disk struct {
	vfs.FS
	mu       sync.Mutex
	files    map[string]*extent
	used     int64
	capacity int64
	refused  int // writes for want of room
}

// extent is the room a file takes, whatever its names.
type extent struct {
	size  int64
	names int
}

const roomy = int64(1) << 50

func newDisk() *disk { return &disk{FS: vfs.NewMem(), files: map[string]*extent{}, capacity: roomy} }

// fill leaves room for so many bytes; they may be taken by what is written next.
func (d *disk) fill(left int64) { d.mu.Lock(); d.capacity = d.used + left; d.mu.Unlock() }

// empty gives room again.
func (d *disk) empty() { d.mu.Lock(); d.capacity = roomy; d.mu.Unlock() }

func (d *disk) refusals() int { d.mu.Lock(); defer d.mu.Unlock(); return d.refused }

func (d *disk) room(e *extent, end int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	grow := end - e.size
	if grow <= 0 {
		return nil
	}
	if d.used+grow > d.capacity {
		d.refused++
		return syscall.ENOSPC
	}
	d.used += grow
	e.size = end
	return nil
}

func (d *disk) dropLocked(name string) {
	if e := d.files[name]; e != nil {
		delete(d.files, name)
		if e.names--; e.names == 0 {
			d.used -= e.size
			e.size = 0
		}
	}
}

// Create makes a file; a full disk has no room for its name either.
func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	d.mu.Lock()
	if d.used >= d.capacity {
		d.refused++
		d.mu.Unlock()
		return nil, &vfsError{"create", name}
	}
	d.dropLocked(name)
	e := &extent{names: 1}
	d.files[name] = e
	d.mu.Unlock()
	f, err := d.FS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, d: d, e: e}, nil
}

type vfsError struct{ op, name string }

func (e *vfsError) Error() string { return e.op + " " + e.name + ": no space left on device" }
func (e *vfsError) Unwrap() error { return syscall.ENOSPC }

func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := d.FS.OpenReadWrite(name, c, o...)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.files[name]
	if e == nil {
		e = &extent{names: 1}
		d.files[name] = e
	}
	return &diskFile{File: f, d: d, e: e}, nil
}

func (d *disk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.Rename(from, to); err != nil {
		return nil, err
	}
	return d.OpenReadWrite(to, c)
}

func (d *disk) Rename(from, to string) error {
	if err := d.FS.Rename(from, to); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.files[from]; e != nil {
		e.names++
		d.dropLocked(to)
		d.dropLocked(from)
		d.files[to] = e
		return nil
	}
	for name, e := range d.files { // a folder
		if rest, ok := strings.CutPrefix(name, from+"/"); ok {
			delete(d.files, name)
			d.files[to+"/"+rest] = e
		}
	}
	return nil
}

func (d *disk) Link(from, to string) error {
	if err := d.FS.Link(from, to); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.files[from]; e != nil {
		e.names++
		d.files[to] = e
	}
	return nil
}

func (d *disk) Remove(name string) error {
	if err := d.FS.Remove(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropLocked(name)
	return nil
}

func (d *disk) RemoveAll(name string) error {
	if err := d.FS.RemoveAll(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for f := range d.files {
		if f == name || strings.HasPrefix(f, name+"/") {
			d.dropLocked(f)
		}
	}
	return nil
}

func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: uint64(max(0, d.capacity-d.used)), TotalBytes: uint64(d.capacity), UsedBytes: uint64(d.used)}, nil
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

// diskFile is a file that is written.
type diskFile struct {
	vfs.File
	d  *disk
	e  *extent
	at int64
}

func (f *diskFile) Write(b []byte) (int, error) {
	if err := f.d.room(f.e, f.at+int64(len(b))); err != nil {
		return 0, err
	}
	n, err := f.File.Write(b)
	f.at += int64(n)
	return n, err
}

func (f *diskFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.d.room(f.e, off+int64(len(b))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f *diskFile) Preallocate(off, n int64) error { return f.d.room(f.e, off+n) }

// list names the files of a folder that end so, by name.
func (d *disk) list(t testing.TB, dir, suffix string) []string {
	t.Helper()
	names, err := d.FS.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, n := range names {
		if strings.HasSuffix(n, suffix) {
			out = append(out, dir+"/"+n)
		}
	}
	return out
}

// read is a file's content now.
func (d *disk) read(t testing.TB, name string) []byte {
	t.Helper()
	f, err := d.FS.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// overwrite writes at a place as no node would.
func (d *disk) overwrite(t testing.TB, name string, off int64, b []byte) {
	t.Helper()
	f, err := d.FS.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

// flip flips one bit in each stretch of so many bytes between two places of a file.
func (d *disk) flip(t testing.TB, name string, from, to, every int64, rng *rand.Rand) (flips int) {
	t.Helper()
	b := d.read(t, name)
	for at := from; at < min(to, int64(len(b))); at += every {
		k := at + rng.Int64N(min(every, min(to, int64(len(b)))-at))
		d.overwrite(t, name, k, []byte{b[k] ^ 1<<rng.IntN(8)})
		flips++
	}
	return flips
}

// The disk itself: bounded, and room comes back.
func TestFaultDisk(t *testing.T) {
	d := newDisk()
	d.fill(100)
	f, err := d.Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 60)); err != syscall.ENOSPC {
		t.Fatalf("beyond the end: %v", err)
	}
	if err := d.Rename("a", "b"); err != nil {
		t.Fatal(err)
	}
	if u, _ := d.GetDiskUsage("."); u.AvailBytes != 40 {
		t.Fatalf("%d left", u.AvailBytes)
	}
	if err := d.Remove("b"); err != nil {
		t.Fatal(err)
	}
	if u, _ := d.GetDiskUsage("."); u.AvailBytes != 100 {
		t.Fatalf("%d left, %d refused", u.AvailBytes, d.refusals())
	}
}

package journal

import (
	"bytes"
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashFS is a crashable file system that stops at each sync of a file and tells the test what was written to it since
// the one before: at that instant the power may fail.
type crashFS struct {
	*vfs.MemFS
	hooks   sync.Mutex // one atSync at a time; tests take it to change what it looks at
	mu      sync.Mutex
	pending map[string][]write
	atSync  func(path string, unsynced []write) // called before the sync takes effect
}

// watch sets what is called at each sync from now on.
func (c *crashFS) watch(atSync func(path string, unsynced []write)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.atSync = atSync
}

type write struct {
	offset int64
	data   []byte
}

func newCrashFS(mem *vfs.MemFS) *crashFS { return &crashFS{MemFS: mem, pending: map[string][]write{}} }

func (c *crashFS) Unwrap() vfs.FS { return c.MemFS }

func (c *crashFS) Create(name string, cat vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.MemFS.Create(name, cat)
	return &crashFile{File: f, fs: c, name: name}, err
}

func (c *crashFS) OpenReadWrite(name string, cat vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.MemFS.OpenReadWrite(name, cat, o...)
	return &crashFile{File: f, fs: c, name: name}, err
}

type crashFile struct {
	vfs.File
	fs   *crashFS
	name string
}

func (f *crashFile) WriteAt(b []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	f.fs.pending[f.name] = append(f.fs.pending[f.name], write{offset, bytes.Clone(b)})
	f.fs.mu.Unlock()
	return f.File.WriteAt(b, offset)
}

func (f *crashFile) SyncData() error { return f.sync() }
func (f *crashFile) Sync() error     { return f.sync() }

func (f *crashFile) sync() error {
	f.fs.mu.Lock()
	ws := f.fs.pending[f.name]
	delete(f.fs.pending, f.name)
	hook := f.fs.atSync
	f.fs.mu.Unlock()
	if hook != nil {
		f.fs.hooks.Lock()
		hook(f.name, ws)
		f.fs.hooks.Unlock()
	}
	return f.File.Sync()
}

// synced is the disk with nothing that was not synced; random with any subset of 4 KiB blocks and directory entries.
func (c *crashFS) synced() *vfs.MemFS { return c.CrashClone(vfs.CrashCloneCfg{}) }
func (c *crashFS) random(rng *rand.Rand, percent int) *vfs.MemFS {
	return c.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
}

const sector = 512

// sectors are the 512-byte pieces of the unsynced writes that differ from what a disk has.
func sectors(disk *vfs.MemFS, path string, ws []write) (out []write) {
	f, err := disk.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	for _, w := range ws {
		for at := 0; at < len(w.data); at += sector {
			old := make([]byte, sector)
			_, _ = f.ReadAt(old, w.offset+int64(at))
			if piece := w.data[at:min(len(w.data), at+sector)]; !bytes.Equal(old[:len(piece)], piece) {
				out = append(out, write{w.offset + int64(at), piece})
			}
		}
	}
	return out
}

// torn is the synced disk with those sectors of the write on it whose bit is set.
func (c *crashFS) torn(path string, pieces []write, mask uint64) *vfs.MemFS {
	disk := c.synced()
	f, err := disk.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		panic(err)
	}
	for i, p := range pieces {
		if mask>>i&1 == 1 {
			if _, err := f.WriteAt(p.data, p.offset); err != nil {
				panic(err)
			}
		}
	}
	if err := f.Sync(); err != nil {
		panic(err)
	}
	_ = f.Close()
	return disk
}

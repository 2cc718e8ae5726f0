package disk

import (
	"os"

	"github.com/lni/vfs"
)

// Dragonboat returns the mount as dragonboat's Expert.FS wants it.
func (m *Mount) Dragonboat() vfs.FS { return raftFS{m} }

type raftFS struct{ *Mount }

type raftFile struct{ *file }

var (
	_ vfs.FS   = raftFS{}
	_ vfs.File = raftFile{}
)

func wrapRaft(f *file, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return raftFile{f}, nil
}

func (r raftFS) Create(name string) (vfs.File, error) { return wrapRaft(r.create(name)) }

func (r raftFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := wrapRaft(r.open(name, false))
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o.Apply(f)
	}
	return f, nil
}

func (r raftFS) OpenDir(name string) (vfs.File, error) { return wrapRaft(r.open(name, false)) }

func (r raftFS) OpenForAppend(name string) (vfs.File, error) {
	f, err := r.open(name, true)
	if err != nil {
		return nil, err
	}
	f.pos = int64(len(f.node.data))
	return raftFile{f}, nil
}

func (r raftFS) ReuseForWrite(oldname, newname string) (vfs.File, error) {
	if err := r.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return wrapRaft(r.open(newname, true))
}

func (r raftFS) Stat(name string) (os.FileInfo, error) {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	n, err := r.findLocked("stat", name)
	if err != nil {
		return nil, err
	}
	return n.info(name), nil
}

func (r raftFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	avail, total, used := r.usage()
	return vfs.DiskUsage{AvailBytes: avail, TotalBytes: total, UsedBytes: used}, nil
}

func (f raftFile) Stat() (os.FileInfo, error) {
	f.m.d.mu.Lock()
	defer f.m.d.mu.Unlock()
	if err := f.usableLocked("stat"); err != nil {
		return nil, err
	}
	return f.node.info(f.path), nil
}

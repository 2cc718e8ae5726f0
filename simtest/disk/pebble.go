package disk

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS returns the mount as pebble, and the journal, want it.
func (m *Mount) FS() vfs.FS { return pebbleFS{m} }

type pebbleFS struct{ *Mount }

type pebbleFile struct{ *file }

var (
	_ vfs.FS   = pebbleFS{}
	_ vfs.File = pebbleFile{}
)

func (p pebbleFS) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	return wrap(p.create(name))
}

func (p pebbleFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := wrap(p.open(name, false))
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o.Apply(f)
	}
	return f, nil
}

func (p pebbleFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	p.d.mu.Lock()
	_, err := p.findLocked("open", name)
	p.d.mu.Unlock()
	if err != nil {
		return p.Create(name, c)
	}
	f, err := wrap(p.open(name, true))
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o.Apply(f)
	}
	return f, nil
}

func (p pebbleFS) OpenDir(name string) (vfs.File, error) { return wrap(p.open(name, false)) }

func (p pebbleFS) ReuseForWrite(oldname, newname string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	if err := p.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return wrap(p.open(newname, true))
}

func (p pebbleFS) Stat(name string) (vfs.FileInfo, error) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	n, err := p.findLocked("stat", name)
	if err != nil {
		return nil, err
	}
	return pebbleInfo{n.info(name)}, nil
}

func (p pebbleFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	avail, total, used := p.usage()
	return vfs.DiskUsage{AvailBytes: avail, TotalBytes: total, UsedBytes: used}, nil
}

func (p pebbleFS) Unwrap() vfs.FS { return nil }

func wrap(f *file, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return pebbleFile{f}, nil
}

type pebbleInfo struct{ info }

func (pebbleInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

func (f pebbleFile) Stat() (vfs.FileInfo, error) {
	f.m.d.mu.Lock()
	defer f.m.d.mu.Unlock()
	if err := f.usableLocked("stat"); err != nil {
		return nil, err
	}
	return pebbleInfo{f.node.info(f.path)}, nil
}

// SyncTo promises nothing, and keeps that promise: a caller that relies on it loses.
func (f pebbleFile) SyncTo(int64) (bool, error) { return false, nil }

func (f pebbleFile) SyncData() error              { return f.Sync() }
func (f pebbleFile) Preallocate(_, _ int64) error { return nil }
func (f pebbleFile) Prefetch(_, _ int64) error    { return nil }
func (f pebbleFile) Fd() uintptr                  { return vfs.InvalidFd }

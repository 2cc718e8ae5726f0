package disk

import (
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// create makes a new file under the name; what had the name loses it.
func (m *Mount) create(name string) (*file, error) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	dir, last, err := m.parentLocked("create", name)
	if err != nil {
		return nil, err
	}
	if old := dir.names[last]; old != nil && old.dir {
		return nil, &fs.PathError{Op: "create", Path: name, Err: syscall.EISDIR}
	}
	n := newFile()
	dir.change(change{add: last, node: n})
	m.d.log.Event(trace.Disk, m.d.name, "create %s", name)
	return &file{m: m, node: n, path: name, writable: true}, nil
}

func (m *Mount) open(name string, writable bool) (*file, error) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	n, err := m.findLocked("open", name)
	if err != nil {
		return nil, err
	}
	return &file{m: m, node: n, path: name, writable: writable}, nil
}

// Link gives a file a second name.
func (m *Mount) Link(oldname, newname string) error {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	n, err := m.findLocked("link", oldname)
	if err != nil {
		return err
	}
	dir, last, err := m.parentLocked("link", newname)
	if err != nil {
		return err
	}
	if dir.names[last] != nil {
		return &os.LinkError{Op: "link", Old: oldname, New: newname, Err: os.ErrExist}
	}
	dir.change(change{add: last, node: n})
	m.d.log.Event(trace.Disk, m.d.name, "link %s %s", oldname, newname)
	return nil
}

// Remove removes a file or an empty directory.
func (m *Mount) Remove(name string) error {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	dir, last, err := m.parentLocked("remove", name)
	if err != nil {
		return err
	}
	n := dir.names[last]
	switch {
	case n == nil:
		return &fs.PathError{Op: "remove", Path: name, Err: os.ErrNotExist}
	case len(n.names) > 0:
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	dir.change(change{remove: last})
	m.d.log.Event(trace.Disk, m.d.name, "remove %s", name)
	return nil
}

// RemoveAll removes a file or a directory with all it holds.
func (m *Mount) RemoveAll(name string) error {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	if err := m.aliveLocked("remove", name); err != nil {
		return err
	}
	dir, last, err := m.parentLocked("remove", name)
	if err != nil || dir.names[last] == nil {
		return nil
	}
	dir.change(change{remove: last})
	m.d.log.Event(trace.Disk, m.d.name, "remove all %s", name)
	return nil
}

// Rename gives a file or directory another name; what had that name loses it.
func (m *Mount) Rename(oldname, newname string) error {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	from, oldlast, err := m.parentLocked("rename", oldname)
	if err != nil {
		return err
	}
	n := from.names[oldlast]
	if n == nil {
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: os.ErrNotExist}
	}
	to, newlast, err := m.parentLocked("rename", newname)
	if err != nil {
		return err
	}
	m.d.log.Event(trace.Disk, m.d.name, "rename %s %s", oldname, newname)
	switch {
	case from == to && oldlast == newlast:
	case from == to:
		from.change(change{add: newlast, node: n, remove: oldlast})
	default:
		to.change(change{add: newlast, node: n})
		from.change(change{remove: oldlast})
	}
	return nil
}

// MkdirAll makes a directory and those above it.
func (m *Mount) MkdirAll(name string, _ os.FileMode) error {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	if err := m.aliveLocked("mkdir", name); err != nil {
		return err
	}
	dir := m.d.root
	for _, p := range split(name) {
		next := dir.names[p]
		if next == nil {
			next = newDir()
			dir.change(change{add: p, node: next})
		}
		if !next.dir {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		dir = next
	}
	return nil
}

// Lock takes an exclusive lock that ends with Close or with the incarnation.
func (m *Mount) Lock(name string) (io.Closer, error) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	dir, last, err := m.parentLocked("lock", name)
	if err != nil {
		return nil, err
	}
	if m.d.locked[name] {
		return nil, &fs.PathError{Op: "lock", Path: name, Err: syscall.EAGAIN}
	}
	if dir.names[last] == nil {
		dir.change(change{add: last, node: newFile()})
	}
	m.d.locked[name] = true
	return &lock{m, name}, nil
}

type lock struct {
	m    *Mount
	name string
}

func (l *lock) Close() error {
	l.m.d.mu.Lock()
	defer l.m.d.mu.Unlock()
	if l.m.id == l.m.d.mount {
		delete(l.m.d.locked, l.name)
	}
	return nil
}

// List returns the names in a directory, in order.
func (m *Mount) List(name string) ([]string, error) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	n, err := m.findLocked("list", name)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, &fs.PathError{Op: "list", Path: name, Err: syscall.ENOTDIR}
	}
	return sortedNames(n.names), nil
}

// PathBase, PathJoin and PathDir are those of package path.
func (m *Mount) PathBase(p string) string       { return path.Base(p) }
func (m *Mount) PathJoin(elem ...string) string { return path.Join(elem...) }
func (m *Mount) PathDir(p string) string        { return path.Dir(p) }

// usage returns what is free, all and used.
func (m *Mount) usage() (avail, total, used uint64) {
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	return uint64(max(0, m.d.capacity-m.d.used)), uint64(m.d.capacity), uint64(m.d.used)
}

// info is what Stat says.
type info struct {
	name     string
	size     int64
	modified time.Time
	dir      bool
}

func (n *inode) info(name string) info {
	return info{name: path.Base(name), size: int64(len(n.data)), modified: n.modified, dir: n.dir}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return i.modified }
func (i info) IsDir() bool        { return i.dir }
func (i info) Sys() any           { return nil }
func (i info) Mode() os.FileMode {
	if i.dir {
		return os.ModeDir | 0o755
	}
	return 0o644
}

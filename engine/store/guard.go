package store

import (
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard stands between pebble and the file system and gives it three manners that it lacks:
//
//   - after the store stopped for good nothing is changed any more. Pebble would retry a flush whose manifest record may
//     or may not be durable, and delete the tables of the first try;
//   - a full disk is waited out where pebble would stop: in the manifest and the marker that names it, whose records are
//     small. A table that does not fit fails, is deleted, and is tried again;
//   - that retry is not a busy loop: the next table waits retryBackoff.
//
// Reads go straight through.
type guard struct {
	vfs.FS
	s *Store
}

func (g *guard) Unwrap() vfs.FS { return g.FS }

// wait ends after retryBackoff, or false when the store is closed.
func (g *guard) wait() bool {
	t := time.NewTimer(retryBackoff)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-g.s.entry.closing:
		return false
	}
}

// small repeats a change of a small file for as long as the disk is full.
func (g *guard) small(do func() error) error {
	for reported := false; ; reported = true {
		err := g.change(do)
		if errors.Is(err, ErrFatal) && g.s.opened.Load() {
			g.wait() // pebble's retries go on until Close: at a walk
		}
		if !errors.Is(err, syscall.ENOSPC) || !g.s.opened.Load() {
			return err
		}
		if !reported {
			g.s.stuck(1)
			defer g.s.stuck(-1)
			g.s.report(err)
		}
		if !g.wait() {
			return err
		}
	}
}

// change makes a change unless the store stopped for good.
func (g *guard) change(do func() error) error {
	if err := g.s.fatalError(); err != nil {
		return err
	}
	return do()
}

// isTable: tables are the large files, and pebble can do them again.
func (g *guard) isTable(name string) bool {
	return strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob")
}

func (g *guard) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	create := func() error { f, err = g.FS.Create(name, c); return err }
	if g.isTable(name) {
		if g.s.events.failing() {
			g.wait()
		}
		err = g.change(create)
	} else {
		err = g.small(create)
	}
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, g: g, table: g.isTable(name)}, nil
}

func (g *guard) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (f vfs.File, err error) {
	err = g.change(func() error { f, err = g.FS.OpenReadWrite(name, c, opts...); return err })
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, g: g}, nil
}

func (g *guard) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = g.change(func() error { f, err = g.FS.ReuseForWrite(oldname, newname, c); return err })
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, g: g}, nil
}

func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardFile{File: f, g: g}, nil
}

func (g *guard) Link(oldname, newname string) error {
	return g.small(func() error { return g.FS.Link(oldname, newname) })
}

func (g *guard) Rename(oldname, newname string) error {
	return g.small(func() error { return g.FS.Rename(oldname, newname) })
}

func (g *guard) Remove(name string) error {
	return g.change(func() error { return g.FS.Remove(name) })
}

func (g *guard) RemoveAll(name string) error {
	return g.change(func() error { return g.FS.RemoveAll(name) })
}

// guardFile is a file that pebble writes.
type guardFile struct {
	vfs.File
	g     *guard
	table bool
}

func (f *guardFile) Write(p []byte) (n int, err error) {
	if f.table {
		err = f.g.change(func() error { n, err = f.File.Write(p); return err })
		return n, err
	}
	// Bytes already written are not written again: a record of the manifest must not be doubled in part.
	err = f.g.small(func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	return n, err
}

func (f *guardFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.g.change(func() error { n, err = f.File.WriteAt(p, off); return err })
	return n, err
}

func (f *guardFile) Preallocate(offset, length int64) error {
	return f.g.change(func() error { return f.File.Preallocate(offset, length) })
}

func (f *guardFile) Sync() error     { return f.g.change(f.File.Sync) }
func (f *guardFile) SyncData() error { return f.g.change(f.File.SyncData) }

func (f *guardFile) SyncTo(length int64) (full bool, err error) {
	err = f.g.change(func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// stuck counts the writes that wait for room.
func (s *Store) stuck(n int) {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	s.events.stuck += n
}

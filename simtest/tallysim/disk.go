package tallysim

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Disk is a process's file system as its present life sees it: files in one folder.
// What was written survives a crash of the process; what was not synced may be lost,
// in part and out of order, when the machine loses power. Earlier lives' handles are dead.
type Disk struct{ fs vfs.FS }

// FS is the file system in the shape that pebble takes, which has all operations.
func (d *Disk) FS() vfs.FS { return d.fs }

// ReadFile returns a file's content, or an error that is fs.ErrNotExist.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	f, err := d.fs.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// Append adds bytes to the end of a file, which it makes when there is none. They are
// durable after the next Sync.
func (d *Disk) Append(name string, data []byte) error {
	return d.with(name, func(f vfs.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		_, err = f.WriteAt(data, info.Size())
		return err
	})
}

// Truncate makes a file shorter: after a loss of power its end may be torn.
func (d *Disk) Truncate(name string, size int64) error {
	b, err := d.ReadFile(name)
	if err != nil {
		return err
	}
	if size > int64(len(b)) {
		return fmt.Errorf("tallysim: truncate %s to %d: it has %d bytes", name, size, len(b))
	}
	return d.Replace(name, b[:size])
}

// Sync makes a file and its name durable.
func (d *Disk) Sync(name string) error {
	if err := d.with(name, func(f vfs.File) error { return f.Sync() }); err != nil {
		return err
	}
	return d.syncNames()
}

// Replace gives a file a new content, whole or not at all, durable on return.
func (d *Disk) Replace(name string, data []byte) error {
	next := name + ".new"
	f, err := d.fs.Create(next, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := d.fs.Rename(next, name); err != nil {
		return err
	}
	return d.syncNames()
}

func (d *Disk) with(name string, use func(f vfs.File) error) error {
	f, err := d.fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return errors.Join(use(f), f.Close())
}

// syncNames makes the folder's list of names durable.
func (d *Disk) syncNames() error {
	dir, err := d.fs.OpenDir("/")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

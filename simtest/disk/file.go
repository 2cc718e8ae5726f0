package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// file is an open file or directory. It serves both libraries' interfaces.
type file struct {
	m        *Mount
	node     *inode
	path     string
	pos      int64
	writable bool
	closed   bool
}

// usable checks the handle; the disk's lock must be held.
func (f *file) usableLocked(op string) error {
	if f.closed {
		return &fs.PathError{Op: op, Path: f.path, Err: os.ErrClosed}
	}
	return f.m.aliveLocked(op, f.path)
}

func (f *file) Close() error {
	f.m.d.mu.Lock()
	defer f.m.d.mu.Unlock()
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.path, Err: os.ErrClosed}
	}
	f.closed = true
	return nil
}

func (f *file) Read(b []byte) (int, error) {
	n, err := f.readAt(b, f.pos)
	f.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt reads from a place of its own.
func (f *file) ReadAt(b []byte, off int64) (int, error) { return f.readAt(b, off) }

func (f *file) readAt(b []byte, off int64) (int, error) {
	d := f.m.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.usableLocked("read"); err != nil {
		return 0, err
	}
	if f.node.dir {
		return 0, &fs.PathError{Op: "read", Path: f.path, Err: syscall.EISDIR}
	}
	if d.drawLocked("read error", d.faults.ReadError, f.path) {
		return 0, &fs.PathError{Op: "read", Path: f.path, Err: syscall.EIO}
	}
	if off >= int64(len(f.node.data)) {
		if len(b) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	from := off
	if d.drawLocked("misdirected read", d.faults.MisRead, f.path) {
		if at, ok := d.elsewhereLocked(f.node, off, len(b)); ok {
			from = at
		}
	}
	n := copy(b, f.node.data[from:])
	if n > 0 && d.drawLocked("flip on read", d.faults.FlipOnRead, f.path) {
		b[d.rng.IntN(n)] ^= 1 << d.rng.IntN(8)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, f.pos)
	f.pos += int64(n)
	return n, err
}

// WriteAt writes at a place of its own.
func (f *file) WriteAt(b []byte, off int64) (int, error) {
	d := f.m.d
	d.mu.Lock()
	delay := d.delayLocked(d.faults.WriteDelay, f.path)
	d.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.usableLocked("write"); err != nil {
		return 0, err
	}
	if !f.writable || f.node.dir {
		return 0, &fs.PathError{Op: "write", Path: f.path, Err: syscall.EBADF}
	}
	if d.drawLocked("write error", d.faults.WriteError, f.path) {
		return 0, &fs.PathError{Op: "write", Path: f.path, Err: syscall.EIO}
	}
	grow := off + int64(len(b)) - int64(len(f.node.data))
	if err := d.roomLocked(grow, f.path); err != nil {
		return 0, &fs.PathError{Op: "write", Path: f.path, Err: err}
	}
	if grow > 0 {
		d.used += grow
	}
	d.log.Event(trace.Disk, d.name, "write %s %d+%d %x", f.path, off, len(b), trace.Sum(b))
	to := off
	if d.drawLocked("misdirected write", d.faults.MisWrite, f.path) {
		if at, ok := d.elsewhereLocked(f.node, off, len(b)); ok {
			to = at
			f.node.write(make([]byte, max(0, grow)), int64(len(f.node.data))) // the size is metadata
		}
	}
	f.node.write(b, to)
	return len(b), nil
}

// Sync makes the file's bytes, or the directory's names, durable.
func (f *file) Sync() error {
	d := f.m.d
	d.mu.Lock()
	delay := d.delayLocked(d.faults.SyncDelay, f.path)
	if d.faults.SyncStuck {
		d.hitLocked("sync stuck", f.path)
	}
	for d.faults.SyncStuck {
		d.mu.Unlock()
		time.Sleep(stuckPoll)
		d.mu.Lock()
	}
	d.mu.Unlock()
	if delay > 0 {
		time.Sleep(delay)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := f.usableLocked("sync"); err != nil {
		return err
	}
	if d.faults.SyncLies && d.drawLocked("sync lied", 1, f.path) {
		return nil
	}
	if d.drawLocked("sync error", d.faults.SyncError, f.path) {
		f.node.drop()
		return &fs.PathError{Op: "sync", Path: f.path, Err: syscall.EIO}
	}
	d.log.Event(trace.Disk, d.name, "sync %s", f.path)
	f.node.sync()
	return nil
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	f.m.d.mu.Lock()
	defer f.m.d.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += int64(len(f.node.data))
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "seek", Path: f.path, Err: syscall.EINVAL}
	}
	f.pos = offset
	return offset, nil
}

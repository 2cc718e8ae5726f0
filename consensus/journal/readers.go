package journal

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// readers holds the buffered descriptors segments are read through: never the one they are written with, since a
// direct descriptor refuses unaligned reads. At most readersMax stay open.
type readers struct {
	fs     vfs.FS
	dir    string
	mu     sync.Mutex
	idle   sync.Cond
	open   map[uint64]*reader
	tick   uint64
	closed bool
}

type reader struct {
	number uint64
	file   vfs.File
	refs   int
	used   uint64
}

func newReaders(fs vfs.FS, dir string) *readers {
	r := &readers{fs: fs, dir: dir, open: map[uint64]*reader{}}
	r.idle.L = &r.mu
	return r
}

// acquire pins a segment's file: it is not recycled before release. Only call it for a segment the ledger knows.
func (r *readers) acquire(number uint64) (*reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	rd := r.open[number]
	if rd == nil {
		if len(r.open) >= readersMax {
			r.closeOldestLocked()
		}
		f, err := r.fs.Open(r.fs.PathJoin(r.dir, segmentName(number)), vfs.RandomReadsOption)
		if err != nil {
			return nil, fmt.Errorf("open segment %d to read: %w", number, err)
		}
		rd = &reader{number: number, file: f}
		r.open[number] = rd
	}
	r.tick++
	rd.refs++
	rd.used = r.tick
	return rd, nil
}

func (r *readers) release(rd *reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rd.refs--
	if rd.refs == 0 {
		r.idle.Broadcast()
	}
}

func (r *readers) closeOldestLocked() {
	var oldest *reader
	for _, rd := range r.open {
		if rd.refs == 0 && (oldest == nil || rd.used < oldest.used) {
			oldest = rd
		}
	}
	if oldest != nil {
		atReaderClosed.Hit()
		_ = oldest.file.Close()
		delete(r.open, oldest.number)
	}
}

// drop waits until nobody reads the segment and closes its file. The ledger no longer knows it.
func (r *readers) drop(number uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.open[number] != nil && r.open[number].refs > 0 {
		atDropWaits.Hit()
		r.idle.Wait()
	}
	if rd := r.open[number]; rd != nil {
		_ = rd.file.Close()
		delete(r.open, number)
	}
}

func (r *readers) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for n, rd := range r.open {
		for rd.refs > 0 {
			r.idle.Wait()
		}
		_ = rd.file.Close()
		delete(r.open, n)
	}
}

// readAt fills b; past the end of the file there are zeroes, as in a file that was written ahead.
func (rd *reader) readAt(b []byte, offset int64) error {
	n, err := rd.file.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		clear(b[n:])
		return nil
	}
	if err != nil {
		return fmt.Errorf("read segment %d at %d: %w", rd.number, offset, err)
	}
	return nil
}

package journal

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// writer writes one segment; what it wrote is durable when it returns.
type writer struct {
	number uint64
	direct DirectFile // nil: file
	file   vfs.File
}

// openWriter opens a segment's file, past the page cache where that is possible.
func (j *Journal) openWriter(number uint64) (*writer, error) {
	path := j.path(segmentName(number))
	if j.opts.Direct != nil && !j.noDirect.Load() {
		f, err := j.opts.Direct.OpenDirect(path)
		if err == nil {
			return &writer{number: number, direct: f}, nil
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
		atNoDirect.Hit()
		// The file system's answer does not change: ask once.
		j.noDirect.Store(true)
		j.log.Info("journal: no direct writes on this file system, writing buffered", "err", err)
	}
	f, err := j.fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("open segment %d to write: %w", number, err)
	}
	return &writer{number: number, file: f}, nil
}

func (w *writer) write(b []byte, offset int64) error {
	if w.direct != nil {
		if _, err := w.direct.WriteAt(b, offset); err != nil {
			return fmt.Errorf("write %d bytes to segment %d at %d: %w", len(b), w.number, offset, err)
		}
		return nil
	}
	if _, err := w.file.WriteAt(b, offset); err != nil {
		return fmt.Errorf("write %d bytes to segment %d at %d: %w", len(b), w.number, offset, err)
	}
	if err := w.file.SyncData(); err != nil {
		return fmt.Errorf("sync segment %d: %w", w.number, err)
	}
	return nil
}

func (w *writer) close() error {
	if w.direct != nil {
		return w.direct.Close()
	}
	return w.file.Close()
}

package journal

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// spares are files whose extents are allocated, and with direct writes written: dead segments, files zeroed ahead, and
// the reserve, which is touched only when the disk is full. Their names mean nothing to recovery.
type spares struct {
	mu       sync.Mutex
	ready    []string
	reserve  []string
	sequence int
}

// found takes in a spare left by an earlier process.
func (s *spares) found(name string) {
	var n int
	switch {
	case strings.HasSuffix(name, spareSuffix):
		s.ready = append(s.ready, name)
		fmt.Sscanf(name, "%d", &n)
	case strings.HasSuffix(name, reserveSuffix):
		s.reserve = append(s.reserve, name)
		fmt.Sscanf(name, "%d", &n)
	}
	s.sequence = max(s.sequence, n)
}

func (s *spares) name(suffix string) string {
	s.sequence++
	return fmt.Sprintf("%d%s", s.sequence, suffix)
}

// claim makes a file with the name of a segment, durably so: a spare, a new one, or when the disk is full one of the
// reserve. Only after it may a byte be written for that number; so no number ever has two histories.
func (j *Journal) claim(number uint64) error {
	s := &j.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	path := j.path(segmentName(number))
	var err error
	if n := len(s.ready); n > 0 {
		if err = j.fs.Rename(j.path(s.ready[n-1]), path); err != nil {
			return fmt.Errorf("rename a spare to segment %d: %w", number, err)
		}
		atSpareUsed.Hit()
		s.ready = s.ready[:n-1]
	} else {
		err = j.create(path)
		j.full.Store(isFull(err))
	}
	if isFull(err) && len(s.reserve) > 0 {
		n := len(s.reserve)
		if err = j.fs.Rename(j.path(s.reserve[n-1]), path); err != nil {
			return fmt.Errorf("rename a reserved file to segment %d: %w", number, err)
		}
		atReserveUsed.Hit()
		s.reserve = s.reserve[:n-1]
		j.space.raise(SpaceCritical)
	}
	if err != nil {
		return fmt.Errorf("segment %d: %w", number, err)
	}
	return j.syncDir()
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// create makes a file with its extents allocated.
func (j *Journal) create(path string) (err error) {
	f, err := j.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	err = errors.Join(f.Preallocate(0, j.opts.SegmentBytes), f.Sync(), f.Close())
	if err != nil {
		atSegmentNotMade.Hit()
		return errors.Join(fmt.Errorf("preallocate: %w", err), j.fs.Remove(path))
	}
	return nil
}

// fill makes a file whose extents are written already. stop is asked between writes.
func (j *Journal) fill(path string, stop func() bool) (err error) {
	f, err := j.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.fs.Remove(path))
		}
	}()
	defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
	if err := f.Preallocate(0, j.opts.SegmentBytes); err != nil {
		return fmt.Errorf("preallocate: %w", err)
	}
	zero := aligned(min(zeroBytes, j.opts.SegmentBytes))
	var w interface {
		WriteAt([]byte, int64) (int, error)
	} = fileWriter{f}
	if j.opts.Direct != nil && !j.noDirect.Load() {
		if d, derr := j.opts.Direct.OpenDirect(path); derr == nil {
			defer func() { err = errors.Join(err, d.Close()) }()
			w = d
		}
	}
	for at := int64(0); at < j.opts.SegmentBytes; at += int64(len(zero)) {
		if stop() {
			return errStopped
		}
		if _, err := w.WriteAt(zero[:min(int64(len(zero)), j.opts.SegmentBytes-at)], at); err != nil {
			return fmt.Errorf("zero: %w", err)
		}
	}
	return nil
}

// fileWriter writes a created file from its start: not every file system lets it be written at an offset.
type fileWriter struct{ f vfs.File }

func (w fileWriter) WriteAt(b []byte, _ int64) (int, error) { return w.f.Write(b) }

var errStopped = errors.New("stopped")

// recycle turns a file nobody knows any more into a spare, or removes it.
func (j *Journal) recycle(number uint64) error {
	s := &j.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	path := j.path(segmentName(number))
	info, err := j.fs.Stat(path)
	if err != nil {
		return fmt.Errorf("recycle segment %d: %w", number, err)
	}
	suffix := ""
	switch {
	case info.Size() > 2*j.opts.SegmentBytes:
	case int64(len(s.reserve)) < j.reserveFiles() && info.Size() >= j.opts.SegmentBytes:
		suffix = reserveSuffix
	case len(s.ready) < j.opts.RecycledSegmentsMax:
		suffix = spareSuffix
	}
	if suffix == "" {
		atSegmentRemoved.Hit()
		if err := j.fs.Remove(path); err != nil {
			return fmt.Errorf("remove segment %d: %w", number, err)
		}
		return nil
	}
	name := s.name(suffix)
	if err := j.fs.Rename(path, j.path(name)); err != nil {
		return fmt.Errorf("recycle segment %d: %w", number, err)
	}
	if suffix == reserveSuffix {
		atRecycledToReserve.Hit()
		s.reserve = append(s.reserve, name)
	} else {
		s.ready = append(s.ready, name)
	}
	return nil
}

func (j *Journal) reserveFiles() int64 {
	return (j.opts.ReserveBytes + j.opts.SegmentBytes - 1) / j.opts.SegmentBytes
}

// refill brings the reserve back to its size, then zeroes spares ahead. It gives way to appends.
func (j *Journal) refill(stop func() bool) error {
	for {
		s := &j.spares
		s.mu.Lock()
		suffix := ""
		switch {
		case int64(len(s.reserve)) < j.reserveFiles():
			suffix = reserveSuffix
		case j.opts.Direct != nil && !j.noDirect.Load() && len(s.ready) < min(sparesAhead, j.opts.RecycledSegmentsMax) && j.space.get() == SpaceOK:
			suffix = spareSuffix
		}
		name := s.name(suffix)
		s.mu.Unlock()
		if suffix == "" {
			return nil
		}
		atSpareMade.Hit()
		if err := j.fill(j.path(name), stop); err != nil {
			return err
		}
		s.mu.Lock()
		if suffix == reserveSuffix {
			s.reserve = append(s.reserve, name)
		} else {
			s.ready = append(s.ready, name)
		}
		s.mu.Unlock()
	}
}

func (j *Journal) syncDir() error {
	d, err := j.fs.OpenDir(j.dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", j.dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync %s: %w", j.dir, err)
	}
	return nil
}

func (j *Journal) path(name string) string { return j.fs.PathJoin(j.dir, name) }

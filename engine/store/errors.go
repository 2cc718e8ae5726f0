package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

var (
	// ErrClosed: the store is closed or closing.
	ErrClosed = errors.New("store: closed")
	// ErrStopped: the caller's stop channel ended a stream; nothing of it took effect.
	ErrStopped = errors.New("store: stopped by the caller")
	// ErrNotOpen: the replica was not opened, or was dropped.
	ErrNotOpen = errors.New("store: replica is not open")
	// ErrCorrupt marks bytes on disk that fail their checksum or their form; errors.As *CorruptError names the file.
	ErrCorrupt = errors.New("store: corrupt")
	// ErrStream marks a stream of rows that is truncated, flipped or of an unknown version; nothing of it took effect.
	ErrStream = errors.New("store: rows stream refused")
	// ErrFatal marks a store that stopped for good.
	ErrFatal = errors.New("store: stopped for good")
)

// CorruptError says which file holds bytes that cannot be trusted. The replicas of this node must be rebuilt from their
// peers; no row of such a file is ever returned.
type CorruptError struct {
	File string
	Err  error
}

func (e *CorruptError) Error() string { return fmt.Sprintf("store: corrupt: %s: %v", e.File, e.Err) }

// Unwrap gives pebble's error.
func (e *CorruptError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrCorrupt) hold.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// rowError wraps what pebble says about a read or a write.
func (s *Store) rowError(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: %s: %w", op, s.classify(err))
}

// classify turns pebble's notion of corruption into ours.
func (s *Store) classify(err error) error {
	if err == nil || errors.Is(err, ErrCorrupt) {
		return err
	}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		return &CorruptError{File: info.Path, Err: err}
	}
	if pebble.IsCorruptionError(err) {
		return &CorruptError{File: s.options.Dir, Err: err}
	}
	return err
}

// corruptRow marks rows of our own that pebble's checksums accept and that we cannot read.
func (s *Store) corruptRow(format string, args ...any) error {
	return &CorruptError{File: s.options.Dir, Err: fmt.Errorf(format, args...)}
}

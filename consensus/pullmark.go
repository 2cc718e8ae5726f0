package consensus

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// entryspan is a range of Raft indexes, both ends in it. The zero value is empty: no entry has index 0.
type entryspan struct{ first, last uint64 }

// entriesFrom is everything from an index on.
func entriesFrom(first uint64) entryspan { return entryspan{first, math.MaxUint64} }

func (s entryspan) empty() bool { return s.last == 0 || s.first > s.last }

// with is the smallest span that has both.
func (s entryspan) with(o entryspan) entryspan {
	switch {
	case s.empty():
		return o
	case o.empty():
		return s
	}
	return entryspan{min(s.first, o.first), max(s.last, o.last)}
}

// The mark is a small file, so that a person can read it too.
const markFormat = "payloads of entries %d to %d may be missing\n"

// markBytesMax bounds what is read of it.
const markBytesMax = 256

func markPath(dir string, shard, replica uint64) string {
	return filepath.Join(dir, fmt.Sprintf("pull-%d-%d", shard, replica))
}

func writeMark(fs vfs.FS, path string, span entryspan) error {
	return writeFileAtomically(fs, path, fmt.Appendf(nil, markFormat, span.first, span.last))
}

// readMark gives an empty span when there is no mark, and all entries when it says nothing that can be read: then
// everything is looked at.
func readMark(fs vfs.FS, path string) (span entryspan, err error) {
	f, err := fs.Open(path)
	if isNotExist(err) {
		return entryspan{}, nil
	}
	if err != nil {
		return entryspan{}, fmt.Errorf("consensus: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, markBytesMax))
	if err = errors.Join(err, f.Close()); err != nil {
		return entryspan{}, fmt.Errorf("consensus: read %s: %w", path, err)
	}
	if _, err := fmt.Sscanf(string(b), markFormat, &span.first, &span.last); err != nil || span.empty() {
		return entriesFrom(1), nil
	}
	return span, nil
}

func removeMark(fs vfs.FS, path string) error {
	if err := fs.Remove(path); err != nil && !isNotExist(err) {
		return fmt.Errorf("consensus: %w", err)
	}
	return syncDir(fs, filepath.Dir(path))
}

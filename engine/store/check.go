package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Check reads every table from the disk, past the cache, and verifies the checksum of every block; then it reads the
// control rows. It joins all it finds; each part is a *CorruptError that names its file. It takes as long as reading all
// rows takes and may run while the store is used.
func (s *Store) Check() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	tables, err := s.tables()
	if err != nil {
		return err
	}
	var found []error
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if err := s.stopped(nil); err != nil {
			return err
		}
		err := s.checkTable(name)
		if err == nil {
			continue
		}
		// A compaction may have deleted it meanwhile: then nothing depends on it.
		if now, listErr := s.tables(); listErr == nil && !now[name] {
			continue
		}
		found = append(found, err)
	}
	if _, err := s.controls(); err != nil {
		found = append(found, err)
	}
	return errors.Join(found...)
}

// tables are the files that the current version needs.
func (s *Store) tables() (map[string]bool, error) {
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, s.rowError("list tables", err)
	}
	names := make(map[string]bool)
	for _, level := range levels {
		for _, t := range level {
			names[fmt.Sprintf("%s.sst", t.BackingSSTNum)] = true
		}
	}
	return names, nil
}

func (s *Store) checkTable(name string) error {
	path := s.options.FS.PathJoin(s.options.Dir, name)
	f, err := s.options.FS.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return &CorruptError{File: path, Err: err}
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(&CorruptError{File: path, Err: err}, f.Close())
	}
	p := s.options.pebbleOptions()
	p.EnsureDefaults()
	// The reader owns the file from here on, also when it fails.
	r, err := sstable.NewReader(context.Background(), readable, p.MakeReaderOptions())
	if err != nil {
		return &CorruptError{File: path, Err: err}
	}
	err = errors.Join(r.ValidateBlockChecksums(), r.Close())
	if err != nil {
		return &CorruptError{File: path, Err: err}
	}
	return nil
}

// Stats are figures for metrics, bytes unless named otherwise.
type Stats struct {
	// MemTableBytes wait in memory to be flushed.
	MemTableBytes int64
	// Flushes ended since Open, FlushedBytes and CompactedBytes written by them and by compactions.
	Flushes        int64
	FlushedBytes   int64
	CompactedBytes int64
	// DebtBytes is what compactions still have to do, Sublevels how many tables of level 0 a read may visit.
	DebtBytes int64
	Sublevels int
	// Tables and DiskBytes on the disk, with those that views and iterators keep (KeptBytes).
	Tables    int64
	DiskBytes int64
	KeptBytes int64
	// Cache of blocks.
	CacheBytes  int64
	CacheHits   int64
	CacheMisses int64
	// OpenTables is the number of files held open, Views of open views, Iterators of open scans.
	OpenTables int64
	Views      int
	Iterators  int64
	// Failing: the last flush or compaction failed, or a write of the manifest waits for room. Corrupt is the number of files found corrupt.
	Failing bool
	Corrupt int
}

// Stats looks at the figures. Pebble gives them between two writes of its manifest; while such a write waits for a full
// disk only those are given that are our own. After Close they are zero.
func (s *Store) Stats() (out Stats) {
	if !s.entry.enter() {
		return out
	}
	defer s.leave()
	s.events.mu.Lock()
	stuck := s.events.stuck > 0
	s.events.mu.Unlock()
	if !stuck {
		out = pebbleStats(s.db.Metrics())
	}
	s.events.mu.Lock()
	out.Failing, out.Corrupt = stuck || s.events.failures > 0, len(s.events.corrupt)
	s.events.mu.Unlock()
	s.mu.Lock()
	out.Views = len(s.views)
	s.mu.Unlock()
	return out
}

func pebbleStats(m *pebble.Metrics) Stats {
	out := Stats{
		MemTableBytes: int64(m.MemTable.Size),
		Flushes:       m.Flush.Count,
		DebtBytes:     int64(m.Compact.EstimatedDebt),
		Sublevels:     int(m.Levels[0].Sublevels),
		DiskBytes:     int64(m.DiskSpaceUsage()),
		KeptBytes:     int64(m.Table.ZombieSize),
		CacheBytes:    m.BlockCache.Size,
		CacheHits:     m.BlockCache.Hits,
		CacheMisses:   m.BlockCache.Misses,
		OpenTables:    m.FileCache.TableCount,
		Iterators:     m.TableIters,
	}
	for _, l := range m.Levels {
		out.Tables += l.TablesCount
		out.FlushedBytes += int64(l.TableBytesFlushed)
		out.CompactedBytes += int64(l.TableBytesCompacted)
	}
	return out
}

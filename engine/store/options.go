package store

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the rows lie and what they may cost.
type Options struct {
	// FS is the file system, handed in by the one who assembles the node. Required.
	FS vfs.FS
	// Dir is the folder of the database; made if missing. Required.
	Dir string
	// CacheBytes bounds the cache of uncompressed blocks; memtables are counted into it. 0: 64 MiB.
	CacheBytes int64
	// MemTableBytes is how many bytes of rows, of all replicas together, gather before a flush. At most four times as
	// much waits in memory. 0: 16 MiB.
	MemTableBytes int64
	// OpenFilesMax bounds the tables held open. 0: 500.
	OpenFilesMax int
	// Logger takes what pebble tells. nil: slog.Default().
	Logger *slog.Logger
	// OnFatal is told, once, that the store has stopped for good (a manifest that could not be synced, a broken belief of
	// pebble). Nothing is read, written or called durable after it. It must not block nor call the store. nil: panic.
	OnFatal func(error)
	// OnBackgroundError is told of a flush or compaction that failed (full disk), which is tried again, and of every table
	// found corrupt (errors.Is ErrCorrupt). It must not block nor call the store. May be nil.
	OnBackgroundError func(error)
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	switch {
	case o.FS == nil:
		return errors.New("store: options: FS is missing")
	case o.Dir == "":
		return errors.New("store: options: Dir is missing")
	case o.CacheBytes < 0 || o.OpenFilesMax < 0:
		return fmt.Errorf("store: options: negative CacheBytes %d or OpenFilesMax %d", o.CacheBytes, o.OpenFilesMax)
	case o.MemTableBytes != 0 && (o.MemTableBytes < memTableBytesMin || o.MemTableBytes > 1<<30):
		return fmt.Errorf("store: options: MemTableBytes %d is not in [%d, %d]", o.MemTableBytes, memTableBytesMin, 1<<30)
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = cacheBytesDefault
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = memTableBytesDefault
	}
	if o.OpenFilesMax == 0 {
		o.OpenFilesMax = openFilesDefault
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// pebbleOptions fits pebble to our writes: many small rows, ascending within each prefix (offsets, log indexes), mostly
// read back by scans, deleted by ranges from the low end; on a machine whose cores belong to Raft first.
func (o Options) pebbleOptions() *pebble.Options {
	p := &pebble.Options{
		// The journal is the log: an entry is freed only below the applied index that is durable here.
		DisableWAL: true,
		// Named, so that an update of the library does not rewrite the files of a node that may have to go back.
		FormatMajorVersion: pebble.FormatValueSeparation,

		CacheSize:    o.CacheBytes,
		MaxOpenFiles: o.OpenFilesMax,
		MemTableSize: uint64(o.MemTableBytes),

		// Held back by ourselves, see admit.go.
		MemTableStopWritesThreshold: neverStall,
		L0StopWritesThreshold:       neverStall,
		// Prefixes ascend side by side, so tables of one flush rarely overlap those of the last except where counters are
		// rewritten: four sublevels cost a scan little and save rewriting those counters once per flush.
		L0CompactionThreshold: 4,
		// One compaction in peace, two in debt.
		CompactionConcurrencyRange: func() (int, int) { return 1, compactionsMax },
		// A manifest is replayed at open: short.
		MaxManifestFileSize: 8 << 20,
		// Disk space of a dropped generation comes back when its range deletion is compacted; flushes come by bytes and by
		// Sync, no timer is needed for it.
		FlushDelayDeleteRange: 0,
		FlushDelayRangeKey:    0,
		BytesPerSync:          512 << 10,
	}
	// Snappy: rows are names and counters, half of their bytes are the shared prefix; zstd's ratio is not worth a core.
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	for i := range p.Levels {
		// 8 KiB blocks: a fetch reads hundreds of neighbouring rows; half the index of the usual 4 KiB.
		p.Levels[i].BlockSize = 8 << 10
		p.Levels[i].IndexBlockSize = 64 << 10
		// Get is asked mostly for rows that exist (offsets, groups) and live in the last level: filters above it skip the
		// levels that do not have them; in it they would cost ten bits a row for the few keys that nobody has.
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.TargetFileSizes[i] = min(int64(4<<20)<<i, 32<<20)
	}
	p.Levels[len(p.Levels)-1].FilterPolicy = pebble.NoFilterPolicy
	// Reads must not cause writes: their number depends on who looks, and it would differ from run to run.
	p.Experimental.ReadSamplingMultiplier = -1
	p.Experimental.FileCacheShards = 2
	return p
}

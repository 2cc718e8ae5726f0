package store

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the rows lie and what they may cost.
type Options struct {
	// FS is the file system, handed in by the one who assembles the node. Required.
	FS vfs.FS
	// Dir is the folder of the database; made if missing. Required.
	Dir string
	// CacheBytes bounds the cache of uncompressed blocks. 0: cacheBytesDefault.
	CacheBytes int64
	// MemTableBytes is how many bytes of rows, of all replicas together, gather before a flush. 0: memTableBytesDefault.
	MemTableBytes int64
	// OpenFilesMax bounds the tables held open. 0: openFilesDefault.
	OpenFilesMax int
	// Logger takes what pebble tells. nil: slog.Default().
	Logger *slog.Logger
	// OnFatal is told, once, that the store has stopped for good (a manifest that could not be written, a broken belief of
	// pebble). Nothing is read, written or called durable after it. It must not block nor call the store. nil: panic.
	OnFatal func(error)
	// OnBackgroundError is told of a flush or compaction that failed (full disk, corrupt table); pebble tries again. It
	// must not block nor call the store. May be nil.
	OnBackgroundError func(error)
}

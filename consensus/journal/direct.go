package journal

import "io"

// DirectOpener opens a file for durable writes past the page cache. An error that is errors.ErrUnsupported makes the
// journal fall back to buffered writes on this file system.
type DirectOpener interface {
	OpenDirect(path string) (DirectFile, error)
}

// DirectFile is written with offsets, lengths and memory aligned to 4 KiB; a write is durable when it returns.
type DirectFile interface {
	io.WriterAt
	io.Closer
}

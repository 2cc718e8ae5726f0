package store

import "errors"

var (
	// ErrClosed: the store is closed or closing.
	ErrClosed = errors.New("store: closed")
	// ErrStopped: the caller's stop channel ended a stream.
	ErrStopped = errors.New("store: stopped")
	// ErrCorrupt marks bytes on disk that fail their checksum; the text names the file.
	ErrCorrupt = errors.New("store: corrupt")
	// ErrStream marks a stream of rows that is truncated, flipped or of an unknown version; nothing of it took effect.
	ErrStream = errors.New("store: rows stream refused")
	// ErrFatal marks a store that stopped for good.
	ErrFatal = errors.New("store: stopped for good")
)

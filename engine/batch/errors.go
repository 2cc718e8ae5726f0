package batch

import (
	"errors"
	"fmt"
)

// The kinds of refusal; errors.Is finds them in what this package returns. Kafka's code is in brackets.
var (
	// ErrCorrupt (2, CORRUPT_MESSAGE): the bytes are damaged: framing, CRC, or a compressed block that does not unfold.
	ErrCorrupt = errors.New("corrupt")
	// ErrInvalidRecord (87, INVALID_RECORD): the bytes are as they were written, and wrong.
	ErrInvalidRecord = errors.New("invalid record")
	// ErrInvalidTimestamp (32, INVALID_TIMESTAMP): a producer claims log append time, or a timestamp overflows.
	ErrInvalidTimestamp = errors.New("invalid timestamp")
	// ErrUnsupportedCodec (76, UNSUPPORTED_COMPRESSION_TYPE): a codec that nobody defined.
	ErrUnsupportedCodec = errors.New("unsupported codec")
	// ErrUnsupportedMagic (43, UNSUPPORTED_FOR_MESSAGE_FORMAT): a message set from before record batches.
	ErrUnsupportedMagic = errors.New("unsupported magic")
	// ErrTooLarge (10, MESSAGE_TOO_LARGE): above a limit, as sent or unfolded.
	ErrTooLarge = errors.New("too large")
)

// Error is every error of this package: a kind, and where.
type Error struct {
	// Kind is one of the Err values above.
	Kind error
	// At is the byte that is wrong, counted from the start of the batch, or of its decompressed records.
	At int
	// Inner says that At counts in the decompressed records of a compressed batch.
	Inner bool
	// What is wrong, with the numbers.
	What string
}

// Error reads like "batch: corrupt: byte 17: crc 0x1, computed 0x2".
func (e *Error) Error() string {
	where := "byte"
	if e.Inner {
		where = "decompressed byte"
	}
	return fmt.Sprintf("batch: %v: %s %d: %s", e.Kind, where, e.At, e.What)
}

// Unwrap makes errors.Is(err, ErrCorrupt) and its like work.
func (e *Error) Unwrap() error { return e.Kind }

func failf(kind error, at int, format string, args ...any) *Error {
	return &Error{Kind: kind, At: at, What: fmt.Sprintf(format, args...)}
}

// in turns a position counted in the records into one counted in the batch, or says that it cannot.
func (e *Error) in(codec Codec) *Error {
	if codec == CodecNone {
		e.At += HeaderBytes
	} else {
		e.Inner = true
	}
	return e
}

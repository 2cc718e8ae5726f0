package rafttcp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
)

// kind says what a frame's payload is.
type kind byte

const (
	kindMessages kind = 1
	kindChunk    kind = 2
)

// String names the kind.
func (k kind) String() string {
	switch k {
	case kindMessages:
		return "messages"
	case kindChunk:
		return "chunk"
	}
	return fmt.Sprintf("kind %d", byte(k))
}

const (
	magic       = "TQR1"
	headerBytes = 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errFrame is what every refusal of a peer's bytes wraps.
var errFrame = errors.New("not a frame of this protocol")

// seal fills in the header of a frame whose payload lies behind it. len(frame) ≥ headerBytes.
func seal(frame []byte, k kind) {
	copy(frame, magic)
	frame[4], frame[5], frame[6], frame[7] = byte(k), 0, 0, 0
	binary.LittleEndian.PutUint32(frame[8:], uint32(len(frame)-headerBytes))
	sum := crc32.Update(crc32.Checksum(frame[4:12], castagnoli), castagnoli, frame[headerBytes:])
	binary.LittleEndian.PutUint32(frame[12:], sum)
}

// header is a decoded frame header.
type header struct {
	kind   kind
	length int
	start  uint32 // checksum of the header's part
	sum    uint32
}

// decodeHeader judges the first headerBytes of a frame.
func decodeHeader(b []byte) (header, error) {
	h := header{kind: kind(b[4]), sum: binary.LittleEndian.Uint32(b[12:])}
	length := binary.LittleEndian.Uint32(b[8:])
	switch {
	case string(b[:4]) != magic:
		return h, fmt.Errorf("%w: it begins with %x", errFrame, b[:4])
	case h.kind != kindMessages && h.kind != kindChunk, b[5] != 0, b[6] != 0, b[7] != 0:
		return h, fmt.Errorf("%w: unknown %v", errFrame, h.kind)
	case length > frameBytesMax:
		return h, fmt.Errorf("%w: a payload of %d bytes, %d are allowed", errFrame, length, frameBytesMax)
	}
	h.length = int(length)
	h.start = crc32.Checksum(b[4:12], castagnoli)
	return h, nil
}

// reader takes frames from a stream.
type reader struct {
	in  *bufio.Reader
	buf []byte
	// arm is called before a read that must not wait for ever; idle before one that may.
	arm, idle func() error
}

// next returns the next frame. The payload is valid until the call after. io.EOF: the stream ended between frames.
func (r *reader) next() (kind, []byte, error) {
	if r.in.Buffered() == 0 {
		if err := r.idle(); err != nil {
			return 0, nil, err
		}
		if _, err := r.in.Peek(1); err != nil {
			return 0, nil, err
		}
	}
	if r.in.Buffered() < headerBytes {
		if err := r.arm(); err != nil {
			return 0, nil, err
		}
	}
	var first [headerBytes]byte
	if _, err := io.ReadFull(r.in, first[:]); err != nil {
		return 0, nil, noEOF(err)
	}
	h, err := decodeHeader(first[:])
	if err != nil {
		return 0, nil, err
	}
	payload, err := r.payload(h.length)
	if err != nil {
		return 0, nil, err
	}
	if crc32.Update(h.start, castagnoli, payload) != h.sum {
		return 0, nil, fmt.Errorf("%w: the checksum of %d bytes of %v is wrong", errFrame, h.length, h.kind)
	}
	return h.kind, payload, nil
}

// payload reads n bytes, piece by piece: a header that lies costs what its sender sends.
func (r *reader) payload(n int) ([]byte, error) {
	if cap(r.buf) > keepBytes {
		r.buf = nil
	}
	b := r.buf[:0]
	for len(b) < n {
		piece := min(n-len(b), pieceBytes)
		if r.in.Buffered() < piece {
			if err := r.arm(); err != nil {
				return nil, err
			}
		}
		b = slices.Grow(b, piece)
		if _, err := io.ReadFull(r.in, b[len(b):len(b)+piece]); err != nil {
			return nil, noEOF(err)
		}
		b = b[:len(b)+piece]
	}
	r.buf = b
	return b, nil
}

// noEOF: an end inside a frame is not an orderly one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

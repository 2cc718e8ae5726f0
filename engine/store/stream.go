package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A rows stream carries one view to another node. It does not trust the wire nor the file it rests in:
//
//	"tallyrow" | version 1      then frames
//	frame: kind 1 | length 4 | crc32c 4 | payload
//	  head: applied 8 | meta        once, first
//	  rows: (key length uvarint | key | value length uvarint | value)*, keys ascend over the whole stream
//	  end:  number of rows 8        once, last
//
// The checksum covers kind, length, the frame's number and the payload, so a frame that is flipped, missing, doubled or
// out of place is refused; a stream without end is refused. Numbers are big-endian.
const (
	streamMagic   = "tallyrow"
	streamVersion = 1

	frameHead = 'h'
	frameRows = 'r'
	frameEnd  = 'e'

	frameHeaderBytes = 1 + 4 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameSum is the checksum of a frame; header is its first five bytes.
func frameSum(header []byte, number uint32, payload []byte) uint32 {
	var covered [5 + 4]byte
	copy(covered[:5], header[:5])
	binary.BigEndian.PutUint32(covered[5:], number)
	return crc32.Update(crc32.Checksum(covered[:], castagnoli), castagnoli, payload)
}

// rowsEncoder writes a stream.
type rowsEncoder struct {
	w      io.Writer
	number uint32
	rows   uint64
	// frame being filled, its header left free.
	frame []byte
}

func newRowsEncoder(w io.Writer) *rowsEncoder {
	return &rowsEncoder{w: w, frame: make([]byte, frameHeaderBytes, frameHeaderBytes+frameBytesTarget)}
}

func (e *rowsEncoder) head(applied uint64, meta []byte) error {
	if _, err := e.w.Write(append([]byte(streamMagic), streamVersion)); err != nil {
		return err
	}
	e.frame = binary.BigEndian.AppendUint64(e.frame, applied)
	e.frame = append(e.frame, meta...)
	return e.send(frameHead)
}

// row adds a row; it says whether a frame was sent.
func (e *rowsEncoder) row(k, v []byte) (sent bool, err error) {
	if n := len(e.frame) - frameHeaderBytes; n > 0 && n+len(k)+len(v)+2*maxVarintBytes > frameBytesTarget {
		if err := e.send(frameRows); err != nil {
			return true, err
		}
		sent = true
	}
	e.frame = binary.AppendUvarint(e.frame, uint64(len(k)))
	e.frame = append(e.frame, k...)
	e.frame = binary.AppendUvarint(e.frame, uint64(len(v)))
	e.frame = append(e.frame, v...)
	e.rows++
	return sent, nil
}

func (e *rowsEncoder) end() error {
	if len(e.frame) > frameHeaderBytes {
		if err := e.send(frameRows); err != nil {
			return err
		}
	}
	e.frame = binary.BigEndian.AppendUint64(e.frame, e.rows)
	return e.send(frameEnd)
}

func (e *rowsEncoder) send(kind byte) error {
	header, payload := e.frame[:frameHeaderBytes], e.frame[frameHeaderBytes:]
	header[0] = kind
	binary.BigEndian.PutUint32(header[1:5], uint32(len(payload)))
	binary.BigEndian.PutUint32(header[5:], frameSum(header, e.number, payload))
	e.number++
	_, err := e.w.Write(e.frame)
	e.frame = e.frame[:frameHeaderBytes]
	return err
}

// rowsDecoder reads a stream. After an error it is not used again.
type rowsDecoder struct {
	r       io.Reader
	number  uint32
	rows    uint64
	payload bytes.Buffer
	last    []byte
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrStream, fmt.Errorf(format, args...))
}

func (d *rowsDecoder) head() (applied uint64, meta []byte, err error) {
	var start [len(streamMagic) + 1]byte
	if _, err := io.ReadFull(d.r, start[:]); err != nil {
		return 0, nil, refuse("start: %w", unexpected(err))
	}
	if string(start[:len(streamMagic)]) != streamMagic {
		return 0, nil, refuse("starts with %q", start[:])
	}
	if v := start[len(streamMagic)]; v != streamVersion {
		return 0, nil, refuse("version %d, this node knows %d", v, streamVersion)
	}
	kind, p, err := d.next()
	if err != nil {
		return 0, nil, err
	}
	if kind != frameHead || len(p) < 8 || len(p)-8 > metaBytesMax {
		return 0, nil, refuse("frame 0 is %q of %d bytes, not a head", kind, len(p))
	}
	return binary.BigEndian.Uint64(p), bytes.Clone(p[8:]), nil
}

// frame hands the rows of the next frame to yield, after all of it was verified; more is false after the end.
func (d *rowsDecoder) frame(yield func(k, v []byte)) (more bool, err error) {
	kind, p, err := d.next()
	if err != nil {
		return false, err
	}
	switch {
	case kind == frameRows && len(p) > 0:
		return true, d.eachRow(p, yield)
	case kind == frameEnd && len(p) == 8:
		if n := binary.BigEndian.Uint64(p); n != d.rows {
			return false, refuse("%d rows came of %d", d.rows, n)
		}
		return false, nil
	}
	return false, refuse("frame %d is %q of %d bytes", d.number-1, kind, len(p))
}

func (d *rowsDecoder) eachRow(p []byte, yield func(k, v []byte)) error {
	for len(p) > 0 {
		k, rest, ok := field(p, keyBytesMax)
		if !ok {
			return refuse("frame %d: bad key", d.number-1)
		}
		v, rest, ok := field(rest, valueBytesMax)
		if !ok {
			return refuse("frame %d: bad value", d.number-1)
		}
		if d.rows > 0 && bytes.Compare(k, d.last) <= 0 {
			return refuse("frame %d: keys do not ascend", d.number-1)
		}
		d.last = append(d.last[:0], k...)
		d.rows++
		yield(k, v)
		p = rest
	}
	return nil
}

// field takes one length-prefixed field; the length must be in its shortest form.
func field(p []byte, bytesMax uint64) (f, rest []byte, ok bool) {
	n, w := binary.Uvarint(p)
	if w <= 0 || n > bytesMax || w > 1 && n>>(7*(w-1)) == 0 || n > uint64(len(p)-w) {
		return nil, nil, false
	}
	return p[w : w+int(n)], p[w+int(n):], true
}

// next reads and verifies one frame; the payload is valid until the next call.
func (d *rowsDecoder) next() (kind byte, payload []byte, err error) {
	var header [frameHeaderBytes]byte
	if _, err := io.ReadFull(d.r, header[:]); err != nil {
		return 0, nil, refuse("frame %d: %w", d.number, unexpected(err))
	}
	length := binary.BigEndian.Uint32(header[1:5])
	if length > frameBytesMax {
		return 0, nil, refuse("frame %d: length %d is above %d", d.number, length, frameBytesMax)
	}
	// In steps: a flipped length must not allocate what never comes.
	d.payload.Reset()
	for left := int64(length); left > 0; {
		n, err := io.CopyN(&d.payload, d.r, min(left, readStepBytes))
		left -= n
		if err != nil {
			return 0, nil, refuse("frame %d: %w", d.number, unexpected(err))
		}
	}
	payload = d.payload.Bytes()
	if sum := binary.BigEndian.Uint32(header[5:]); sum != frameSum(header[:], d.number, payload) {
		return 0, nil, refuse("frame %d: checksum is wrong", d.number)
	}
	d.number++
	return header[0], payload, nil
}

// unexpected: a stream never ends before its end frame.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

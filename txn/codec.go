package txn

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The bytes of a window, integers big-endian:
//
//	version [1] = 1 | flags [1]: bit 0 known, the rest 0 | epoch [2] | last used [8] | forgotten [4] |
//	number of batches [1]
//	batches, oldest first: first sequence [4] | last sequence [4] | base offset [8] | timestamp [8] | fingerprint [8]
//
// The last offset follows from the others and is not written.
const (
	windowVersion1     = 1
	windowKnownFlag    = 1
	windowPrefixBytes  = 17
	windowBatchBytes   = 32
	windowEncodedBytes = windowPrefixBytes + WindowBatchesMax*windowBatchBytes
)

// ErrDecode is wrapped by every error of Decode: the bytes are not a window's.
var ErrDecode = errors.New("txn: not a window")

// AppendTo appends the window's bytes to dst; at most 177.
func (w *Window) AppendTo(dst []byte) []byte {
	var flags byte
	if w.known {
		flags |= windowKnownFlag
	}
	dst = append(dst, windowVersion1, flags)
	dst = binary.BigEndian.AppendUint16(dst, uint16(w.epoch))
	dst = binary.BigEndian.AppendUint64(dst, uint64(w.lastUsed))
	dst = binary.BigEndian.AppendUint32(dst, uint32(w.forgotten))
	dst = append(dst, byte(w.n))
	for _, b := range w.batches[:w.n] {
		dst = binary.BigEndian.AppendUint32(dst, uint32(b.FirstSequence))
		dst = binary.BigEndian.AppendUint32(dst, uint32(b.LastSequence))
		dst = binary.BigEndian.AppendUint64(dst, uint64(b.BaseOffset))
		dst = binary.BigEndian.AppendUint64(dst, uint64(b.Timestamp))
		dst = binary.BigEndian.AppendUint64(dst, b.Fingerprint)
	}
	return dst
}

// Decode reads exactly one window. It accepts only what AppendTo can have written, so that equal states have equal
// bytes.
func Decode(b []byte) (Window, error) {
	if len(b) < windowPrefixBytes {
		return Window{}, fmt.Errorf("%w: %d bytes", ErrDecode, len(b))
	}
	if b[0] != windowVersion1 || b[1]&^windowKnownFlag != 0 {
		return Window{}, fmt.Errorf("%w: version %d, flags %#x", ErrDecode, b[0], b[1])
	}
	w := Window{
		known:     b[1]&windowKnownFlag != 0,
		epoch:     Epoch(binary.BigEndian.Uint16(b[2:])),
		lastUsed:  int64(binary.BigEndian.Uint64(b[4:])),
		forgotten: int64(binary.BigEndian.Uint32(b[12:])),
		n:         int(b[16]),
	}
	if w.n > WindowBatchesMax || len(b) != windowPrefixBytes+w.n*windowBatchBytes {
		return Window{}, fmt.Errorf("%w: %d batches in %d bytes", ErrDecode, w.n, len(b))
	}
	if w.epoch < 0 || !w.known && w != (Window{}) {
		return Window{}, fmt.Errorf("%w: epoch %d, known %v, %d batches, used %d", ErrDecode, w.epoch, w.known, w.n, w.lastUsed)
	}
	if w.forgotten > forgottenMax || w.forgotten > 0 && w.n < WindowBatchesMax {
		return Window{}, fmt.Errorf("%w: %d forgotten sequences before %d batches", ErrDecode, w.forgotten, w.n)
	}
	for i := range w.n {
		if err := w.decodeBatch(i, b[windowPrefixBytes+i*windowBatchBytes:]); err != nil {
			return Window{}, err
		}
	}
	return w, nil
}

func (w *Window) decodeBatch(i int, b []byte) error {
	d := Batch{
		FirstSequence: Sequence(binary.BigEndian.Uint32(b)),
		LastSequence:  Sequence(binary.BigEndian.Uint32(b[4:])),
		BaseOffset:    int64(binary.BigEndian.Uint64(b[8:])),
		Timestamp:     int64(binary.BigEndian.Uint64(b[16:])),
		Fingerprint:   binary.BigEndian.Uint64(b[24:]),
	}
	if d.FirstSequence < 0 || d.LastSequence < 0 || d.BaseOffset < 0 {
		return fmt.Errorf("%w: batch %d: sequences %d..%d at offset %d", ErrDecode, i, d.FirstSequence, d.LastSequence, d.BaseOffset)
	}
	d.LastOffset = d.BaseOffset + count(d.FirstSequence, d.LastSequence) - 1
	if d.LastOffset < d.BaseOffset {
		return fmt.Errorf("%w: batch %d: offset %d overflows", ErrDecode, i, d.BaseOffset)
	}
	if i > 0 {
		before := w.batches[i-1]
		if d.FirstSequence != before.LastSequence.Next() || d.BaseOffset <= before.LastOffset {
			return fmt.Errorf("%w: batch %d does not follow the one before", ErrDecode, i)
		}
	}
	w.batches[i] = d
	return nil
}

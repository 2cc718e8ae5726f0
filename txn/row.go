package txn

import (
	"encoding/binary"
	"fmt"
)

// Row reads numbers, big-endian, from the beginning of a row. After the first error everything it reads is zero, so that
// a reader may check once, at the end. The zero value is an empty row.
type Row struct {
	rest []byte
	err  error
}

// NewRow reads b, which must not change meanwhile.
func NewRow(b []byte) *Row { return &Row{rest: b} }

// Uint reads a number of 1 ≤ n ≤ 8 bytes.
func (r *Row) Uint(n int) uint64 {
	if r.err == nil && len(r.rest) < n {
		r.Fail("ends before a number of %d bytes", n)
	}
	if r.err != nil {
		return 0
	}
	var whole [8]byte
	copy(whole[8-n:], r.rest)
	r.rest = r.rest[n:]
	return binary.BigEndian.Uint64(whole[:])
}

// Bytes reads n bytes; they stay the row's.
func (r *Row) Bytes(n int) []byte {
	if r.err == nil && len(r.rest) < n {
		r.Fail("ends before %d bytes", n)
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// Failed says that there was an error.
func (r *Row) Failed() bool { return r.err != nil }

// Participants reads a count of 4 bytes and as many participants, which rise.
func (r *Row) Participants() []Participant {
	n := r.Uint(4)
	var all []Participant // not of n: the count may lie
	for range n {
		if r.err != nil {
			return nil
		}
		p, rest, err := DecodeParticipant(r.rest)
		if err != nil {
			r.err = err
			return nil
		}
		if len(all) > 0 && all[len(all)-1].Compare(p) >= 0 {
			r.Fail("participant %v does not rise", p)
		}
		all, r.rest = append(all, p), rest
	}
	return all
}

// Fail notes an error, unless there was one before.
func (r *Row) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrRow, fmt.Sprintf(format, args...))
	}
}

// End is the first error; it is one too if anything is left unread.
func (r *Row) End() error {
	if len(r.rest) > 0 {
		r.Fail("%d bytes behind its end", len(r.rest))
	}
	return r.err
}

// AppendParticipants appends what Row.Participants reads.
func AppendParticipants(dst []byte, all []Participant) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(all)))
	for _, p := range all {
		dst = p.AppendTo(dst)
	}
	return dst
}

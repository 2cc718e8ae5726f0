package journal

import (
	"fmt"
)

// found is one step of reading a segment from its start: a batch, or a hole where one was durable and cannot be read.
type found struct {
	header  header
	records []record // valid until the next step
	bad     int      // records whose body fails its checksum; the batch was durable, so they are damaged
	hole    int64    // bytes of a hole; 0: a batch
	offset  int64
}

// scanner reads batches of one segment in order and judges them by the tail rule.
type scanner struct {
	rd    *reader
	limit int64 // all below is durable; or the end of the file
	tail  bool  // nothing is known to be durable but what a header claims
	buf   []byte
	ahead []byte // read in advance, from from on; empty: nothing
	from  int64
	// of the batch before
	open, sequence uint64
}

// scan calls visit for each step from offset on and returns where the batches end.
//
// In a sealed segment everything below the limit is durable, so what is invalid is a hole. In the tail an invalid batch
// is a hole if a header further on claims that the log was synced beyond it. Otherwise it was never acknowledged: there
// the log is cut, and nothing behind, valid or not, is ever read.
func (s *scanner) scan(offset int64, visit func(*found) error) (end int64, err error) {
	for offset < s.limit {
		f := &found{offset: offset}
		err := s.batch(offset, f)
		if err == nil && (f.bad == 0 || !s.tail) {
			if err := visit(f); err != nil {
				return offset, err
			}
			offset += f.header.padded()
			continue
		}
		next, rerr := s.claimed(offset)
		if rerr != nil {
			return offset, rerr
		}
		switch {
		case err == nil && next >= 0: // whole but for some bodies, and proven durable
			atBodyBadButDurable.Hit()
			if verr := visit(f); verr != nil {
				return offset, verr
			}
			offset += f.header.padded()
			continue
		case next < 0 && s.tail:
			atTailCut.Hit()
			return offset, nil
		case next < 0:
			next = s.limit
		}
		if verr := visit(&found{offset: offset, hole: next - offset}); verr != nil {
			return offset, verr
		}
		offset, s.sequence = next, 0
	}
	return offset, nil
}

// batch reads the batch at offset. An error says why there is none.
func (s *scanner) batch(offset int64, f *found) error {
	head, err := s.read(offset, alignBytes)
	if err != nil {
		return err
	}
	h, err := decodeHeader(head, s.rd.number, offset)
	if err != nil {
		return err
	}
	if s.open != 0 && h.open != s.open || s.sequence != 0 && h.sequence != s.sequence+1 {
		return fmt.Errorf("batch %d of open %d follows %d of %d", h.sequence, h.open, s.sequence, s.open)
	}
	if offset+h.padded() > s.limit {
		return fmt.Errorf("batch of %d bytes at %d passes the end", h.length, offset)
	}
	whole, err := s.read(offset, h.padded())
	if err != nil {
		return err
	}
	if f.records, f.bad, err = decodeDirectory(&h, whole); err != nil {
		return err
	}
	f.header = h
	s.open, s.sequence = h.open, h.sequence
	return nil
}

// read gives n bytes from offset on, which are valid until the next read: as far as they were read in advance, from there. A
// part that cannot be read fails by itself, not what lies around it.
func (s *scanner) read(offset, n int64) ([]byte, error) {
	var have []byte
	if at := offset - s.from; at >= 0 && at < int64(len(s.ahead)) {
		have = s.ahead[at:]
	}
	if int64(len(have)) >= n {
		return have[:n], nil
	}
	into := s.buf
	if need := max(n, scanAheadBytes); int64(len(into)) < need {
		into = make([]byte, need)
	}
	done := int64(copy(into, have)) // they may overlap
	s.buf, s.ahead = into, nil
	if size := min(scanAheadBytes, s.limit-offset); size > n && s.rd.readAt(into[done:size], offset+done) == nil {
		s.ahead, s.from = into[:size], offset
		return s.ahead[:n], nil
	}
	return into[:n], s.rd.readAt(into[done:n], offset+done)
}

// claimed finds the next header behind offset that claims the log was synced beyond offset; -1: none.
func (s *scanner) claimed(offset int64) (int64, error) {
	chunk := make([]byte, scrubChunkBytes)
	for at := offset + alignBytes; at < s.limit; at += int64(len(chunk)) {
		n := min(int64(len(chunk)), s.limit-at)
		if err := s.rd.readAt(chunk[:n], at); err != nil {
			return -1, err
		}
		for k := int64(0); k+headerBytes <= n; k += alignBytes {
			h, err := decodeHeader(chunk[k:n], s.rd.number, at+k)
			if err == nil && (s.open == 0 || h.open == s.open) && (position{s.rd.number, offset}).less(h.synced) {
				return at + k, nil
			}
		}
	}
	return -1, nil
}

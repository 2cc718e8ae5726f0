package journal

import (
	"errors"
	"fmt"
	"slices"
)

// readRow reads a body whole, from the cache or the disk, appends it to dst and verifies it. The caller must keep the
// segment from being recycled, or hold j.mu.
func (j *Journal) readRow(segment uint64, w *row, dst []byte) ([]byte, error) {
	dst, err := j.readRange(segment, int64(w.offset), int64(w.length), dst)
	if err != nil {
		return dst, err
	}
	if checksum(dst[len(dst)-int(w.length):]) != w.crc {
		return dst[:len(dst)-int(w.length)], &Damage{Index: w.index, Term: w.term, Segment: segment, Offset: int64(w.offset), Length: int64(w.length)}
	}
	return dst, nil
}

// readRange appends bytes of a segment to dst, unverified.
func (j *Journal) readRange(segment uint64, offset, length int64, dst []byte) ([]byte, error) {
	if b, release := j.cache.view(segment, offset, length); b != nil {
		dst = append(dst, b...)
		release()
		return dst, nil
	}
	rd, err := j.readers.acquire(segment)
	if err != nil {
		return dst, err
	}
	defer j.readers.release(rd)
	n := len(dst)
	dst = slices.Grow(dst, int(length))[:n+int(length)]
	if err := rd.readAt(dst[n:], offset); err != nil {
		return dst[:n], err
	}
	return dst, nil
}

// loadFooter reads the table of a segment's footer. ErrDamaged: there is none, or it is unreadable.
func (j *Journal) loadFooter(s *segment) error {
	rd, err := j.readers.acquire(s.number)
	if err != nil {
		return err
	}
	defer j.readers.release(rd)
	b := make([]byte, alignBytes)
	if err := rd.readAt(b, s.end); err != nil {
		return err
	}
	f, err := decodeFooterHead(b, s.number, s.end)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if n := f.tableBytes(); n > alignBytes {
		if err := j.checkTable(rd, s.end+n); err != nil {
			return err
		}
		b = make([]byte, n)
		if err := rd.readAt(b, s.end); err != nil {
			return err
		}
	}
	gs, err := decodeGroups(f, b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s.rows, s.footer, s.groups, s.rowCount = nil, f, gs, 0
	for _, g := range gs {
		s.rowCount += int(g.count)
	}
	return nil
}

// checkTable bounds what a footer may make us allocate by the file's length.
func (j *Journal) checkTable(rd *reader, end int64) error {
	info, err := rd.file.Stat()
	if err != nil {
		return fmt.Errorf("stat segment %d: %w", rd.number, err)
	}
	if info.Size() < end {
		return fmt.Errorf("%w: footer of segment %d passes the end of the file", ErrDamaged, rd.number)
	}
	return nil
}

// block gives the rows of one footer block.
func (j *Journal) block(rd *reader, at int64) ([]row, error) {
	p := position{rd.number, at}
	if ws := j.indexCache.get(p); ws != nil {
		return ws, nil
	}
	b := make([]byte, alignBytes)
	if err := rd.readAt(b, at); err != nil {
		return nil, err
	}
	ws, err := decodeBlock(b, rd.number, at)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	j.indexCache.put(p, ws)
	return ws, nil
}

// groupRows yields a group's rows from index lo on, in order.
func (j *Journal) groupRows(rd *reader, s *sealed, g group, lo uint64, yield func(row) bool) error {
	first, n := int64(g.first), int64(blocksOf(g.count))
	at := func(k int64) int64 { return s.blocks + (first+k)*alignBytes }
	// Indexes are mostly dense: guess the block, then go by halves.
	from, to := int64(0), n-1
	guess := int64(0)
	if lo > g.min && g.max > g.min {
		guess = min(n-1, int64(float64(lo-g.min)/float64(g.max-g.min+1)*float64(n)))
	}
	for from < to {
		ws, err := j.block(rd, at(guess))
		if err != nil {
			return err
		}
		switch {
		case lo <= ws[0].index: // the first with lo may lie in an earlier block
			to = max(from, guess-1)
			if guess == from {
				to = from
			}
		case lo > ws[len(ws)-1].index:
			from = min(to, guess+1)
		default:
			from, to = guess, guess
		}
		guess = (from + to) / 2
	}
	for k := from; k < n; k++ {
		ws, err := j.block(rd, at(k))
		if err != nil {
			return err
		}
		i, _ := slices.BinarySearchFunc(ws, lo, byIndex)
		for ; i < len(ws); i++ {
			if !yield(ws[i]) {
				return nil
			}
		}
	}
	return nil
}

// sealed is what a lookup in a footer needs, taken under j.mu.
type sealed struct {
	number uint64
	blocks int64 // offset of block 0
}

func (s *segment) view() *sealed { return &sealed{s.number, s.end + s.footer.tableBytes()} }

// entriesOf yields the rows of entries lo..hi of one replica in a segment. Recovery only: it may rescan.
func (j *Journal) entriesOf(s *segment, id replicaID, lo, hi uint64, yield func(row) bool) error {
	if s.rows == nil {
		g, ok := s.group(id, false)
		if !ok || g.max < lo || g.min > hi {
			return nil
		}
		rd, err := j.readers.acquire(s.number)
		if err != nil {
			return err
		}
		err = j.groupRows(rd, s.view(), g, lo, func(w row) bool { return w.index <= hi && yield(w) })
		j.readers.release(rd)
		if err == nil || !errors.Is(err, ErrDamaged) {
			return err
		}
		atPlaceRescans.Hit()
		if err := j.rescan(s, map[replicaID]uint64{}); err != nil {
			return err
		}
	}
	if rs := s.rows[id]; rs != nil {
		i, _ := slices.BinarySearchFunc(rs.entries, lo, byIndex)
		for ; i < len(rs.entries) && rs.entries[i].index <= hi; i++ {
			if !yield(rs.entries[i]) {
				return nil
			}
		}
	}
	return nil
}

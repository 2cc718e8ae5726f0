package journal

import (
	"slices"
)

// row is where one entry or payload lies: a line of a segment's index.
//
//	0      8     16      20      24     28   32     36
//	index  term  offset  length  extra  crc  flags  zero  40
type row struct {
	index, term    uint64
	offset, length uint32
	extra          uint32 // an entry's command length; a payload's position
	crc            uint32
	flags          uint32
}

const rowBytes = 40

func (w *row) put(b []byte) {
	le.PutUint64(b[0:], w.index)
	le.PutUint64(b[8:], w.term)
	le.PutUint32(b[16:], w.offset)
	le.PutUint32(b[20:], w.length)
	le.PutUint32(b[24:], w.extra)
	le.PutUint32(b[28:], w.crc)
	le.PutUint32(b[32:], w.flags)
	le.PutUint32(b[36:], 0)
}

func decodeRow(b []byte) row {
	return row{le.Uint64(b), le.Uint64(b[8:]), le.Uint32(b[16:]), le.Uint32(b[20:]), le.Uint32(b[24:]), le.Uint32(b[28:]), le.Uint32(b[32:])}
}

func rowOf(r *record) row {
	return row{r.index, r.term, r.at, r.length, r.extra, r.crc, uint32(r.flags)}
}

// rows are one replica's in one segment: entries by index, payloads by index and position.
type rows struct{ entries, payloads []row }

func byIndex(w row, index uint64) int {
	switch {
	case w.index < index:
		return -1
	case w.index > index:
		return 1
	}
	return 0
}

func byPosition(w, v row) int {
	if c := byIndex(w, v.index); c != 0 {
		return c
	}
	switch {
	case w.extra != v.extra:
		if w.extra < v.extra {
			return -1
		}
		return 1
	case w.length != v.length:
		if w.length < v.length {
			return -1
		}
		return 1
	}
	return 0
}

// append takes an entry; what it overwrites is no longer found.
func (s *rows) append(w row) {
	s.cut(w.index)
	s.entries = append(s.entries, w)
}

// cut drops the entries from index on.
func (s *rows) cut(index uint64) {
	if n := len(s.entries); n > 0 && s.entries[n-1].index >= index {
		at, _ := slices.BinarySearchFunc(s.entries, index, byIndex)
		s.entries = s.entries[:at]
	}
}

// restate puts an entry in the place of the one with its index, or between its neighbours.
func (s *rows) restate(w row) {
	at, found := slices.BinarySearchFunc(s.entries, w.index, byIndex)
	if found {
		s.entries[at] = w
		return
	}
	s.entries = slices.Insert(s.entries, at, w)
}

func (s *rows) addPayload(w row) {
	at, found := slices.BinarySearchFunc(s.payloads, w, byPosition)
	if found {
		s.payloads[at] = w
		return
	}
	s.payloads = slices.Insert(s.payloads, at, w)
}

func (s *rows) entry(index uint64) (row, bool) {
	at, found := slices.BinarySearchFunc(s.entries, index, byIndex)
	if !found {
		return row{}, false
	}
	return s.entries[at], true
}

// ofIndex gives the payload rows of one entry.
func (s *rows) ofIndex(index uint64) []row {
	lo, _ := slices.BinarySearchFunc(s.payloads, index, byIndex)
	hi, _ := slices.BinarySearchFunc(s.payloads, index+1, byIndex)
	return s.payloads[lo:hi]
}

// named gives where the named bytes would lie within the segment.
func (w *row) named(n Name, entry bool) (offset int64, ok bool) {
	if entry {
		// The marshalled entry ends in its command and one closing byte.
		if w.flags&flagNamed == 0 || uint64(n.Position)+uint64(n.Length)+1 > uint64(w.extra) {
			return 0, false
		}
		return int64(w.offset) + int64(w.length) - 1 - int64(w.extra) + 1 + int64(n.Position), true
	}
	if n.Position < w.extra || uint64(n.Position)+uint64(n.Length) > uint64(w.extra)+uint64(w.length) {
		return 0, false
	}
	return int64(w.offset) + int64(n.Position-w.extra), true
}

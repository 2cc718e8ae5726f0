package queueing

import (
	"crypto/sha256"
	"fmt"
	"hash/crc64"
	"slices"

	"github.com/tallymq/tallymq/engine/keyspace"
)

// seen is what a queue with a de-duplication window remembers: the message ids that publishers gave it, the oldest first.
type seen struct {
	ids     map[messageID]uint64 // where each is in entries
	first   uint64               // the number of entries[0]; rows have seenChunk of consecutive numbers each
	entries []sighting
	changed map[uint64]bool // rows that are not written
}

// messageID is the beginning of a message id's SHA-256: nobody makes two that are alike.
type messageID [16]byte

// sighting is one message id.
type sighting struct {
	id      messageID
	print   uint64 // the fingerprint of its message
	at      uint64 // replicated time, ms, at which it came
	pending bool   // it comes with a transaction that is not decided
	void    bool   // it did not come: the transaction was aborted
}

func idOf(text string) (id messageID) {
	sum := sha256.Sum256([]byte(text))
	copy(id[:], sum[:])
	return id
}

func newSeen() *seen { return &seen{ids: map[messageID]uint64{}, changed: map[uint64]bool{}} }

// sight is what a queue says of a message id.
type sight uint8

const (
	unseen    sight = iota
	duplicate       // the very message came before
	otherBody       // another message came under its id
	undecided       // a transaction that is not decided has it
)

// look says whether a message came before, within the window that ends at clock.
func (l *line) look(id messageID, print, clock uint64) sight {
	s := l.seen
	n, known := s.ids[id]
	if !known {
		return unseen
	}
	switch x := &s.entries[n-s.first]; {
	case x.pending:
		return undecided
	case x.at+l.config.DeduplicationMs < clock:
		return unseen
	case x.print != print:
		return otherBody
	}
	return duplicate
}

// forgetOld forgets ids that are older than the window, or too many; of a transaction that is not decided, none.
func (m *Machine) forgetOld(l *line) {
	s, c := l.seen, &l.config
	for len(s.entries) > 0 {
		x := &s.entries[0]
		if x.pending || !x.void && len(s.ids) <= int(c.DeduplicationCount) && x.at+c.DeduplicationMs >= m.clock {
			return
		}
		if !x.void {
			delete(s.ids, x.id)
		}
		m.sightChanged(l, s.first)
		s.entries = s.entries[1:]
		s.first++
	}
}

// note remembers an id that was not seen within the window.
func (m *Machine) note(l *line, id messageID, print uint64, pending bool) {
	s := l.seen
	if old, known := s.ids[id]; known {
		s.entries[old-s.first].void = true
		m.sightChanged(l, old)
	}
	n := s.first + uint64(len(s.entries))
	s.ids[id] = n
	s.entries = append(s.entries, sighting{id: id, print: print, at: m.clock, pending: pending})
	m.sightChanged(l, n)
}

// decideSight says what became of an id that was pending.
func (m *Machine) decideSight(l *line, id messageID, commit bool) {
	s := l.seen
	n, known := s.ids[id]
	if !known || !s.entries[n-s.first].pending {
		return
	}
	x := &s.entries[n-s.first]
	x.pending, x.void = false, !commit
	if !commit {
		delete(s.ids, id)
	}
	m.sightChanged(l, n)
}

func (m *Machine) sightChanged(l *line, n uint64) {
	l.seen.changed[n/seenChunk] = true
	m.changed.line(l)
}

const seenVersion = 1

// writeSeen writes the rows that changed.
//
//	version | first number | for each: id | fingerprint | time | 0 came, 1 pending, 2 did not come
func (l *line) writeSeen(w keyspace.Writer) {
	s := l.seen
	end := s.first + uint64(len(s.entries))
	for _, n := range sortedNumbers(s.changed) {
		key := keyspace.AppendQueueSeenKey(nil, l.id, n)
		from, to := max(n*seenChunk, s.first), min((n+1)*seenChunk, end)
		if from >= to {
			w.Delete(key)
			continue
		}
		e := encoder{[]byte{seenVersion}}
		e.uint(from)
		for i := from; i < to; i++ {
			x := &s.entries[i-s.first]
			e.b = append(e.b, x.id[:]...)
			e.uint(x.print)
			e.uint(x.at)
			switch {
			case x.pending:
				e.uint(1)
			case x.void:
				e.uint(2)
			default:
				e.uint(0)
			}
		}
		w.Set(key, e.b)
	}
	clear(s.changed)
}

// loadSeen reads a row; rows come in their order.
func (m *Machine) loadSeen(k, v []byte) error {
	id, n, err := keyspace.DecodeQueueSeenKey(k)
	l := m.lines[id]
	if l == nil {
		l = m.grave(id)
	}
	if err != nil || l == nil || l.seen == nil {
		return fmt.Errorf("%w: message ids %x of no queue that keeps them", ErrRow, k)
	}
	s, d := l.seen, open(v, seenVersion)
	from := d.uint()
	if len(s.entries) == 0 {
		s.first = from
	}
	if from/seenChunk != n || from != s.first+uint64(len(s.entries)) {
		d.failed = true
	}
	for len(d.b) > 0 && !d.failed {
		var x sighting
		x.id = d.id()
		x.print, x.at = d.uint(), d.uint()
		state := d.upTo(2)
		x.pending, x.void = state == 1, state == 2
		number := s.first + uint64(len(s.entries))
		if _, twice := s.ids[x.id]; twice && !x.void || number/seenChunk != n {
			d.failed = true
		}
		if !x.void {
			s.ids[x.id] = number
		}
		s.entries = append(s.entries, x)
	}
	return d.end("message ids", k)
}

func (d *decoder) id() (id messageID) {
	if d.failed || len(d.b) < len(id) {
		d.failed = true
		return id
	}
	copy(id[:], d.b)
	d.b = d.b[len(id):]
	return id
}

var sightTable = crc64.MakeTable(crc64.ECMA)

// String tells what is remembered, the ids by a checksum.
func (s *seen) String() string {
	sum, pending, void := uint64(0), 0, 0
	for i := range s.entries {
		x := &s.entries[i]
		if x.pending {
			pending++
		}
		if x.void {
			void++
		}
		sum = crc64.Update(sum, sightTable, fmt.Appendf(nil, "%x %x %d %v %v", x.id, x.print, x.at, x.pending, x.void))
	}
	return fmt.Sprintf("%d message ids, %d pending, %d void, checksum %x", len(s.entries), pending, void, sum)
}

func sortedNumbers(m map[uint64]bool) []uint64 {
	out := make([]uint64, 0, len(m))
	for n := range m { //lint:sorted below
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

package journal

import (
	"errors"
	"fmt"
)

// restate says entries that Raft still needs again in the log, so that an idle replica pins no old segment. Applying
// such a record checks that the entry is still the one in the log: if it was overwritten meanwhile, the record says
// nothing. keep: something could not be read.
func (c *cycle) restate(v *verdict) (keep bool, err error) {
	j := c.j
	var p plan
	for i := range v.restate {
		l := &v.restate[i]
		b, err := j.readRow(v.segment.number, &l.row, nil)
		if errors.Is(err, ErrDamaged) {
			j.damage.found(&record{descriptor: descriptor{kind: kindEntry, id: l.id, index: l.row.index, term: l.row.term, length: l.row.length},
				segment: v.segment.number, at: l.row.offset}, true)
			atRestateDamaged.Hit()
			return true, nil
		}
		if err != nil {
			return true, err
		}
		p.add(descriptor{kind: kindRestate, flags: uint8(l.row.flags), id: l.id, index: l.row.index, term: l.row.term,
			extra: l.row.extra, length: l.row.length}, body{raw: b})
	}
	if err := j.submitPlan(&p); err != nil {
		return true, err
	}
	atEntriesRestated.Hit()
	j.count(func(n *counts) { n.restated += uint64(len(p.ds)) })
	for i := range v.restate {
		if l := &v.restate[i]; j.places(l.id, v.segment.number, &l.row) {
			return true, fmt.Errorf("BUG: entry %d of %d/%d was said again and still lies in segment %d", l.row.index, l.id.shard, l.id.replica, v.segment.number)
		}
	}
	return false, nil
}

// relocate copies the live payloads of the victims into a payload segment of their own, off the commit path, each
// checked against its name. It returns the new segment, durable and with its footer, if anything was copied, and the
// victims all of whose live payloads are in it.
func (c *cycle) relocate(victims []*verdict) (*segment, []*verdict, error) {
	var w *mover
	var whole []*verdict
	for _, v := range victims {
		ok := true
		for i := range v.names {
			l := &v.names[i]
			if i > 0 && v.names[i-1].id == l.id && v.names[i-1].name == l.name {
				continue
			}
			if err := c.ctx.Err(); err != nil {
				return nil, nil, errors.Join(err, w.abandon())
			}
			b, err := c.j.readNamed(l.id, &candidate{v.segment.number, l.row, l.entry}, l.name, nil)
			if errors.Is(err, ErrMismatch) {
				atMoveOtherBytes.Hit()
				continue // sound, and not what is named: overwritten, or of another history
			}
			if errors.Is(err, ErrDamaged) {
				atMoveDamaged.Hit()
				ok = false // reported; the segment stays until it is repaired
				break
			}
			if err == nil && w == nil {
				w, err = c.j.newMover()
			}
			if err == nil {
				err = w.add(l.id, l.name, b)
			}
			if err != nil {
				return nil, nil, errors.Join(err, w.abandon())
			}
			c.stats.Relocations++
			c.stats.BytesCopied += int64(len(b))
		}
		if ok {
			whole = append(whole, v)
		}
	}
	if w == nil {
		return nil, whole, nil
	}
	if len(whole) == 0 {
		return nil, nil, w.abandon()
	}
	s, err := w.finish()
	return s, whole, err
}

// mover writes one payload segment.
type mover struct {
	j        *Journal
	out      *writer
	segment  *segment
	buf      []byte
	used     int
	ds       []descriptor
	sequence uint64
}

// newMover begins a payload segment under a number of its own. It may use the reserve: it is there to make room.
func (j *Journal) newMover() (*mover, error) {
	j.mu.Lock()
	number := j.ledger.nextSegment
	j.ledger.nextSegment++
	j.mu.Unlock()
	if err := j.claim(number); err != nil {
		return nil, err
	}
	out, err := j.openWriter(number)
	if err != nil {
		return nil, err
	}
	return &mover{j: j, out: out, segment: &segment{number: number, payload: true, rows: map[replicaID]*rows{}}, buf: aligned(batchBytesMax), used: headerBytes}, nil
}

func (w *mover) add(id replicaID, n Name, b []byte) error {
	size := align(int64(w.used+len(b)) + int64(len(w.ds)+1)*descriptorBytes)
	if size > int64(len(w.buf)) {
		if err := w.flush(); err != nil {
			return err
		}
		if size = align(int64(headerBytes+len(b)) + descriptorBytes); size > int64(len(w.buf)) {
			atMoveLarge.Hit()
			w.buf = aligned(size)
		}
	}
	w.ds = append(w.ds, descriptor{kind: kindPayload, id: id, index: n.Index, extra: n.Position, offset: uint32(w.used), length: n.Length, crc: n.CRC})
	w.used += copy(w.buf[w.used:], b)
	return nil
}

func (w *mover) flush() error {
	if len(w.ds) == 0 {
		return nil
	}
	s := w.segment
	w.sequence++
	h := header{kind: batchPayload, segment: s.number, offset: s.end, open: w.j.ledger.open, sequence: w.sequence, synced: position{s.number, s.end}}
	b := h.seal(w.buf, w.used, [][]descriptor{w.ds})
	if err := w.out.write(b, s.end); err != nil {
		return err
	}
	for i := range w.ds {
		d := &w.ds[i]
		if s.rows[d.id] == nil {
			s.rows[d.id] = &rows{}
		}
		s.rows[d.id].addPayload(row{d.index, d.term, uint32(s.end) + d.offset, d.length, d.extra, d.crc, 0})
		s.rowCount++
	}
	s.end += int64(len(b))
	w.j.count(func(n *counts) {
		n.relocated += uint64(len(w.ds))
		n.relocatedBytes += uint64(len(b))
		n.bytes += uint64(len(b))
	})
	w.ds, w.used = nil, headerBytes
	return nil
}

// finish makes the segment durable, index included.
func (w *mover) finish() (*segment, error) {
	if err := w.flush(); err != nil {
		return nil, errors.Join(err, w.abandon())
	}
	if err := w.j.writeFooter(toSeal{w.segment, w.out}); err != nil {
		return nil, err
	}
	return w.segment, nil
}

// abandon leaves a file that no head names.
func (w *mover) abandon() error {
	if w == nil {
		return nil
	}
	atMoveAbandoned.Hit()
	return errors.Join(w.out.close(), w.j.recycle(w.segment.number))
}

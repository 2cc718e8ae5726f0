package journal

import (
	"errors"
	"fmt"

	pb "github.com/lni/dragonboat/v4/raftpb"
)

// Name names payload bytes of one entry. Position is counted in the command, which is what a state machine's Update
// gets in Cmd: the log's Cmd without its first byte. CRC is the CRC32C (Castagnoli) of the named bytes.
type Name struct {
	Index    uint64
	Position uint32
	Length   uint32
	CRC      uint32
}

func (n Name) String() string {
	return fmt.Sprintf("%d:%d+%d/%08x", n.Index, n.Position, n.Length, n.CRC)
}

// Payload is a name with its bytes.
type Payload struct {
	Name
	Bytes []byte
}

// ReadPayload appends the named bytes to dst, from the cache of recent entries or the disk; what it appends matches the
// CRC. Errors: ErrNotFound, or a *Damage (errors.Is ErrDamaged) when the bytes were here once.
func (j *Journal) ReadPayload(shard, replica uint64, n Name, dst []byte) ([]byte, error) {
	id := replicaID{shard, replica}
	damaged := error(nil)
	out, err := j.candidates(id, n.Index, func(c *candidate) (bool, error) {
		b, err := j.readNamed(id, c, n, dst)
		switch {
		case err == nil:
			dst = b
			return true, nil
		case errors.Is(err, ErrDamaged):
			atPayloadDamaged.Hit()
			damaged = err
			return false, nil
		case errors.Is(err, ErrMismatch), errors.Is(err, ErrNotFound):
			atPayloadElsewhere.Hit()
			return false, nil
		}
		return false, err
	})
	switch {
	case err != nil && !errors.Is(err, ErrDamaged):
		return dst, fmt.Errorf("payload %v of %d/%d: %w", n, shard, replica, err)
	case out:
		return dst, nil
	case damaged != nil:
		return dst, damaged
	case err != nil:
		return dst, fmt.Errorf("payload %v of %d/%d: %w", n, shard, replica, err)
	}
	if d := j.lostSegment(); d != nil {
		atPayloadPerhapsLost.Hit()
		return dst, fmt.Errorf("payload %v of %d/%d, perhaps there: %w", n, shard, replica, d)
	}
	return dst, fmt.Errorf("payload %v of %d/%d: %w", n, shard, replica, ErrNotFound)
}

// lostSegment is the damage of a segment whose file is gone, if there is one: what is not found may have been in it.
func (j *Journal) lostSegment() *Damage {
	j.mu.RLock()
	defer j.mu.RUnlock()
	for _, s := range j.ledger.segments {
		if s.lost {
			return &Damage{Segment: s.number, Length: s.end, Kind: LostSegment}
		}
	}
	return nil
}

// HasPayload says whether the named bytes are here, whole. It reads them: an entry that was overwritten, or of another
// history, has the index but not the bytes.
func (j *Journal) HasPayload(shard, replica uint64, n Name) bool {
	_, err := j.ReadPayload(shard, replica, n, nil)
	return err == nil
}

// candidate is a row that may hold named bytes, its segment pinned.
type candidate struct {
	segment uint64
	row     row
	entry   bool
}

// readNamed reads the named bytes out of a candidate. ErrMismatch: it is sound and holds other bytes.
func (j *Journal) readNamed(id replicaID, c *candidate, n Name, dst []byte) ([]byte, error) {
	offset, ok := c.row.named(n, c.entry)
	if !ok {
		return dst, ErrNotFound
	}
	b, err := j.readRange(c.segment, offset, int64(n.Length), dst)
	if err != nil {
		return dst, err
	}
	if checksum(b[len(dst):]) == n.CRC {
		return b, nil
	}
	// Either the name is not of these bytes, or they are damaged: the body's own checksum knows.
	_, err = j.readRow(c.segment, &c.row, nil)
	if err == nil {
		return dst, ErrMismatch
	}
	if d := (*Damage)(nil); errors.As(err, &d) {
		d.Shard, d.Replica, d.Kind, d.Repairable = id.shard, id.replica, DamagedPayload, true
		if c.entry && j.inRaftRange(id, n.Index) {
			d.Kind = DamagedEntry
		}
		j.damage.add(*d)
	}
	return dst, err
}

func (j *Journal) inRaftRange(id replicaID, index uint64) bool {
	j.mu.RLock()
	defer j.mu.RUnlock()
	r := j.ledger.replicas[id]
	return r != nil && r.covers(index)
}

// candidates calls try for every row of an entry, its payload records too: first the one in Raft's range, then newest
// first. It stops when try says so.
func (j *Journal) candidates(id replicaID, index uint64, try func(*candidate) (bool, error)) (bool, error) {
	found, footers, err := j.holding(id, index)
	defer func() {
		for i := range found {
			j.readers.release(found[i].pin)
		}
		for i := range footers {
			j.readers.release(footers[i].pin)
		}
	}()
	if err != nil {
		return false, err
	}
	for i := range found {
		if done, err := try(&found[i].candidate); done || err != nil {
			return done, err
		}
	}
	bad := error(nil)
	for i := range footers {
		f := &footers[i]
		for _, g := range f.groups {
			var ws []row
			err := j.groupRows(f.pin, f.sealed, g, index, func(w row) bool {
				if w.index == index {
					ws = append(ws, w)
				}
				return w.index <= index
			})
			if errors.Is(err, ErrDamaged) {
				// The batches still know: the index is made anew, in the background.
				atLookupIndexDamaged.Hit()
				j.reindexLater(f.number)
				bad = err
				continue
			}
			if err != nil {
				return false, err
			}
			for _, w := range ws {
				if done, err := try(&candidate{f.number, w, !g.payloads}); done || err != nil {
					return done, err
				}
			}
		}
	}
	return false, bad
}

type foundRow struct {
	candidate
	pin *reader
}

type foundFooter struct {
	*sealed
	groups []group
	pin    *reader
}

// holding gives the rows of an entry that are in memory, and the footers that may have more; each with its segment
// pinned, newest first. What it gives must be released even with an error.
func (j *Journal) holding(id replicaID, index uint64) (found []foundRow, footers []foundFooter, err error) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	add := func(segment uint64, w row, entry bool) {
		pin, perr := j.readers.acquire(segment)
		if perr != nil {
			err = perr
			return
		}
		found = append(found, foundRow{candidate{segment, w, entry}, pin})
	}
	if r := j.ledger.replicas[id]; r != nil && r.covers(index) && r.at(index).segment != 0 {
		add(r.at(index).segment, r.at(index).row(index), true)
	}
	holders := j.ledger.holders[id]
	for i := len(holders) - 1; i >= 0 && err == nil; i-- {
		s := holders[i]
		if s.number < j.ledger.forgotten[id] {
			break
		}
		if s.rows == nil {
			if gs := s.groupsOf(id, index); len(gs) > 0 {
				pin, perr := j.readers.acquire(s.number)
				if perr != nil {
					return found, footers, perr
				}
				footers = append(footers, foundFooter{s.view(), gs, pin})
			}
			continue
		}
		if rs := s.rows[id]; rs != nil {
			if w, ok := rs.entry(index); ok {
				add(s.number, w, true)
			}
			for _, w := range rs.ofIndex(index) {
				add(s.number, w, false)
			}
		}
	}
	return found, footers, err
}

// WritePayloads stores payload records, pulled from a peer; they are durable on return. Bytes that do not match their
// name are refused, all of them.
func (j *Journal) WritePayloads(shard, replica uint64, ps []Payload) error {
	for len(ps) > 0 {
		n, bytes := 0, 0
		for n < len(ps) && (n == 0 || bytes+len(ps[n].Bytes) <= batchBytesMax/2) {
			bytes += len(ps[n].Bytes)
			n++
		}
		if err := j.writePayloads(replicaID{shard, replica}, ps[:n]); err != nil {
			return err
		}
		ps = ps[n:]
	}
	return nil
}

func (j *Journal) writePayloads(id replicaID, ps []Payload) error {
	ds := make([]descriptor, len(ps))
	for i := range ps {
		p := &ps[i]
		if uint64(len(p.Bytes)) != uint64(p.Length) || checksum(p.Bytes) != p.CRC {
			return fmt.Errorf("payload %v of %d/%d: %d bytes: %w", p.Name, id.shard, id.replica, len(p.Bytes), ErrMismatch)
		}
		ds[i] = descriptor{kind: kindPayload, id: id, index: p.Index, extra: p.Position, length: p.Length, crc: p.CRC}
	}
	b, err := j.reserve(ds, true)
	if err != nil {
		return err
	}
	for i := range ps {
		copy(b.mem()[ds[i].offset:], ps[i].Bytes)
	}
	b.fillers.Done()
	<-b.done
	return b.err
}

// ReadEntry returns an entry that is in Raft's range or still has a row; the newest there is.
func (j *Journal) ReadEntry(shard, replica, index uint64) (e pb.Entry, err error) {
	id := replicaID{shard, replica}
	e, _, err = j.tryRaftEntry(id, index, nil)
	if !errors.Is(err, ErrNotFound) {
		return e, err
	}
	damaged := error(nil)
	found, err := j.candidates(id, index, func(c *candidate) (bool, error) {
		if !c.entry {
			return false, nil
		}
		var err error
		e, _, err = j.decodeRow(c.segment, &c.row, nil)
		if errors.Is(err, ErrDamaged) {
			damaged = err
			return false, nil
		}
		return err == nil, err
	})
	switch {
	case found:
		return e, nil
	case damaged != nil:
		err = damaged
	case err == nil:
		err = ErrNotFound
	}
	return e, fmt.Errorf("entry %d of %d/%d: %w", index, shard, replica, err)
}

// RepairEntry puts a peer's copy of a committed entry in the place of a damaged one of the same index and term. Durable
// on return. The copy is appended to the log; while it was under way the entry may have been overwritten, then it is
// dropped when applied.
func (j *Journal) RepairEntry(shard, replica uint64, e pb.Entry) error {
	id := replicaID{shard, replica}
	want, lost, err := j.termOf(id, e.Index)
	if err != nil {
		return fmt.Errorf("repair entry %d of %d/%d: %w", e.Index, shard, replica, err)
	}
	if !lost && want != e.Term {
		atRepairOfOtherTerm.Hit()
		return fmt.Errorf("repair entry %d of %d/%d: term %d, not %d: %w", e.Index, shard, replica, want, e.Term, ErrMismatch)
	}
	d, err := entryDescriptor(kindRestate, id, &e)
	if err != nil {
		return err
	}
	atEntryRestated.Hit()
	return j.submitPlan(&plan{ds: []descriptor{d}, bodies: []body{{entry: &e}}})
}

// termOf gives the term an entry must have. lost: only that it was committed is known.
func (j *Journal) termOf(id replicaID, index uint64) (term uint64, lost bool, err error) {
	j.mu.RLock()
	r := j.ledger.replicas[id]
	if r != nil && r.covers(index) {
		defer j.mu.RUnlock()
		e := r.at(index)
		if e.segment == 0 && index > r.state.Commit {
			return 0, false, ErrDamaged
		}
		return e.term, e.segment == 0, nil
	}
	j.mu.RUnlock()
	found, err := j.candidates(id, index, func(c *candidate) (bool, error) {
		term = c.row.term
		return c.entry, nil
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return term, false, err
}

// LastIndex is the index of the last entry of a replica's log, or of its snapshot if that is higher.
func (j *Journal) LastIndex(shard, replica uint64) uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if r := j.ledger.replicas[replicaID{shard, replica}]; r != nil {
		return r.lastIndex()
	}
	return 0
}

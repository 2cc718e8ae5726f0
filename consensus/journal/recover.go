package journal

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/errors/oserror"
)

// recover makes the ledger from the files. It only reads. What it returns to be sealed or recycled is done after the
// new head is durable, which makes the cut final.
func (j *Journal) recover() error {
	numbers, err := j.list()
	if err != nil {
		return err
	}
	tail, f, err := j.findTail(numbers)
	if err != nil {
		return err
	}
	if tail == 0 {
		atFirstOpen.Hit()
		// Nothing was ever acknowledged.
		j.ledger = newLedger()
	} else {
		if j.ledger, err = decodeHead(&f.header, f.records); err != nil {
			return fmt.Errorf("segment %d: %w: %w", tail, ErrDamaged, err)
		}
		if err := j.loadSegments(); err != nil {
			return err
		}
		if err := j.replayTail(tail, f); err != nil {
			return err
		}
		if err := j.verify(tail); err != nil {
			return err
		}
	}
	for _, n := range numbers {
		j.ledger.nextSegment = max(j.ledger.nextSegment, n+1)
	}
	j.ledger.open++
	j.damage.current(j.ledger)
	for _, s := range j.ledger.numbered() {
		if s.lost {
			j.damage.segment(s)
		}
	}
	for _, r := range j.ledger.sorted() {
		j.damage.lost(r)
	}
	return nil
}

// list finds the segments, and the spares, which only this process uses.
func (j *Journal) list() (numbers []uint64, err error) {
	names, err := j.fs.List(j.dir)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", j.dir, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if n, ok := parseSegmentName(name); ok {
			numbers = append(numbers, n)
		}
		j.spares.found(name)
	}
	slices.Sort(numbers)
	return numbers, nil
}

// findTail finds the newest log segment with a whole head.
func (j *Journal) findTail(numbers []uint64) (uint64, *found, error) {
	for _, n := range slices.Backward(numbers) {
		f, any, err := j.findHead(n)
		if err != nil {
			return 0, nil, err
		}
		if f != nil {
			return n, f, nil
		}
		if any {
			atHeadsUnreadable.Hit()
			// Acknowledged batches, and both copies of the checkpoint before them unreadable.
			return 0, nil, fmt.Errorf("segment %d: both heads unreadable, rebuild this node from its peers: %w", n,
				&Damage{Segment: n, Kind: LostSegment})
		}
	}
	return 0, nil, nil
}

// findHead reads the first whole checkpoint of a segment. any says that there are log records although there is none.
func (j *Journal) findHead(number uint64) (head *found, any bool, err error) {
	s, done, err := j.scanner(number, -1)
	if err != nil {
		return nil, false, err
	}
	defer done()
	if err := s.known(); err != nil {
		return nil, false, err
	}
	for offset := int64(0); offset >= 0 && offset < s.limit; {
		s.open, s.sequence = 0, 0
		f := &found{offset: offset}
		if err := s.batch(offset, f); err == nil {
			switch {
			case f.header.kind == batchHead && f.bad == 0:
				s.buf = nil // the records keep it
				return f, false, nil
			case f.header.kind == batchPayload:
				return nil, false, nil
			case f.header.kind == batchRecords:
				return nil, f.header.count > 0, nil
			}
		}
		atHeadSkipped.Hit()
		// The second copy claims no sync of the first: look for any header.
		if offset, err = s.next(offset); err != nil {
			return nil, false, err
		}
	}
	return nil, false, nil
}

// known refuses a segment that another format version wrote: read as this one, it would be an empty journal.
func (s *scanner) known() error {
	if s.limit < alignBytes {
		return nil
	}
	b := make([]byte, alignBytes)
	if err := s.rd.readAt(b, 0); err != nil {
		return err
	}
	if v, foreign := foreignVersion(b, s.rd.number, 0); foreign {
		return fmt.Errorf("segment %d is of format version %d, this program reads version %d: %w", s.rd.number, v, version, ErrVersion)
	}
	return nil
}

// next finds any header behind offset; -1: none.
func (s *scanner) next(offset int64) (int64, error) {
	b := make([]byte, scrubChunkBytes)
	for at := offset + alignBytes; at < s.limit; at += int64(len(b)) {
		n := min(int64(len(b)), s.limit-at)
		if err := s.rd.readAt(b[:n], at); err != nil {
			return -1, err
		}
		for k := int64(0); k+headerBytes <= n; k += alignBytes {
			if _, err := decodeHeader(b[k:n], s.rd.number, at+k); err == nil {
				return at + k, nil
			}
		}
	}
	return -1, nil
}

// scanner opens a segment to be read from its start; limit < 0: to the end of the file.
func (j *Journal) scanner(number uint64, limit int64) (*scanner, func(), error) {
	rd, err := j.readers.acquire(number)
	if err != nil {
		return nil, nil, err
	}
	s := &scanner{rd: rd, limit: limit}
	if limit < 0 {
		info, err := rd.file.Stat()
		if err != nil {
			j.readers.release(rd)
			return nil, nil, fmt.Errorf("stat segment %d: %w", number, err)
		}
		s.tail, s.limit = true, align(info.Size())
	}
	return s, func() { j.readers.release(rd) }, nil
}

// replayTail applies what follows the head of the last segment, just as the committer did, and cuts it where the tail
// rule says.
func (j *Journal) replayTail(number uint64, head *found) error {
	l := j.ledger
	l.active = &segment{number: number, rows: map[replicaID]*rows{}}
	l.segments[number] = l.active
	s, done, err := j.scanner(number, -1)
	if err != nil {
		return err
	}
	defer done()
	s.open, s.sequence = head.header.open, head.header.sequence
	first := head.offset + head.header.padded()
	l.active.end, err = s.scan(first, func(f *found) error {
		switch {
		case f.hole > 0 && f.offset == first && head.offset == 0 && f.hole == head.header.padded():
			atSecondHeadUnreadable.Hit()
			j.log.Warn("journal: the second copy of a head is unreadable, the first one served", "segment", number)
			l.sequence++
			return nil
		case f.hole > 0:
			j.tailHole(f)
			return nil
		}
		l.sequence = f.header.sequence
		if f.header.kind == batchHead {
			return nil
		}
		for i := range f.records {
			if err := j.replay(&f.records[i]); err != nil {
				return fmt.Errorf("segment %d at %d: %w", number, f.offset, err)
			}
		}
		return nil
	})
	return err
}

// tailHole: a durable batch cannot be read and no checkpoint follows that would say what it amounted to. It may have
// held a vote or entries of anybody.
func (j *Journal) tailHole(f *found) {
	atTailHole.Hit()
	j.log.Error("journal: a durable batch is unreadable", "segment", j.ledger.active.number, "offset", f.offset, "bytes", f.hole)
	for _, r := range j.ledger.sorted() {
		r.uncertain = true
		for i := range r.entries {
			if r.first+uint64(i) > r.state.Commit {
				r.entries[i] = entry{}
			}
		}
	}
}

// replay applies a record found in the tail. Of a damaged one the descriptor is whole.
func (j *Journal) replay(rec *record) error {
	if !rec.bad {
		return j.applyLocked(rec)
	}
	atTailRecordDamaged.Hit()
	switch rec.kind {
	case kindEntry, kindRestate, kindPayload:
		err := j.applyLocked(rec)
		j.damage.found(rec, rec.kind != kindPayload)
		return err
	case kindReset, kindImport:
		j.ledger.replica(rec.id).begin(rec.index + 1)
	}
	j.ledger.replica(rec.id).uncertain = true
	return nil
}

// loadSegments reads the indexes of the sealed segments and finds in them the entries of Raft's ranges. A later
// segment's entry is the one that counts; what was cut since, the range leaves out.
func (j *Journal) loadSegments() error {
	l := j.ledger
	for _, r := range l.replicas {
		r.entries = make([]entry, r.until-r.first) // lost until they are found
	}
	all := l.numbered()
	l.segments = map[uint64]*segment{}
	commits := map[replicaID]uint64{}
	for _, s := range all {
		if err := j.loadSegment(s, commits); err != nil {
			return err
		}
		l.add(s)
		if s.payload || s.lost {
			continue
		}
		if err := j.place(s); err != nil {
			return err
		}
	}
	return nil
}

// loadSegment reads a segment's footer, or its batches if it has none. Whether a missing file is damage shows only when
// the tail is read: it may say that the segment was freed.
func (j *Journal) loadSegment(s *segment, commits map[replicaID]uint64) error {
	err := j.loadFooter(s)
	switch {
	case oserror.IsNotExist(err):
		atSegmentMissing.Hit()
		s.rows, s.lost = map[replicaID]*rows{}, true
		return nil
	case errors.Is(err, ErrDamaged):
		return j.rescan(s, commits)
	}
	return err
}

// place enters a segment's entries into Raft's ranges.
func (j *Journal) place(s *segment) error {
	for _, r := range j.ledger.sorted() {
		if len(r.entries) == 0 {
			continue
		}
		err := j.entriesOf(s, r.id, r.first, r.last(), func(w row) bool {
			*r.at(w.index) = entryOf(s.number, &w)
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rescan makes a sealed segment's index from its batches, in memory; sealing it again writes the footer. Where a batch
// is unreadable, what earlier segments have of uncommitted entries may have been overwritten by it.
func (j *Journal) rescan(s *segment, commits map[replicaID]uint64) error {
	atRescanned.Hit()
	j.log.Warn("journal: a segment without a footer is read whole", "segment", s.number)
	index := &indexer{segment: s.number, rows: map[replicaID]*rows{}, commits: commits}
	index.stale = func(id replicaID, i, term uint64) bool {
		r := j.ledger.replicas[id]
		return r != nil && r.covers(i) && r.at(i).segment != 0 && r.at(i).term > term
	}
	index.hole = func(f *found) {
		if s.payload || f.offset == 0 {
			atRescanHeadDamaged.Hit()
			return // of a head there is a second copy
		}
		atRescanHole.Hit()
		for id, r := range j.ledger.replicas {
			for i := range r.entries {
				if r.first+uint64(i) > commits[id] {
					r.entries[i] = entry{}
				}
			}
		}
	}
	if err := j.index(index, s.end); err != nil {
		return err
	}
	s.rows, s.rowCount, s.groups = index.rows, index.count, nil
	j.unsealed = append(j.unsealed, s)
	return nil
}

// verify reads the entries a restart will replay, before any replica starts: all above the snapshot.
func (j *Journal) verify(tail uint64) error {
	for _, r := range j.ledger.sorted() {
		for i := range r.entries {
			index, e := r.first+uint64(i), &r.entries[i]
			if index <= r.snapshotIndex || e.segment == 0 || e.segment == tail {
				continue
			}
			w := e.row(index)
			if _, err := j.readRow(e.segment, &w, nil); err != nil && !errors.Is(err, ErrDamaged) {
				return err
			} else if err != nil {
				atVerifyDamaged.Hit()
				rec := &record{descriptor: descriptor{kind: kindEntry, id: r.id, index: index, term: e.term, length: e.length}, segment: e.segment, at: e.offset}
				j.damage.found(rec, true)
			}
		}
	}
	return nil
}

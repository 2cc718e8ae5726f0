package journal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	pb "github.com/lni/dragonboat/v4/raftpb"
)

// ledger is everything the journal knows in memory. It changes only by records, in log order: the committer applies
// what it has just made durable, recovery applies what it finds; both with the code below.
type ledger struct {
	open        uint64 // how often this journal was opened
	nextSegment uint64 // never reused
	sequence    uint64 // of the last batch
	replicas    map[replicaID]*replica
	segments    map[uint64]*segment
	active      *segment
	forgotten   map[replicaID]uint64     // rows in segments below that number are dead
	holders     map[replicaID][]*segment // ascending; segments with rows of a replica
}

func newLedger() *ledger {
	return &ledger{
		nextSegment: 1, replicas: map[replicaID]*replica{}, segments: map[uint64]*segment{},
		forgotten: map[replicaID]uint64{}, holders: map[replicaID][]*segment{},
	}
}

func (l *ledger) replica(id replicaID) *replica {
	r := l.replicas[id]
	if r == nil {
		r = &replica{id: id}
		l.replicas[id] = r
	}
	return r
}

// rows of a replica in the active segment.
func (l *ledger) rows(id replicaID) *rows {
	s := l.active.rows[id]
	if s == nil {
		s = &rows{}
		l.active.rows[id] = s
		l.hold(id, l.active)
	}
	return s
}

func (l *ledger) hold(id replicaID, s *segment) {
	at, found := slices.BinarySearchFunc(l.holders[id], s.number, func(s *segment, n uint64) int { return cmp.Compare(s.number, n) })
	if !found {
		l.holders[id] = slices.Insert(l.holders[id], at, s)
	}
}

// add makes a sealed segment known.
func (l *ledger) add(s *segment) {
	l.segments[s.number] = s
	for id := range s.ids() {
		l.hold(id, s)
	}
}

// drop makes a segment unknown; nobody finds its rows any more.
func (l *ledger) drop(s *segment) {
	delete(l.segments, s.number)
	for id := range s.ids() {
		l.holders[id] = slices.DeleteFunc(l.holders[id], func(t *segment) bool { return t == s })
		if len(l.holders[id]) == 0 {
			delete(l.holders, id)
			delete(l.forgotten, id)
		}
	}
}

// apply changes the ledger by one durable record of the active segment. Records of segments (kindSegmentAdded and its
// like) and checkpoints are not for it.
func (l *ledger) apply(rec *record) error {
	r := l.replica(rec.id)
	switch rec.kind {
	case kindState:
		s, err := decodeState(rec.body)
		if err != nil {
			return err
		}
		r.state = s
	case kindEntry:
		w := rowOf(rec)
		r.gone = false
		r.append(rec.index, entryOf(rec.segment, &w))
		s := l.rows(rec.id)
		s.append(w)
		l.active.rowCount++
	case kindRestate:
		w := rowOf(rec)
		if r.covers(rec.index) {
			// Overwritten since, then by a higher term: the entry must not come back. A lower term is found here only
			// while recovering: the segment that overwrote it was freed after this record said its entry again.
			if e := r.at(rec.index); e.segment != 0 && e.term > rec.term {
				atRestatedTooLate.Hit()
				return nil
			}
			*r.at(rec.index) = entryOf(rec.segment, &w)
		} else if r.first == 0 || rec.index >= r.first {
			return nil
		}
		l.rows(rec.id).restate(w)
		l.active.rowCount++
	case kindPayload:
		l.rows(rec.id).addPayload(rowOf(rec))
		l.active.rowCount++
	case kindSnapshot:
		r.keepSnapshot(rec.index, rec.term, rec.body)
	case kindReset:
		r.gone = false
		r.keepSnapshot(rec.index, rec.term, rec.body)
		atLogReset.Hit()
		r.begin(rec.index + 1)
		if s := l.active.rows[rec.id]; s != nil {
			s.cut(rec.index + 1)
		}
	case kindBootstrap:
		r.gone = false
		r.bootstrap = append([]byte{}, rec.body...)
	case kindTrim:
		r.trim(rec.index)
	case kindRemove:
		atReplicaRemoved.Hit()
		*r = replica{id: r.id, gone: true}
	case kindForget:
		delete(l.replicas, rec.id)
		delete(l.active.rows, rec.id)
		l.holders[rec.id] = slices.DeleteFunc(l.holders[rec.id], func(s *segment) bool { return s == l.active })
		if len(l.holders[rec.id]) > 0 {
			l.forgotten[rec.id] = l.active.number
		} else {
			delete(l.holders, rec.id)
		}
	case kindImport:
		return l.applyImport(r, rec)
	default:
		return fmt.Errorf("record %s in the log", rec)
	}
	return nil
}

// applyImport starts a new history: bootstrap, state, log end and snapshot at once.
func (l *ledger) applyImport(r *replica, rec *record) error {
	var ss pb.Snapshot
	if err := ss.Unmarshal(rec.body); err != nil {
		return fmt.Errorf("imported snapshot: %w", err)
	}
	boot, err := (&pb.Bootstrap{Join: true, Type: ss.Type}).Marshal()
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	*r = replica{id: r.id, state: pb.State{Term: ss.Term, Commit: ss.Index}, bootstrap: boot}
	r.keepSnapshot(ss.Index, ss.Term, rec.body)
	r.begin(ss.Index + 1)
	if s := l.active.rows[rec.id]; s != nil {
		s.cut(ss.Index + 1)
	}
	return nil
}

// sorted gives the replicas in order, so that checkpoints and descriptions are functions of the state alone.
func (l *ledger) sorted() []*replica {
	rs := make([]*replica, 0, len(l.replicas))
	for _, r := range l.replicas {
		rs = append(rs, r)
	}
	slices.SortFunc(rs, func(a, b *replica) int {
		return cmp.Or(cmp.Compare(a.id.shard, b.id.shard), cmp.Compare(a.id.replica, b.id.replica))
	})
	return rs
}

// numbered gives the known segments in order.
func (l *ledger) numbered() []*segment {
	ss := make([]*segment, 0, len(l.segments))
	for _, s := range l.segments {
		ss = append(ss, s)
	}
	slices.SortFunc(ss, func(a, b *segment) int { return cmp.Compare(a.number, b.number) })
	return ss
}

// describe is the whole ledger, one line each.
func (l *ledger) describe() string {
	var b strings.Builder
	for _, r := range l.sorted() {
		fmt.Fprintln(&b, r)
	}
	for _, s := range l.numbered() {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

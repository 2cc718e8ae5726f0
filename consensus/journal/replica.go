package journal

import (
	"fmt"

	pb "github.com/lni/dragonboat/v4/raftpb"
)

// entry is where an entry in Raft's range lies. Segment 0: it was durable once and is lost.
type entry struct {
	term, segment  uint64
	offset, length uint32
	extra, crc     uint32
	flags          uint32
}

func (e *entry) row(index uint64) row {
	return row{index, e.term, e.offset, e.length, e.extra, e.crc, e.flags}
}

func entryOf(segment uint64, w *row) entry {
	return entry{w.term, segment, w.offset, w.length, w.extra, w.crc, w.flags}
}

// replica is what Raft needs of one replica: all of it in memory but the commands.
type replica struct {
	id            replicaID
	state         pb.State
	bootstrap     []byte // marshalled; nil: none
	snapshot      []byte // marshalled; nil: none
	snapshotIndex uint64 // never falls
	snapshotTerm  uint64
	first         uint64 // index of entries[0]; 0: no log has begun
	entries       []entry
	until         uint64 // while recovering: the index behind the last one at the checkpoint
	gone          bool   // its Raft data was removed; payloads may still be named
	uncertain     bool   // a batch was lost that may have held anything of it
}

func (r *replica) last() uint64 { return r.first + uint64(len(r.entries)) - 1 } // first-1 when empty

func (r *replica) covers(index uint64) bool {
	return index >= r.first && index-r.first < uint64(len(r.entries))
}

func (r *replica) at(index uint64) *entry { return &r.entries[index-r.first] }

// lastIndex is what a restart would know: the log's end or the snapshot.
func (r *replica) lastIndex() uint64 {
	if r.first == 0 {
		return r.snapshotIndex
	}
	return max(r.last(), r.snapshotIndex)
}

// begin empties the log; its next entry is index first.
func (r *replica) begin(first uint64) { r.first, r.entries = first, nil }

// append takes an entry as Raft saves it: everything from its index on is overwritten.
func (r *replica) append(index uint64, e entry) {
	switch {
	case r.first == 0 || index < r.first:
		r.begin(index)
	case index <= r.last():
		atOverwritten.Hit()
		r.entries = r.entries[:index-r.first]
	}
	for r.last()+1 < index {
		r.entries = append(r.entries, entry{}) // lost: nobody saves behind a gap
	}
	r.entries = append(r.entries, e)
}

// trim drops the entries up to index.
func (r *replica) trim(index uint64) {
	if r.first == 0 || index < r.first {
		return
	}
	atLogTrimmed.Hit()
	n := min(index-r.first+1, uint64(len(r.entries)))
	r.first += n
	r.entries = r.entries[n:]
	if cap(r.entries) > 1024 && cap(r.entries) > 4*len(r.entries) {
		r.entries = append([]entry(nil), r.entries...)
	}
}

func (r *replica) keepSnapshot(index, term uint64, body []byte) {
	if index >= r.snapshotIndex {
		r.snapshotIndex, r.snapshotTerm, r.snapshot = index, term, append([]byte(nil), body...)
	}
}

func (r *replica) String() string {
	return fmt.Sprintf("replica %d/%d: term %d vote %d commit %d, snapshot %d/t%d, log [%d,%d]%s%s", r.id.shard, r.id.replica,
		r.state.Term, r.state.Vote, r.state.Commit, r.snapshotIndex, r.snapshotTerm, r.first, r.last(),
		word(r.gone, ", gone"), word(r.uncertain, ", uncertain"))
}

func word(b bool, s string) string {
	if b {
		return s
	}
	return ""
}

func putState(b []byte, s pb.State) {
	le.PutUint64(b[0:], s.Term)
	le.PutUint64(b[8:], s.Vote)
	le.PutUint64(b[16:], s.Commit)
}

func decodeState(b []byte) (pb.State, error) {
	if len(b) != stateBytes {
		return pb.State{}, fmt.Errorf("state of %d bytes", len(b))
	}
	return pb.State{Term: le.Uint64(b), Vote: le.Uint64(b[8:]), Commit: le.Uint64(b[16:])}, nil
}

const stateBytes = 24

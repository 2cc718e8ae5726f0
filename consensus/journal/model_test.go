package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// model is what the log store's contract says, done in the dumbest way.
type model struct {
	replicas map[replicaID]*modelReplica
}

type modelReplica struct {
	state   pb.State
	snap    pb.Snapshot
	boot    *pb.Bootstrap
	entries map[uint64]pb.Entry
	last    uint64 // of the log; 0: none
	trimmed uint64
	all     map[uint64]pb.Entry // every entry ever saved last for its index, for names
}

func newModel() *model { return &model{map[replicaID]*modelReplica{}} }

func (m *model) of(id replicaID) *modelReplica {
	r := m.replicas[id]
	if r == nil {
		r = &modelReplica{entries: map[uint64]pb.Entry{}, all: map[uint64]pb.Entry{}}
		m.replicas[id] = r
	}
	return r
}

func (m *model) clone() *model {
	c := newModel()
	for id, r := range m.replicas {
		x := *r
		x.entries, x.all = maps.Clone(r.entries), maps.Clone(r.all)
		c.replicas[id] = &x
	}
	return c
}

func (m *model) save(us ...pb.Update) {
	for _, u := range us {
		r := m.of(replicaID{u.ShardID, u.ReplicaID})
		if !pb.IsEmptyState(u.State) {
			r.state = u.State
		}
		if u.Snapshot.Index > 0 {
			clear(r.entries)
			r.last, r.trimmed = u.Snapshot.Index, u.Snapshot.Index
			m.snapshot(u)
		}
		for _, e := range u.EntriesToSave {
			for i := e.Index; i <= r.last; i++ {
				delete(r.entries, i)
				delete(r.all, i)
			}
			r.entries[e.Index], r.all[e.Index] = e, e
			r.last = e.Index
		}
	}
}

func (m *model) snapshot(u pb.Update) {
	if r := m.of(replicaID{u.ShardID, u.ReplicaID}); u.Snapshot.Index >= r.snap.Index {
		r.snap = u.Snapshot
	}
}

func (m *model) trim(id replicaID, index uint64) {
	r := m.of(id)
	for i := range r.entries {
		if i <= index {
			delete(r.entries, i)
		}
	}
	r.trimmed = max(r.trimmed, min(index, r.last))
}

func (m *model) remove(id replicaID) {
	all := m.of(id).all
	delete(m.replicas, id)
	m.of(id).all = all
}

// entry makes an entry whose command tells everything about it.
func testEntry(shard, index, term uint64, size int) pb.Entry {
	text := fmt.Sprintf("shard %d index %d term %d ", shard, index, term)
	cmd := make([]byte, 1, 1+size)
	for len(cmd) < 1+size {
		cmd = append(cmd, text...)
	}
	return pb.Entry{Index: index, Term: term, Type: pb.EncodedEntry, Key: index * 7, Cmd: cmd[:1+size]}
}

func testEntries(shard, from, to, term uint64, size int) (es []pb.Entry) {
	for i := from; i <= to; i++ {
		es = append(es, testEntry(shard, i, term, size))
	}
	return es
}

func testSnapshot(shard, index, term uint64) pb.Snapshot {
	return pb.Snapshot{ShardID: shard, Index: index, Term: term, Filepath: fmt.Sprintf("/snap/%d-%d", shard, index),
		Membership: pb.Membership{ConfigChangeId: 1, Addresses: map[uint64]string{1: "a1"}}, Type: pb.OnDiskStateMachine}
}

func testUpdate(id replicaID, state pb.State, es ...pb.Entry) pb.Update {
	return pb.Update{ShardID: id.shard, ReplicaID: id.replica, State: state, EntriesToSave: es}
}

func nameOf(e pb.Entry, position, length uint32) Name {
	b := e.Cmd[1:][position : position+length]
	return Name{Index: e.Index, Position: position, Length: length, CRC: checksum(b)}
}

// reader is dragonboat's LogReader: it holds the range a replica believes in.
type logReader struct{ marker, length uint64 }

func (l *logReader) setRange(first, length uint64) error {
	if length == 0 {
		return nil
	}
	last := first + length - 1
	if last < l.marker+1 {
		return nil
	}
	if l.marker+1 > first {
		length -= l.marker + 1 - first
		first = l.marker + 1
	}
	offset := first - l.marker
	switch {
	case l.length > offset:
		l.length = offset + length
	case l.length == offset:
		l.length += length
	default:
		return fmt.Errorf("gap: marker %d length %d, first %d", l.marker, l.length, first)
	}
	return nil
}

// entries is LogReader.Entries over a log store.
func (l *logReader) entries(db raftio.ILogDB, id replicaID, low, high, maxSize uint64) ([]pb.Entry, error) {
	ents, size, err := db.IterateEntries(nil, 0, id.shard, id.replica, low, high, maxSize)
	if err != nil {
		return nil, err
	}
	if uint64(len(ents)) != high-low && size <= maxSize {
		return nil, fmt.Errorf("[%d,%d) max %d: %d entries of %d bytes", low, high, maxSize, len(ents), size)
	}
	if size > maxSize && len(ents) > 1 {
		if maxSize == 0 {
			return ents[:1], nil
		}
		return ents[:len(ents)-1], nil
	}
	return ents, nil
}

func sameEntry(a, b pb.Entry) bool {
	return a.Index == b.Index && a.Term == b.Term && a.Type == b.Type && a.Key == b.Key && bytes.Equal(a.Cmd, b.Cmd)
}

// judge compares a replica as dragonboat would see it after a restart. lazy: what needs no sync may be older.
func (m *model) judge(j raftio.ILogDB, id replicaID, lazy bool) error {
	r := m.of(id)
	ss, err := j.GetSnapshot(id.shard, id.replica)
	if err != nil {
		return err
	}
	if ss.Index != r.snap.Index || ss.Term != r.snap.Term || ss.Filepath != r.snap.Filepath {
		return fmt.Errorf("snapshot %d/t%d %q, want %d/t%d %q", ss.Index, ss.Term, ss.Filepath, r.snap.Index, r.snap.Term, r.snap.Filepath)
	}
	boot, err := j.GetBootstrapInfo(id.shard, id.replica)
	switch {
	case r.boot == nil && !errors.Is(err, raftio.ErrNoBootstrapInfo):
		return fmt.Errorf("bootstrap %v, %v, want none", boot, err)
	case r.boot != nil && (err != nil || boot.Join != r.boot.Join || !maps.Equal(boot.Addresses, r.boot.Addresses)):
		return fmt.Errorf("bootstrap %v, %v, want %v", boot, err, *r.boot)
	}
	rs, err := j.ReadRaftState(id.shard, id.replica, ss.Index)
	if pb.IsEmptyState(r.state) {
		if !errors.Is(err, raftio.ErrNoSavedLog) {
			return fmt.Errorf("state %v, %v, want none", rs, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	want := r.state
	want.Commit = max(want.Commit, ss.Index)
	if rs.State.Term != want.Term || rs.State.Vote != want.Vote || rs.State.Commit > want.Commit ||
		!lazy && rs.State.Commit != want.Commit || rs.State.Commit < ss.Index {
		return fmt.Errorf("state %v, want %v", rs.State, want)
	}
	l := &logReader{marker: ss.Index, length: 1}
	if err := l.setRange(rs.FirstIndex, rs.EntryCount); err != nil {
		return err
	}
	last := l.marker + l.length - 1
	if last != max(r.last, ss.Index) {
		return fmt.Errorf("last %d (first %d count %d), want %d, snapshot %d", last, rs.FirstIndex, rs.EntryCount, r.last, ss.Index)
	}
	for low := ss.Index + 1; low <= last; low++ {
		es, err := l.entries(j, id, low, low+1, 0)
		if err != nil {
			return fmt.Errorf("entry %d: %w", low, err)
		}
		if len(es) != 1 || !sameEntry(es[0], r.entries[low]) {
			return fmt.Errorf("entry %d: %v, want term %d", low, es, r.entries[low].Term)
		}
	}
	return nil
}

func (m *model) ids() []replicaID {
	return slices.SortedFunc(maps.Keys(m.replicas), func(a, b replicaID) int {
		return byGroup(group{id: a}, group{id: b})
	})
}

func (m *model) judgeAll(j raftio.ILogDB, lazy bool) error {
	for _, id := range m.ids() {
		if err := m.judge(j, id, lazy); err != nil {
			return fmt.Errorf("%d/%d: %w", id.shard, id.replica, err)
		}
	}
	return nil
}

// testOptions are small, without anything that runs by the clock.
func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "/j", SegmentBytes: segmentBytesMin, CacheBytes: 256 << 10, IndexCacheBytes: 64 << 10, ScrubBytesPerSecond: -1}
}

func mustOpen(t testing.TB, o Options) *Journal {
	t.Helper()
	j, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return j
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

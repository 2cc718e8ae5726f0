package journal

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
	"pgregory.net/rapid"
)

// agree compares all answers about all replicas, those that are gone included.
func (p *pair) agree(t *rapid.T) {
	mine, err := p.ours.ListNodeInfo()
	theirs, err2 := p.other.ListNodeInfo()
	order := func(a, b raftio.NodeInfo) int {
		return byGroup(group{id: replicaID{a.ShardID, a.ReplicaID}}, group{id: replicaID{b.ShardID, b.ReplicaID}})
	}
	slices.SortFunc(mine, order)
	slices.SortFunc(theirs, order)
	if err != nil || err2 != nil || !slices.Equal(mine, theirs) {
		t.Fatalf("replicas %v, %v; default store %v, %v", mine, err, theirs, err2)
	}
	for shard := uint64(1); shard <= 3; shard++ { // in order: reads are drawn
		id := replicaID{shard, p.current[shard]}
		p.agreeOn(t, id)
		p.agreeOnReads(t, id, p.believed[id])
	}
	for _, id := range p.gone {
		p.agreeOn(t, id)
	}
}

// start is what a starting replica learns: dragonboat's replay.
type start struct {
	snapshot  pb.Snapshot
	bootstrap pb.Bootstrap
	state     pb.State
	last      uint64
	none      [2]bool // no bootstrap record, no saved log
}

func startOf(db raftio.ILogDB, id replicaID) (s start, err error) {
	if s.bootstrap, err = db.GetBootstrapInfo(id.shard, id.replica); errors.Is(err, raftio.ErrNoBootstrapInfo) {
		s.none[0], err = true, nil
	}
	if err != nil {
		return s, fmt.Errorf("bootstrap: %w", err)
	}
	if s.snapshot, err = db.GetSnapshot(id.shard, id.replica); err != nil {
		return s, fmt.Errorf("snapshot: %w", err)
	}
	rs, err := db.ReadRaftState(id.shard, id.replica, s.snapshot.Index)
	if errors.Is(err, raftio.ErrNoSavedLog) {
		s.none[1] = true
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("state: %w", err)
	}
	l := &logReader{marker: s.snapshot.Index, length: 1}
	if err := l.setRange(rs.FirstIndex, rs.EntryCount); err != nil {
		return s, err
	}
	s.state, s.last = rs.State, l.marker+l.length-1
	s.state.Commit = max(s.state.Commit, s.snapshot.Index)
	return s, nil
}

func (p *pair) agreeOn(t *rapid.T, id replicaID) {
	mine, err := startOf(p.ours, id)
	theirs, err2 := startOf(p.other, id)
	if err != nil || err2 != nil {
		t.Fatalf("%d/%d: %v; default store: %v\n%s", id.shard, id.replica, err, err2, p.ours.Describe())
	}
	a, b := mine.snapshot, theirs.snapshot
	switch {
	case mine.none != theirs.none, !pb.IsStateEqual(mine.state, theirs.state), mine.last != theirs.last,
		a.Index != b.Index, a.Term != b.Term, a.Filepath != b.Filepath, a.Imported != b.Imported,
		!maps.Equal(a.Membership.Addresses, b.Membership.Addresses),
		mine.bootstrap.Join != theirs.bootstrap.Join, mine.bootstrap.Type != theirs.bootstrap.Type,
		!maps.Equal(mine.bootstrap.Addresses, theirs.bootstrap.Addresses):
		t.Fatalf("%d/%d starts with %+v, from the default store with %+v\n%s", id.shard, id.replica, mine, theirs, p.ours.Describe())
	}
}

// agreeOnReads reads ranges as a running replica does, under limits on their size, and each entry alone.
func (p *pair) agreeOnReads(t *rapid.T, id replicaID, b *believed) {
	if b.last <= b.marker {
		return
	}
	p.agreeOnRange(t, id, b.marker+1, b.last+1, math.MaxUint64)
	low := rapid.Uint64Range(b.marker+1, b.last).Draw(t, "low")
	high := rapid.Uint64Range(low+1, b.last+1).Draw(t, "high")
	p.agreeOnRange(t, id, low, high, rapid.SampledFrom([]uint64{0, 1, 100, 2500, 9100, 20_000}).Draw(t, "size limit"))
	for i := b.marker + 1; i <= b.last; i++ {
		p.agreeOnRange(t, id, i, i+1, 0) // LogReader asks so for a term
	}
}

func (p *pair) agreeOnRange(t *rapid.T, id replicaID, low, high, maxSize uint64) {
	mine, size, err := p.ours.IterateEntries(nil, 0, id.shard, id.replica, low, high, maxSize)
	theirs, size2, err2 := p.other.IterateEntries(nil, 0, id.shard, id.replica, low, high, maxSize)
	if err != nil || err2 != nil || size != size2 || !slices.EqualFunc(mine, theirs, sameEntry) {
		t.Fatalf("%d/%d [%d,%d) up to %d: %d entries of %d bytes, %v; default store %d of %d bytes, %v\n%s", id.shard, id.replica,
			low, high, maxSize, len(mine), size, err, len(theirs), size2, err2, p.ours.Describe())
	}
	if uint64(len(mine)) != high-low && size <= maxSize {
		t.Fatalf("%d/%d [%d,%d) up to %d: both have only %d entries", id.shard, id.replica, low, high, maxSize, len(mine))
	}
}

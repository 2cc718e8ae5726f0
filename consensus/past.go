package consensus

import (
	"errors"
	"fmt"

	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// past is what the log store knows of a replica before it is started.
type past struct {
	bootstrapped bool
	snapshot     pb.Snapshot
	lastIndex    uint64
	joinedAs     joinedAs
}

// joinedAs is how the log, as far as it is kept, says that the replica became a member.
type joinedAs uint8

const (
	joinedUnknown joinedAs = iota
	joinedVoter
	joinedNonVoting
)

// nonVoting is the flag to start with. dragonboat panics when a replica that is started as a voter meets in its
// snapshot or its log the change that made it non-voting, even if it was promoted since (#204); and one started as
// non-voting never votes if its log says that it was a voter from the start. So the flag is not remembered and not the
// caller's belief: it is what the replica is where its log begins, and replaying the log does the rest.
func (p past) nonVoting(spec bool) bool {
	if p.joinedAs == joinedUnknown {
		return spec
	}
	return p.joinedAs == joinedNonVoting
}

func (h *Host) readPast(shard, replica uint64) (past, error) {
	var p past
	if h.logdb == nil {
		return past{lastIndex: ^uint64(0), bootstrapped: h.nh.HasNodeInfo(shard, replica)}, nil
	}
	boot, err := h.logdb.GetBootstrapInfo(shard, replica)
	if errors.Is(err, raftio.ErrNoBootstrapInfo) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read bootstrap record: %w", err)
	}
	atReplicaReturns.Hit()
	p.bootstrapped = true
	if p.snapshot, err = h.logdb.GetSnapshot(shard, replica); err != nil {
		return p, fmt.Errorf("read snapshot record: %w", err)
	}
	p.lastIndex = p.snapshot.Index
	state, err := h.logdb.ReadRaftState(shard, replica, p.snapshot.Index)
	// It may have died before it ever saved a state: then there is none, and nothing is missing.
	if err != nil && !errors.Is(err, raftio.ErrNoSavedLog) {
		return p, fmt.Errorf("read raft state: %w", err)
	}
	err = nil
	first := max(state.FirstIndex, 1)
	if state.EntryCount > 0 {
		p.lastIndex = max(p.lastIndex, state.FirstIndex+state.EntryCount-1)
	}
	switch m := p.snapshot.Membership; {
	case !boot.Join:
		p.joinedAs = joinedVoter
	case has(m.NonVotings, replica):
		atSnapshotOfFollower.Hit()
		p.joinedAs = joinedNonVoting
	case has(m.Addresses, replica):
		p.joinedAs = joinedVoter
	default:
		err = h.scanJoin(&p, shard, replica, max(first, p.snapshot.Index+1))
	}
	return p, err
}

func has(m map[uint64]string, replica uint64) bool {
	_, ok := m[replica]
	return ok
}

// scanJoin looks in the log for the change that made the replica a member. It reads the whole log of a replica that
// joined and has no snapshot yet, which is short.
func (h *Host) scanJoin(p *past, shard, replica, low uint64) error {
	for low <= p.lastIndex {
		entries, _, err := h.logdb.IterateEntries(nil, 0, shard, replica, low, p.lastIndex+1, scanBytes)
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if len(entries) == 0 {
			return nil
		}
		for _, e := range entries {
			if e.Type != pb.ConfigChangeEntry {
				continue
			}
			var cc pb.ConfigChange
			if err := cc.Unmarshal(e.Cmd); err != nil {
				return fmt.Errorf("%w: config change %d: %w", ErrDamaged, e.Index, err)
			}
			if cc.ReplicaID != replica {
				continue
			}
			switch cc.Type {
			case pb.AddNode:
				atJoinedAsVoter.Hit()
				p.joinedAs = joinedVoter
				return nil
			case pb.AddNonVoting:
				atJoinedAsFollower.Hit()
				p.joinedAs = joinedNonVoting
				return nil
			}
		}
		low = entries[len(entries)-1].Index + 1
	}
	return nil
}

// scanBytes is how much of the log is read at once while looking for a membership change.
const scanBytes = 8 * mib

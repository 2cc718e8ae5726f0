package consensus

import (
	"time"

	"github.com/lni/dragonboat/v4/raftio"

	"github.com/tallymq/tallymq/consensus/stream"
)

// leadershipState is what a replica knows of who leads; guarded by replica.mu.
//
// Raft's word (raftLeader, raftTerm) comes first; the node then proposes leader-start and leads only once that was
// applied here. The replicated clock is read by the leader alone: what the log said at its leader-start plus the time
// its monotonic clock counted since.
type leadershipState struct {
	raftLeader  ReplicaID
	raftTerm    uint64
	appliedTerm uint64 // greatest term in the applied log
	appliedNode NodeID // that began it
	clock       uint64 // replicated time as applied, ms
	clockSeen   time.Time
	baseClock   uint64 // at the apply of this node's last leader-start
	baseTime    time.Time
	announced   LeaderChange
}

// advanceLocked takes over what was applied; started says that one of the entries was this node's leader-start.
func (r *replica) advanceLocked(s *stream.State, started bool, now time.Time) {
	if s.Clock() != r.clock || r.clockSeen.IsZero() {
		r.clock, r.clockSeen = s.Clock(), now
	}
	changed := s.Term() != r.appliedTerm
	r.appliedTerm, r.appliedNode = s.Term(), s.Leader()
	if started && s.Leader() == r.host.o.Node {
		atTermBegun.Hit()
		r.baseClock, r.baseTime = s.Clock(), now
	}
	if changed {
		r.announceLocked()
	}
}

// leadingLocked is the term that this node leads and has begun.
func (r *replica) leadingLocked() (uint64, bool) {
	ok := r.raftLeader == r.replica && r.raftTerm != 0 && r.appliedTerm == r.raftTerm && r.appliedNode == r.host.o.Node
	return r.raftTerm, ok
}

// reading is what the proposer stamps entries with.
func (r *replica) reading() (leads, applied, clockTerm, clock uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.raftLeader == r.replica {
		leads = r.raftTerm
	}
	if term, ok := r.leadingLocked(); ok {
		return leads, r.appliedTerm, term, r.clockLocked()
	}
	// For a leader-start: no earlier than what was applied, and later by what this node saw pass since.
	clock = r.clock
	if !r.clockSeen.IsZero() {
		clock += uint64(time.Since(r.clockSeen).Milliseconds())
	}
	return leads, r.appliedTerm, 0, clock
}

// clockLocked reads replicated time.
func (r *replica) clockLocked() uint64 {
	if _, ok := r.leadingLocked(); ok {
		return max(r.clock, r.baseClock+uint64(time.Since(r.baseTime).Milliseconds()))
	}
	return r.clock
}

// leaderUpdated takes Raft's word.
func (r *replica) leaderUpdated(info raftio.LeaderInfo) {
	r.mu.Lock()
	if info.Term < r.raftTerm {
		atLeaderWordOld.Hit()
		r.mu.Unlock()
		return
	}
	r.raftLeader, r.raftTerm = info.LeaderID, info.Term
	r.announceLocked()
	r.mu.Unlock()
	if info.LeaderID != raftio.NoLeader {
		// Whatever was on its way to the old leader may be lost.
		r.proposer.again()
	}
}

// announceLocked sends the change up, if there is one.
func (r *replica) announceLocked() {
	_, leading := r.leadingLocked()
	c := LeaderChange{Shard: r.shard, Replica: r.replica, Term: r.raftTerm, Leader: r.raftLeader, Node: r.host.nodeOf(r.shard, r.raftLeader), Leading: leading}
	if r.raftLeader == r.replica {
		c.Node = r.host.o.Node
	}
	if c == r.announced {
		return
	}
	r.announced = c
	r.host.events.add(c)
}

package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
)

// StepKind says what a Step asks for.
type StepKind uint8

// The kinds.
const (
	// StepAdd: propose ReplicaAdd{Shard, Replica, Node, NonVoting: true} to the catalog.
	StepAdd StepKind = iota
	// StepJoin: add the replica to Raft as non-voting; then the node starts it.
	StepJoin
	// StepPromote: make it a voter in Raft, then propose ReplicaPromote.
	StepPromote
	// StepRemove: take the replica out of Raft, then propose ReplicaRemove.
	StepRemove
	// StepLead: a hint, not a membership change: hand the leadership to Replica.
	StepLead
)

// String gives the kind's name.
func (k StepKind) String() string {
	return [...]string{"add", "join", "promote", "remove", "lead"}[k]
}

// Step is the next thing to do for one shard.
type Step struct {
	Kind    StepKind
	Shard   broker.ShardID
	Replica uint64
	Node    broker.NodeID
	Why     string
}

// String prints one line.
func (s Step) String() string {
	return fmt.Sprintf("%v shard=%d replica=%d node=%d: %s", s.Kind, s.Shard, s.Replica, s.Node, s.Why)
}

// Membership is how Raft sees a replica.
type Membership uint8

// The memberships.
const (
	NotMember Membership = iota
	NonVoter
	Voter
	// Expelled: it was a member and was taken out; Raft never takes that id again.
	Expelled
)

// Health is what is known of one replica, as its node reported it lately.
type Health struct {
	Raft     Membership
	CaughtUp bool // its applied index is near the leader's
	Whole    bool // every payload that its rows name is in its journal
	Damaged  bool // cannot be repaired in place: rebuild it under a new id
}

// ShardFacts is what the driver learnt of one shard.
type ShardFacts struct {
	// Known: Raft's membership was read, linearizably, after the catalog's view was taken. Without it nothing is planned
	// for the shard.
	Known    bool
	Leader   uint64            // replica id, 0: none
	Replicas map[uint64]Health // by replica id
}

// Facts is what Plan goes by besides the catalog.
type Facts struct {
	Alive  map[broker.NodeID]bool
	Shards map[broker.ShardID]ShardFacts
}

// planner holds what one Plan goes by. Its counts are kept up to date with the steps it takes, so that several shards
// do not all choose the same node.
type planner struct {
	v     *View
	facts Facts
	nodes []*Node // registered
	load  map[broker.NodeID]int
	leads map[broker.NodeID]int
	busy  bool // some shard is changing: no replica is moved merely for balance
	steps []Step
}

// Plan says what to do next, at most one step for each shard, by shard id. It is called again when a step was done or
// failed, or when anything changed; every step may be done twice. It never takes out a replica unless a majority of
// those left is alive, whole and undamaged. Replicas are replaced when they are damaged or their node was removed, not
// because a node is down: it may come back with its disk.
//
//	too few, or one is bad ─▶ add (catalog) ─▶ join (Raft, non-voting) ─▶ caught up and whole ─▶ promote ─▶ remove the bad one
//	no other node for it   ─▶ remove the bad one first, then add
func Plan(v *View, facts Facts) []Step {
	p := &planner{v: v, facts: facts, nodes: v.Nodes(), load: make(map[broker.NodeID]int), leads: make(map[broker.NodeID]int)}
	for _, s := range v.shards {
		for _, r := range s.Replicas {
			p.load[r.Node]++
		}
		f := facts.Shards[s.ID]
		if r, ok := s.Replica(f.Leader); ok {
			p.leads[r.Node]++
		}
		p.busy = p.busy || s.changing() || len(s.Replicas) != Replicas(len(p.nodes)) || len(p.bad(s)) > 0
	}
	for _, s := range v.shards {
		if f := facts.Shards[s.ID]; f.Known && !p.shard(s, f) {
			p.lead(s, f)
		}
	}
	return p.steps
}

func (p *planner) step(kind StepKind, s *Shard, r Replica, why string) bool {
	p.steps = append(p.steps, Step{Kind: kind, Shard: s.ID, Replica: r.ID, Node: r.Node, Why: why})
	return true
}

// shard plans one shard's membership; true when something is under way.
func (p *planner) shard(s *Shard, f ShardFacts) bool {
	for _, r := range s.Replicas {
		if under, done := p.reconcile(s, r, f.Replicas[r.ID]); done {
			return under
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.Replicas)) {
		if _, there := s.Replica(id); !there && f.Replicas[id].Raft != NotMember && f.Replicas[id].Raft != Expelled {
			return p.step(StepRemove, s, Replica{ID: id, Node: broker.NoNode}, "the catalog does not know it")
		}
	}
	want, bad := Replicas(len(p.nodes)), p.bad(s)
	node, found := p.candidate(s)
	switch {
	case found && (len(s.Replicas) < want || len(bad) > 0 && len(s.Replicas) <= want):
		why := fmt.Sprintf("%d of %d replicas", len(s.Replicas), want)
		if len(bad) > 0 {
			why = fmt.Sprintf("to replace replica %d", bad[0].ID)
		}
		p.load[node]++
		return p.step(StepAdd, s, Replica{ID: s.NextReplica, Node: node}, why)
	case len(bad) > 0:
		for _, r := range bad {
			if p.safeWithout(s, f, r) {
				return p.step(StepRemove, s, r, "damaged, or its node was removed")
			}
		}
		return true
	case len(s.Replicas) > ReplicasWanted:
		return p.surplus(s, f)
	}
	return p.balance(s, want)
}

// reconcile finishes the change that is under way for a replica, if one is: done says so, under that the shard is to be
// left alone meanwhile.
func (p *planner) reconcile(s *Shard, r Replica, h Health) (under, done bool) {
	_, registered := p.v.Node(r.Node)
	switch {
	case h.Raft == Expelled:
		return p.step(StepRemove, s, r, "Raft does not have it any more"), true
	case r.State == ReplicaVoting && h.Raft == NotMember:
		return true, true // Raft remembers whom it expelled: these facts are wrong, nothing is done by them
	case r.State == ReplicaVoting && h.Raft == NonVoter, r.State == ReplicaJoining && h.Raft == Voter:
		return p.step(StepPromote, s, r, "catalog and Raft differ"), true
	case r.State == ReplicaVoting:
		return false, false
	case h.Damaged || !registered:
		return p.step(StepRemove, s, r, "it cannot catch up: damaged, or its node was removed"), true
	case !p.facts.Alive[r.Node]:
		return p.absent(s, r), true
	case h.Raft == NotMember:
		return p.step(StepJoin, s, r, "the catalog has it"), true
	case h.CaughtUp && h.Whole:
		return p.step(StepPromote, s, r, "caught up and whole"), true
	}
	return true, true // it is catching up
}

// absent plans for a replica that was catching up when its node went away. It goes if that makes room for a repair: on
// another node, or of a voter that is bad. Else it waits, so that what it has is not fetched again.
func (p *planner) absent(s *Shard, r Replica) bool {
	if _, found := p.candidate(s); found || len(p.bad(s)) > 0 {
		return p.step(StepRemove, s, r, "its node is gone, and there is something better to do")
	}
	return true
}

// bad lists the voters that must go.
func (p *planner) bad(s *Shard) []Replica {
	var out []Replica
	for _, r := range s.Replicas {
		if _, registered := p.v.Node(r.Node); !registered || p.facts.Shards[s.ID].Replicas[r.ID].Damaged {
			out = append(out, r)
		}
	}
	return out
}

// free lists the live nodes without a replica of the shard, by id.
func (p *planner) free(s *Shard) []*Node {
	var out []*Node
	for _, n := range p.nodes {
		if _, hosts := s.On(n.ID); !hosts && p.facts.Alive[n.ID] {
			out = append(out, n)
		}
	}
	return out
}

// candidate is the best of them for a new replica: in a rack that has none, with the fewest replicas, with the lowest id.
func (p *planner) candidate(s *Shard) (broker.NodeID, bool) {
	free := p.free(s)
	if len(free) == 0 {
		return broker.NoNode, false
	}
	return slices.MinFunc(free, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(p.racks(s, broker.NoNode, b.ID), p.racks(s, broker.NoNode, a.ID)),
			cmp.Compare(p.load[a.ID], p.load[b.ID]), cmp.Compare(a.ID, b.ID))
	}).ID, true
}

// safeWithout says whether, without a voter, a majority of the others is alive, whole and undamaged.
func (p *planner) safeWithout(s *Shard, f ShardFacts, victim Replica) bool {
	left, good := 0, 0
	for _, r := range s.Replicas {
		if r.ID == victim.ID || r.State != ReplicaVoting {
			continue
		}
		left++
		if h := f.Replicas[r.ID]; h.Whole && !h.Damaged && p.facts.Alive[r.Node] {
			good++
		}
	}
	return left > 0 && good >= left/2+1
}

// surplus takes out the voter whose going costs the fewest racks; of equals the one on the node with the most replicas,
// then rather not the leader.
func (p *planner) surplus(s *Shard, f ShardFacts) bool {
	rs := slices.Clone(s.Replicas)
	leads := func(r Replica) int {
		if r.ID == f.Leader {
			return 1
		}
		return 0
	}
	slices.SortFunc(rs, func(a, b Replica) int {
		return cmp.Or(cmp.Compare(p.racks(s, b.Node, broker.NoNode), p.racks(s, a.Node, broker.NoNode)),
			cmp.Compare(p.load[b.Node], p.load[a.Node]), cmp.Compare(leads(a), leads(b)), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range rs {
		if p.safeWithout(s, f, r) {
			p.load[r.Node]--
			return p.step(StepRemove, s, r, "one too many")
		}
	}
	return true
}

// racks counts the racks of a shard's replicas if one node were left and another taken.
func (p *planner) racks(s *Shard, left, taken broker.NodeID) int {
	seen := make(map[string]bool)
	note := func(id broker.NodeID) {
		if n, ok := p.v.Node(id); ok && id != left && n.Rack != "" {
			seen[n.Rack] = true
		}
	}
	for _, r := range s.Replicas {
		note(r.Node)
	}
	note(taken)
	return len(seen)
}

// balance moves a replica to a node that has at least two fewer, when nothing else is going on in the cluster and no
// rack is lost by it: it adds one there, and the surplus goes later.
func (p *planner) balance(s *Shard, want int) bool {
	if p.busy || want < ReplicasWanted {
		return false
	}
	from := s.Replicas[0].Node
	for _, r := range s.Replicas {
		if p.load[r.Node] > p.load[from] {
			from = r.Node
		}
	}
	free := p.free(s)
	slices.SortFunc(free, func(a, b *Node) int { return cmp.Or(cmp.Compare(p.load[a.ID], p.load[b.ID]), cmp.Compare(a.ID, b.ID)) })
	for _, n := range free {
		if p.load[from] < p.load[n.ID]+2 {
			return false
		}
		if p.racks(s, from, n.ID) >= p.racks(s, broker.NoNode, broker.NoNode) {
			p.busy = true
			p.load[n.ID]++
			return p.step(StepAdd, s, Replica{ID: s.NextReplica, Node: n.ID}, "to balance the nodes")
		}
	}
	return false
}

// lead hints at handing the leadership to a node that leads at least two shards fewer.
func (p *planner) lead(s *Shard, f ShardFacts) {
	leader, ok := s.Replica(f.Leader)
	if !ok {
		return
	}
	best := leader
	for _, r := range s.Replicas {
		h := f.Replicas[r.ID]
		if h.Whole && h.CaughtUp && !h.Damaged && p.facts.Alive[r.Node] && p.leads[r.Node] < p.leads[best.Node] {
			best = r
		}
	}
	if p.leads[leader.Node] >= p.leads[best.Node]+2 {
		p.leads[leader.Node]--
		p.leads[best.Node]++
		p.step(StepLead, s, best, fmt.Sprintf("node %d leads more", leader.Node))
	}
}

package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn/participant"
)

// Context is where and when a command is applied.
type Context struct {
	Index uint64
	Clock uint64 // replicated time, ms
	Wall  int64  // proposer's wall clock, ms since 1970
	Term  uint64 // of the leader under whom it was proposed, 0 if none
}

// Machine is the applied state of all groups of a shard. It is not safe for concurrent use; a State that it hands out
// is never changed.
type Machine struct {
	groups map[string]*stored
	names  []string               // sorted
	topics map[broker.TopicID]int // how many offsets each topic has
	// versions is the last version given to a stored group, or place given to a commit of offsets; none is given twice,
	// whatever is deleted.
	versions uint64
	digest   uint64
	cursor   cursorPosition
}

// stored is one group with its offsets.
type stored struct {
	state      *State
	subscribed map[string]bool // topics its members consume; nil: not known
	offsets    map[position]Offset
	order      []position // the keys of offsets, sorted
	txns       participant.Group
}

// NewMachine is the machine of a replica without rows.
func NewMachine() *Machine {
	return &Machine{groups: make(map[string]*stored), topics: make(map[broker.TopicID]int)}
}

// Owns says whether a kind of command is this machine's.
func Owns(k command.Kind) bool {
	return k >= command.KindGroupStore && k <= command.KindGroupSweep || k == command.KindTxnOffer
}

// Group finds a stored group.
func (m *Machine) Group(name string) (*State, bool) {
	g, ok := m.groups[name]
	if !ok {
		return nil, false
	}
	return g.state, true
}

// Groups lists the stored groups by name: what a new coordinator is loaded with.
func (m *Machine) Groups() []*State {
	out := make([]*State, 0, len(m.names))
	for _, n := range m.names {
		out = append(out, m.groups[n].state)
	}
	return out
}

// Topics lists the topics that have committed offsets, by id. Those that the catalog does not have any more, after a
// look that is not older than the offsets, are what GroupSweep.DeletedTopics should name.
func (m *Machine) Topics() []broker.TopicID {
	return slices.SortedFunc(maps.Keys(m.topics), compareID)
}

// Digest folds every command and result applied so far; replicas at the same index have the same.
func (m *Machine) Digest() uint64 { return m.digest }

// Describe and List answer for the groups that no coordinator has live, those that only committed offsets.
func (m *Machine) Describe(name string) (*broker.GroupDescription, bool) {
	g, ok := m.groups[name]
	if !ok {
		return nil, false
	}
	return g.state.Description(), true
}

// List lists the stored groups by name.
func (m *Machine) List() []broker.GroupListing {
	var out []broker.GroupListing
	for _, n := range m.names {
		s := m.groups[n].state
		out = append(out, broker.GroupListing{Group: n, ProtocolType: s.ProtocolType, State: s.Phase.state()})
	}
	return out
}

// String prints one line.
func (m *Machine) String() string {
	offsets := 0
	for _, n := range m.names {
		offsets += len(m.groups[n].order)
	}
	return fmt.Sprintf("groups=%d offsets=%d topics=%d versions=%d digest=%016x cursor=%v",
		len(m.names), offsets, len(m.topics), m.versions, m.digest, m.cursor)
}

// Dump prints every group with its members and offsets.
func (m *Machine) Dump() string {
	var b strings.Builder
	for _, n := range m.names {
		g := m.groups[n]
		b.WriteString(g.state.Describe())
		for _, p := range g.order {
			fmt.Fprintf(&b, "  offset %v %v\n", p, g.offsets[p])
		}
		if g.txns.Len() > 0 {
			fmt.Fprintf(&b, "  transactions: %s\n", strings.ReplaceAll(g.txns.Describe(), "\n", "\n  "))
		}
	}
	return b.String()
}

// put adds a group, or replaces its state.
func (m *Machine) put(s *State) *stored {
	g, ok := m.groups[s.Group]
	if !ok {
		g = &stored{offsets: make(map[position]Offset)}
		m.groups[s.Group] = g
		i, _ := slices.BinarySearch(m.names, s.Group)
		m.names = slices.Insert(m.names, i, s.Group)
	}
	g.state, g.subscribed = s, s.subscriptions()
	return g
}

// forget drops a group with its offsets.
func (m *Machine) forget(name string, w keyspace.Writer) {
	g := m.groups[name]
	for _, p := range g.order {
		m.uncount(p.topic)
	}
	delete(m.groups, name)
	i, _ := slices.BinarySearch(m.names, name)
	m.names = slices.Delete(m.names, i, i+1)
	w.Delete(keyspace.AppendGroupKey(nil, name))
	if g.txns.Len() > 0 {
		lo, hi := keyspace.GroupHoldRange(name)
		w.DeleteRange(lo, hi)
	}
	if len(g.order) > 0 {
		lo, hi := keyspace.GroupOffsetRange(name)
		w.DeleteRange(lo, hi)
	}
}

func (m *Machine) uncount(id broker.TopicID) {
	if m.topics[id]--; m.topics[id] == 0 {
		delete(m.topics, id)
	}
}

// setOffset stores a position in memory.
func (m *Machine) setOffset(g *stored, p position, o Offset) {
	if _, there := g.offsets[p]; !there {
		i, _ := slices.BinarySearchFunc(g.order, p, position.compare)
		g.order = slices.Insert(g.order, i, p)
		m.topics[p.topic]++
	}
	g.offsets[p] = o
}

// dropOffset forgets a position.
func (m *Machine) dropOffset(name string, g *stored, p position, w keyspace.Writer) {
	i, there := slices.BinarySearchFunc(g.order, p, position.compare)
	if !there {
		return
	}
	g.order = slices.Delete(g.order, i, i+1)
	delete(g.offsets, p)
	m.uncount(p.topic)
	w.Delete(p.key(name))
}

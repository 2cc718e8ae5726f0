package queueing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/participant"
)

// Context is what a command's log entry tells beside its bytes.
type Context struct {
	Index    uint64 // of the entry
	Position uint32 // of the command in it; a payload at offset o of the command is at Position+o
	Clock    uint64 // replicated time, ms
	// ClockOld: the time is of the last entry that brought one, however long ago.
	ClockOld bool
}

// Name says where a message's bytes lie: Length bytes at Position of the command of log entry Index. It has the shape of the
// journal's name.
type Name struct {
	Index                 uint64
	Position, Length, CRC uint32
}

// Session is one connection of a node, on the lease it lives by.
type Session struct {
	Node   broker.NodeID
	Run    uint64
	Number uint64
}

// Machine is the state of all queues of one shard.
type Machine struct {
	clock     uint64 // of the last command
	lines     map[broker.QueueID]*line
	dropped   map[broker.QueueID]bool // ended; the catalog may not know it yet
	graves    []*line                 // ended, with names that are not released yet
	consumers map[broker.ConsumerID]*consumer
	sessions  map[Session]*sessionState
	leases    map[broker.NodeID]*lease
	holders   participant.Queues       // transactions over several shards
	held      map[txn.ProducerID]*hold // what the open ones cover

	names     names
	changed   changes
	effects   Effects
	usedAnew  bool // some queues' used is unmeasured
	foldAt    int  // commands
	foldsNext bool // whatever foldAt says
	replays   bool // Load applies deltas: nothing is written or told
}

// lease is a node's right to have consumers here.
type lease struct {
	run      uint64
	deadline uint64 // replicated time, ms; with unmeasured, how long it lasts from the next command on that brings the time
}

// sessionState is what belongs to a session.
type sessionState struct {
	consumers map[broker.ConsumerID]*consumer // cancelled ones that hold something, too
	owned     map[broker.QueueID]bool         // exclusive queues
}

// New is the machine of a shard that has no rows yet.
func New() *Machine {
	return &Machine{lines: map[broker.QueueID]*line{}, dropped: map[broker.QueueID]bool{}, consumers: map[broker.ConsumerID]*consumer{},
		sessions: map[Session]*sessionState{}, leases: map[broker.NodeID]*lease{}, held: map[txn.ProducerID]*hold{}, names: newNames(), changed: newChanges(), foldAt: foldCommands}
}

// Owns says whether a kind of command is this machine's.
func Owns(k command.Kind) bool {
	return k >= command.KindQueueCreate && k <= command.KindQueuePrepare || k == command.KindQueueRelease
}

// Effects are what the commands since the last Flush bring about beside their results.
type Effects struct {
	Deliveries []Delivery // in the order of their assignment
	Ended      []Ended
	Owned      bool // which queues there are has changed
	Died       bool // messages wait to be sent on (Dying)
}

// Delivery is a message that was assigned to a consumer.
type Delivery struct {
	Queue       broker.QueueID
	Consumer    broker.ConsumerID
	Node        broker.NodeID // of the consumer
	Number      uint64        // grows with each delivery of the queue
	Name        Name
	Redelivered bool
	Returned    uint32
	Fence       uint64
}

// Ended is a consumer that its queue's end ended.
type Ended struct {
	Consumer broker.ConsumerID
	Node     broker.NodeID
}

// Queues lists the queues that are here by id, and those that were dropped and are not forgotten.
func (m *Machine) Queues() (here, dropped []broker.QueueID) {
	return slices.Sorted(maps.Keys(m.lines)), slices.Sorted(maps.Keys(m.dropped))
}

// Len is how many queues and leases there are.
func (m *Machine) Len() int { return len(m.lines) + len(m.leases) }

// Exclusive says whether a queue that is here is a session's.
func (m *Machine) Exclusive(id broker.QueueID) bool {
	l := m.lines[id]
	return l != nil && l.owner != Session{}
}

// Outstanding lists what the consumers of a node have and did not settle, by queue and number.
func (m *Machine) Outstanding(node broker.NodeID) (out []Delivery) {
	for _, id := range slices.Sorted(maps.Keys(m.lines)) {
		l := m.lines[id]
		for _, n := range slices.Sorted(maps.Keys(l.out)) {
			if t := l.out[n]; t.consumer.session.Node == node && !t.consumer.getter {
				out = append(out, l.delivery(n, t))
			}
		}
	}
	return out
}

// Due says whether a QueueTick has something to do at a replicated time.
func (m *Machine) Due(clock uint64) bool {
	if len(m.graves) > 0 {
		return true
	}
	for _, l := range m.leases { //lint:sorted any will do
		if l.deadline <= clock || l.deadline&unmeasured != 0 {
			return true
		}
	}
	if m.usedAnew {
		return true
	}
	for _, l := range m.lines { //lint:sorted any will do
		if l.due(clock) {
			return true
		}
	}
	return false
}

// String is one line.
func (m *Machine) String() string {
	return fmt.Sprintf("%d queues, %d dropped, %d to free, %d consumers, %d leases, clock %d", len(m.lines), len(m.dropped), len(m.graves), len(m.consumers),
		len(m.leases), m.clock)
}

// Describe is the whole state. Two machines that describe themselves alike answer every command alike.
func (m *Machine) Describe() string {
	var s strings.Builder
	fmt.Fprintln(&s, m)
	for _, n := range slices.Sorted(maps.Keys(m.leases)) {
		fmt.Fprintf(&s, "lease of node %d: run %x until %d\n", n, m.leases[n].run, int64(m.leases[n].deadline))
	}
	for _, id := range slices.Sorted(maps.Keys(m.dropped)) {
		fmt.Fprintf(&s, "dropped %d\n", id)
	}
	for _, id := range slices.Sorted(maps.Keys(m.lines)) {
		m.lines[id].describe(&s)
		m.lines[id].describeKeys(&s)
	}
	for _, l := range m.graves {
		fmt.Fprintf(&s, "to free: ")
		l.describe(&s)
	}
	if len(m.holders.Producers()) > 0 {
		fmt.Fprintf(&s, "transactions: %s\n", m.holders.Describe())
	}
	for _, id := range slices.Sorted(maps.Keys(m.held)) {
		h := m.held[id]
		for _, i := range h.items {
			fmt.Fprintf(&s, "  %d holds #%d of queue %d from consumer %d: %v\n", id, i.sequence, i.queue, i.consumer, i.outcome)
		}
		for _, y := range h.staged {
			fmt.Fprintf(&s, "  %d adds %v of %d bytes, priority %d, for %d ms to %v\n", id, y.name, y.size, y.priority, y.expirationMs, y.targets)
		}
	}
	return s.String()
}

// session is a session's state, made if it has none.
func (m *Machine) session(id Session) *sessionState {
	s := m.sessions[id]
	if s == nil {
		s = &sessionState{consumers: map[broker.ConsumerID]*consumer{}, owned: map[broker.QueueID]bool{}}
		m.sessions[id] = s
	}
	return s
}

// maybeForget drops a session that has nothing.
func (m *Machine) maybeForget(id Session) {
	if s := m.sessions[id]; s != nil && len(s.consumers) == 0 && len(s.owned) == 0 {
		delete(m.sessions, id)
	}
}

// sessionsOf are the sessions on a lease, by number.
func (m *Machine) sessionsOf(node broker.NodeID, run uint64) (out []Session) {
	for id := range m.sessions {
		if id.Node == node && id.Run == run {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b Session) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

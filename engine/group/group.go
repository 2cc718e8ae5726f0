package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/invariant"
)

// group is one live group of a coordinator.
//
//	        first join                 all joined, or time is up
//	Empty ───────────▶ Preparing ─────────────────────────▶ Completing ── leader's sync, stored ──▶ Stable
//	  ▲                  │   ▲                                  │                                     │
//	  └── nobody left ───┘   └──── join, leave, expiry ─────────┴─────────────────────────────────────┘
type group struct {
	c     *Coordinator
	name  string
	state broker.GroupState
	// lost: a Store failed, so what is applied is not known until a Load.
	lost bool

	version      uint64 // of the applied state
	generation   broker.Generation
	protocolType string
	protocol     string
	leader       string // "" only without members

	members []*member // by the order in which they joined
	byID    map[string]*member
	static  map[string]*member // by instance id
	pending map[string]*alarm  // member ids that were given out and did not come back yet (KIP-394)

	phase     alarm // end of the join phase, or of the sync phase
	initial   bool  // this Preparing came out of Empty: it ends by time alone
	grew      bool  // a member came during the initial delay: extend it
	remaining int64 // ms by which the initial delay may still be extended

	inflight *Store // at most one; the version it expects is the one applied
	queued   *Store // wanted meanwhile; a later one replaces it
	// joinStore is the Store whose success answers the joins of this generation, syncStore its syncs; 0: none.
	joinStore, syncStore uint64
}

// member is one live member.
type member struct {
	Member
	isNew bool // its first JoinGroup was not answered yet: it cannot send heartbeats
	join  *joinWaiter
	sync  *Waiter
	// owesSync: it was told of the generation and has not asked for its assignment.
	owesSync bool
	// replaced is the Store that, once applied, answers this static member's join without a rebalance; 0: none.
	replaced uint64
	// formerID is the id that a replaced static member had.
	formerID string
	session  alarm
}

// joinWaiter is a JoinGroup that waits.
type joinWaiter struct {
	waiter  Waiter
	canSkip bool
}

func (c *Coordinator) newGroup(name string) *group {
	g := &group{c: c, name: name, state: broker.GroupEmpty, byID: make(map[string]*member),
		static: make(map[string]*member), pending: make(map[string]*alarm)}
	c.groups[name] = g
	return g
}

func (g *group) add(m *member) {
	_, taken := g.byID[m.ID]
	invariant.Check(!taken, "group %s: member %s joined twice", g.name, m.ID)
	g.members = append(g.members, m)
	g.byID[m.ID] = m
	if m.Instance != "" {
		g.static[m.Instance] = m
	}
	if g.leader == "" {
		g.leader = m.ID
	}
}

// remove takes a member out and tells whoever waits in its name that it is unknown now.
func (g *group) remove(m *member) {
	g.c.alarms.stop(&m.session)
	g.answerJoin(m, nil, broker.CodeUnknownMember)
	g.answerSync(m, nil, broker.CodeUnknownMember)
	g.members = slices.DeleteFunc(g.members, func(x *member) bool { return x == m })
	delete(g.byID, m.ID)
	if m.Instance != "" && g.static[m.Instance] == m {
		delete(g.static, m.Instance)
	}
	if g.leader == m.ID {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].ID
		}
	}
}

// drop forgets the group if there is nothing to remember: never stored, nobody in it, nobody expected.
func (g *group) dropIfNothing() {
	if g.state == broker.GroupEmpty && g.version == 0 && len(g.members) == 0 && len(g.pending) == 0 && g.inflight == nil && !g.lost {
		g.c.alarms.stop(&g.phase)
		delete(g.c.groups, g.name)
	}
}

// abandon answers everyone with a code and stops all alarms.
func (g *group) abandon(code broker.Code) {
	g.c.alarms.stop(&g.phase)
	for _, m := range g.members {
		g.c.alarms.stop(&m.session)
		g.answerJoin(m, nil, code)
		g.answerSync(m, nil, code)
	}
	for _, id := range slices.Sorted(maps.Keys(g.pending)) {
		g.c.alarms.stop(g.pending[id])
	}
	g.members, g.byID, g.static, g.pending = nil, nil, nil, nil
}

// answerJoin answers a member's waiting JoinGroup, if there is one.
func (g *group) answerJoin(m *member, joined *broker.JoinedGroup, code broker.Code) {
	if m.join == nil {
		return
	}
	w := m.join.waiter
	m.join, m.replaced = nil, 0
	if code != broker.CodeNone {
		g.c.fail(w, code, "join group", g.name)
		return
	}
	g.c.emit(Reply{Waiter: w, Joined: joined})
}

// answerSync answers a member's waiting SyncGroup, if there is one.
func (g *group) answerSync(m *member, synced *broker.SyncedGroup, code broker.Code) {
	if m.sync == nil {
		return
	}
	w := *m.sync
	m.sync = nil
	if code != broker.CodeNone {
		g.c.fail(w, code, "sync group", g.name)
		return
	}
	g.c.emit(Reply{Waiter: w, Synced: synced})
}

// keepAlive starts the member's session anew.
func (g *group) keepAlive(m *member) { g.watch(m, m.SessionTimeout) }

func (g *group) watch(m *member, ms int64) {
	g.c.alarms.set(&m.session, g.c.now+ms, func() { g.sessionEnded(m) })
}

// sessionEnded expires a member that was not heard of. One that waits for us is not late, unless it is new: then
// nothing but this bounds how long a client that went away stays.
func (g *group) sessionEnded(m *member) {
	if !m.isNew && (m.join != nil || m.sync != nil) {
		return // its session starts anew when it is answered
	}
	g.removeAndRebalance(m)
}

// rebalanceTimeout is the longest of the members'.
func (g *group) rebalanceTimeout() int64 {
	t := int64(0)
	for _, m := range g.members {
		t = max(t, m.RebalanceTimeout)
	}
	return t
}

// validate finds a member by its claim, as every request does first.
func (g *group) validate(id, instance string) (*member, broker.Code) {
	if instance != "" {
		m, ok := g.static[instance]
		if !ok {
			return nil, broker.CodeUnknownMember
		}
		if m.ID != id {
			return nil, broker.CodeFencedInstance
		}
	}
	m, ok := g.byID[id]
	if !ok {
		return nil, broker.CodeUnknownMember
	}
	return m, broker.CodeNone
}

// dump prints the group for tests and dumps.
func (g *group) dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s generation=%d version=%d", g.name, g.state, g.generation, g.version)
	if g.lost {
		b.WriteString(" lost\n")
		return b.String()
	}
	fmt.Fprintf(&b, " type=%q protocol=%q leader=%q", g.protocolType, g.protocol, g.leader)
	if g.inflight != nil {
		fmt.Fprintf(&b, " storing=%d", g.inflight.ID)
	}
	if g.phase.place > 0 {
		fmt.Fprintf(&b, " phase-ends=%d", g.phase.at)
	}
	b.WriteByte('\n')
	for _, m := range g.members {
		fmt.Fprintf(&b, "  %v", m.Member)
		for _, f := range []struct {
			on   bool
			name string
		}{{m.isNew, "new"}, {m.join != nil, "joining"}, {m.sync != nil, "syncing"}, {m.owesSync, "owes-sync"}} {
			if f.on {
				b.WriteString(" " + f.name)
			}
		}
		if m.session.place > 0 {
			fmt.Fprintf(&b, " until=%d", m.session.at)
		}
		b.WriteByte('\n')
	}
	for _, id := range slices.Sorted(maps.Keys(g.pending)) {
		fmt.Fprintf(&b, "  pending %s until=%d\n", id, g.pending[id].at)
	}
	return b.String()
}

package group

import (
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/invariant"
)

// supports says whether a JoinGroup's protocols leave at least one that everybody offers.
func (g *group) supports(r *broker.JoinGroup) bool {
	if len(g.members) == 0 {
		return true
	}
	if r.ProtocolType != g.protocolType {
		return false
	}
	return slices.ContainsFunc(r.Protocols, func(p broker.GroupProtocol) bool {
		for _, m := range g.members {
			if m.ID != r.MemberID && !m.offers(p.Name) {
				return false
			}
		}
		return true
	})
}

// selectProtocol lets every member vote for the first protocol of its list that everybody offers. The most votes win;
// of equals, the one that the member longest in the group lists first.
func (g *group) selectProtocol() string {
	invariant.Check(len(g.members) > 0, "group %s: a protocol of nobody", g.name)
	votes := make(map[string]int)
	common := func(p broker.GroupProtocol) bool {
		return !slices.ContainsFunc(g.members, func(m *member) bool { return !m.offers(p.Name) })
	}
	for _, m := range g.members {
		if i := slices.IndexFunc(m.Protocols, common); i >= 0 {
			votes[m.Protocols[i].Name]++
		}
	}
	best := ""
	for _, p := range g.members[0].Protocols {
		if votes[p.Name] > votes[best] {
			best = p.Name
		}
	}
	return best
}

// rebalanceOr begins a rebalance, or does otherwise while one is being prepared.
func (g *group) rebalanceOr(otherwise func()) {
	if g.state == broker.GroupPreparing {
		otherwise()
		return
	}
	g.prepare()
}

// prepare begins a rebalance: members learn of it by their heartbeats and join again.
func (g *group) prepare() {
	if g.state == broker.GroupCompleting {
		// Who waits for an assignment of this generation must join again. Who waits for the answer of its join has
		// joined already: it stays, and is answered with the next generation.
		g.refuseSyncs(broker.CodeRebalanceInProgress)
	}
	for _, m := range g.members {
		m.owesSync, m.replaced = false, 0
	}
	g.joinStore, g.syncStore = 0, 0
	g.initial = g.state == broker.GroupEmpty
	g.state = broker.GroupPreparing
	if !g.initial {
		if g.allJoined() {
			g.complete()
			return
		}
		g.c.alarms.set(&g.phase, g.c.now+g.rebalanceTimeout(), g.complete)
		return
	}
	// A new group: its members are most likely being started one after the other.
	delay := g.c.config.InitialRebalanceDelay
	g.grew = false
	g.remaining = max(g.rebalanceTimeout()-delay, 0)
	if delay == 0 {
		g.complete()
		return
	}
	g.c.alarms.set(&g.phase, g.c.now+delay, func() { g.initialDelayEnded(delay) })
}

// initialDelayEnded waits on while members keep coming, but no longer than the rebalance timeout.
func (g *group) initialDelayEnded(waited int64) {
	if !g.grew || g.remaining == 0 {
		g.complete()
		return
	}
	g.grew = false
	delay := min(g.c.config.InitialRebalanceDelay, g.remaining)
	g.remaining = max(g.remaining-waited, 0)
	g.c.alarms.set(&g.phase, g.c.now+delay, func() { g.initialDelayEnded(delay) })
}

func (g *group) allJoined() bool {
	return len(g.pending) == 0 && !slices.ContainsFunc(g.members, func(m *member) bool { return m.join == nil })
}

// joinedOrLeft ends the join phase when nobody is missing any more.
func (g *group) joinedOrLeft() {
	if g.state != broker.GroupPreparing || !g.allJoined() {
		return
	}
	if g.initial && len(g.members) > 0 {
		return // ends by time alone
	}
	g.complete()
}

// complete ends the join phase: who did not come is out, unless static, and the next generation begins.
func (g *group) complete() {
	invariant.Check(g.state == broker.GroupPreparing, "group %s: join phase completed in %s", g.name, g.state)
	g.c.alarms.stop(&g.phase)
	for _, m := range slices.Clone(g.members) {
		if m.join == nil && m.Instance == "" {
			g.remove(m)
		}
	}
	if len(g.members) > 0 && !g.electLeader() {
		// Only static members are left, and none of them came. Their sessions decide.
		g.c.alarms.set(&g.phase, g.c.now+max(g.rebalanceTimeout(), 1), g.complete)
		return
	}
	g.initial = false
	g.generation++
	if len(g.members) == 0 {
		g.state, g.protocol, g.leader = broker.GroupEmpty, "", ""
		if g.version == 0 && g.inflight == nil {
			g.dropIfNothing()
			return // nobody was ever told of this group
		}
		g.store(PhaseEmpty)
		return
	}
	g.state, g.protocol = broker.GroupCompleting, g.selectProtocol()
	// The generation is stored before anyone hears of it: a coordinator that takes over never gives its number again.
	g.joinStore = g.store(PhaseCompleting)
}

// electLeader makes sure that the leader is one that joined: it must get the members' list.
func (g *group) electLeader() bool {
	if m := g.byID[g.leader]; m != nil && m.join != nil {
		return true
	}
	for _, m := range g.members {
		if m.join != nil {
			g.leader = m.ID
			return true
		}
	}
	return false
}

// generationStored answers the joins.
func (g *group) generationStored() {
	g.joinStore = 0
	for _, m := range g.members {
		g.answerJoin(m, g.joined(m), broker.CodeNone)
		m.isNew, m.owesSync = false, true
		g.keepAlive(m)
	}
	g.awaitSyncs()
}

// awaitSyncs gives the members a rebalance timeout to ask for their assignments.
func (g *group) awaitSyncs() {
	generation := g.generation
	g.c.alarms.set(&g.phase, g.c.now+max(g.rebalanceTimeout(), 1), func() { g.syncPhaseEnded(generation) })
}

// syncPhaseEnded drops those who joined and then never asked for their assignment.
func (g *group) syncPhaseEnded(generation broker.Generation) {
	if g.generation != generation || g.state != broker.GroupCompleting && g.state != broker.GroupStable {
		return
	}
	late := 0
	for _, m := range slices.Clone(g.members) {
		if m.owesSync {
			g.remove(m)
			late++
		}
	}
	if late > 0 {
		g.prepare()
	}
}

// removeAndRebalance takes a member out and lets the others share what it had.
func (g *group) removeAndRebalance(m *member) {
	g.remove(m)
	g.afterRemoval()
}

func (g *group) afterRemoval() {
	switch g.state {
	case broker.GroupStable, broker.GroupCompleting:
		g.prepare()
	case broker.GroupPreparing:
		g.joinedOrLeft()
	}
}

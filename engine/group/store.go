package group

import (
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/invariant"
)

// snapshot is the group as it is to be stored.
func (g *group) snapshot(phase Phase) *State {
	s := &State{Group: g.name, Phase: phase, Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol, Leader: g.leader}
	for _, m := range g.members {
		s.Members = append(s.Members, m.Member)
	}
	return s
}

// store asks for the group to be stored and gives the Store's id.
func (g *group) store(phase Phase) uint64 { return g.storeState(g.snapshot(phase)) }

func (g *group) storeState(s *State) uint64 {
	g.c.stores++
	st := &Store{ID: g.c.stores, State: s}
	if g.inflight != nil {
		g.queued = st // what was queued before is part of what this one says, or no longer true
		return st.ID
	}
	g.send(st)
	return st.ID
}

func (g *group) send(st *Store) {
	st.Expect = g.version
	g.inflight = st
	g.c.emit(*st)
}

// stored goes on with what waited for a Store.
func (c *Coordinator) stored(e Stored) {
	g, ok := c.groups[e.Group]
	if !ok || g.lost || g.inflight == nil || g.inflight.ID != e.ID {
		return // of a group that was loaded anew since
	}
	if e.Code != broker.CodeNone {
		g.lose()
		return
	}
	done := g.inflight
	invariant.Check(e.Version > g.version, "group %s: stored as version %d after %d", g.name, e.Version, g.version)
	g.version, g.inflight = e.Version, nil
	if st := g.queued; st != nil {
		g.queued = nil
		g.send(st)
	}
	switch e.ID {
	case g.joinStore:
		g.generationStored()
	case g.syncStore:
		g.assignmentsStored(done.State)
	default:
		g.replacementsStored(e.ID)
	}
}

// lose forgets a group whose applied state is not known any more. Its members find the coordinator again and come back
// once it is loaded; what is applied decides what they find.
func (g *group) lose() {
	g.abandon(broker.CodeNotCoordinator)
	g.c.groups[g.name] = &group{c: g.c, name: g.name, state: broker.GroupDead, version: g.version, generation: g.generation, lost: true}
}

// load takes over a group as it is applied: whoever is in it has a whole session from now, and need not join again.
func (c *Coordinator) load(e Load) {
	if g, ok := c.groups[e.Group]; ok {
		if !g.lost {
			return // it lives: what it has is what is applied, and newer
		}
		delete(c.groups, e.Group)
	}
	s := e.State
	if s == nil || s.Version == 0 {
		return // nothing, or only offsets
	}
	g := c.newGroup(e.Group)
	g.version, g.generation = s.Version, s.Generation
	g.protocolType, g.protocol, g.state = s.ProtocolType, s.Protocol, s.Phase.state()
	for _, sm := range s.Members {
		m := &member{Member: sm}
		m.Protocols = slices.Clone(sm.Protocols)
		g.add(m)
		g.keepAlive(m)
	}
	g.leader = s.Leader
	if g.state == broker.GroupCompleting {
		for _, m := range g.members {
			m.owesSync = true
		}
		g.awaitSyncs()
	}
}

// deleted follows the applied state, which dropped an empty group.
func (c *Coordinator) deleted(e Deleted) {
	g, ok := c.groups[e.Group]
	if !ok || g.lost || g.inflight != nil {
		return // an outstanding Store will be refused for its version, and the group loaded anew
	}
	g.version = 0
	g.dropIfNothing()
}

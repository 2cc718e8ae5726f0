package group

import "github.com/tallymq/tallymq/engine/broker"

// replaceStatic lets a static member that restarted take its own place (KIP-345). In a stable group whose protocol
// does not change by it, nobody else notices: it keeps its assignment.
func (g *group) replaceStatic(e Join, m *member, id string) {
	// Whoever waits under the old id is a duplicate of the instance, and fenced.
	g.answerJoin(m, nil, broker.CodeFencedInstance)
	g.answerSync(m, nil, broker.CodeFencedInstance)
	delete(g.byID, m.ID)
	m.formerID, m.ID = m.ID, id
	g.byID[id] = m
	if g.leader == m.formerID {
		g.leader = id
	}
	m.ClientID, m.ClientHost = e.Request.Client.ID, e.Request.Client.Address
	g.update(m, e)
	if m.isNew {
		g.watch(m, g.c.config.NewMemberJoinTimeout)
	} else {
		g.keepAlive(m)
	}
	switch {
	case g.state == broker.GroupPreparing:
		g.joinedOrLeft()
	case g.state == broker.GroupStable && g.selectProtocol() == g.protocol:
		// Stored first: a coordinator that takes over, and the fence of commits, must know the new id.
		m.replaced = g.store(PhaseStable)
	default:
		// In Completing the leader may have the old id in its list already, and would assign to nobody.
		g.prepare()
	}
}

// replacementsStored answers the static members whose new id is stored by now.
func (g *group) replacementsStored(id uint64) {
	for _, m := range g.members {
		if m.replaced != 0 && m.replaced <= id && m.join != nil {
			g.answerJoin(m, g.rejoined(m), broker.CodeNone)
			g.keepAlive(m)
		}
	}
}

// rejoined tells a replaced member of the generation it is in. A leader must not assign anew, since the others will not
// ask: one that understands it is told to skip that (KIP-814); another is told that its former self leads.
func (g *group) rejoined(m *member) *broker.JoinedGroup {
	j := g.joined(m)
	leads := m.ID == g.leader
	if m.join.canSkip {
		j.SkipAssignment = leads
		return j
	}
	j.Members = nil
	if leads {
		j.LeaderID = m.formerID
	}
	return j
}

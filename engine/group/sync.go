package group

import (
	"github.com/tallymq/tallymq/engine/broker"
)

// sync is a SyncGroup: the leader's brings the assignments, everybody's waits until they are stored.
func (c *Coordinator) sync(e Sync) {
	r := e.Request
	g, code := c.find(r.Group)
	if code != broker.CodeNone {
		c.refuse(e, unknownIsMember(code))
		return
	}
	m, code := g.validate(r.MemberID, r.InstanceID)
	switch {
	case code != broker.CodeNone:
	case r.Generation != g.generation:
		code = broker.CodeIllegalGeneration
	case r.ProtocolType != "" && r.ProtocolType != g.protocolType, r.Protocol != "" && r.Protocol != g.protocol:
		code = broker.CodeInconsistentProtocol
	case g.state == broker.GroupPreparing, g.joinStore != 0:
		code = broker.CodeRebalanceInProgress
	case g.state == broker.GroupEmpty:
		code = broker.CodeUnknownMember
	}
	if code != broker.CodeNone {
		c.refuse(e, code)
		return
	}
	g.synced(m)
	if g.state == broker.GroupStable {
		g.c.emit(Reply{Waiter: e.Waiter, Synced: g.share(m)})
		g.keepAlive(m)
		return
	}
	g.answerSync(m, nil, broker.CodeRebalanceInProgress) // an older SyncGroup of the same member
	m.sync = &e.Waiter
	if m.ID == g.leader && g.syncStore == 0 {
		g.assign(r.Assignments)
	}
}

// unknownIsMember gives Kafka's answer to requests for a group that is not there.
func unknownIsMember(code broker.Code) broker.Code {
	if code == broker.CodeGroupNotFound {
		return broker.CodeUnknownMember
	}
	return code
}

// synced notes that a member asked for its assignment; after the last one nobody is late any more.
func (g *group) synced(m *member) {
	m.owesSync = false
	for _, x := range g.members {
		if x.owesSync {
			return
		}
	}
	g.c.alarms.stop(&g.phase)
}

// assign stores what the leader decided. Members without a share get an empty one; shares of strangers are dropped.
func (g *group) assign(shares []broker.MemberAssignment) {
	s := g.snapshot(PhaseStable)
	by := make(map[string][]byte, len(shares))
	for _, a := range shares {
		by[a.MemberID] = a.Assignment
	}
	for i := range s.Members {
		s.Members[i].Assignment = append([]byte{}, by[s.Members[i].ID]...)
	}
	if s.Bytes() > g.c.config.StateBytesMax {
		g.refuseSyncs(broker.CodeInvalidRequest)
		g.prepare()
		return
	}
	g.syncStore = g.storeState(s)
}

// refuseSyncs answers all who wait for an assignment.
func (g *group) refuseSyncs(code broker.Code) {
	for _, m := range g.members {
		if m.sync != nil {
			g.answerSync(m, nil, code)
			g.keepAlive(m)
		}
	}
}

// assignmentsStored makes the generation stable and hands the shares out.
func (g *group) assignmentsStored(s *State) {
	g.syncStore = 0
	g.state = broker.GroupStable
	for _, m := range g.members {
		stored, _ := s.Member(m.ID)
		m.Assignment = stored.Assignment
		if m.sync != nil {
			g.answerSync(m, g.share(m), broker.CodeNone)
			g.keepAlive(m)
		}
	}
}

// share is what a member is told of a stable generation.
func (g *group) share(m *member) *broker.SyncedGroup {
	return &broker.SyncedGroup{ProtocolType: g.protocolType, Protocol: g.protocol, Assignment: m.Assignment}
}

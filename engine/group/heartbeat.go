package group

import "github.com/tallymq/tallymq/engine/broker"

// heartbeat is a Heartbeat.
func (c *Coordinator) heartbeat(e Heartbeat) {
	g, code := c.find(e.Member.Group)
	if code != broker.CodeNone {
		c.refuse(e, unknownIsMember(code))
		return
	}
	m, code := g.validate(e.Member.MemberID, e.Member.InstanceID)
	switch {
	case code != broker.CodeNone:
	case g.joinStore != 0 && e.Member.Generation == g.generation-1:
		// The next generation is being stored; nobody was told of it yet.
		code = broker.CodeRebalanceInProgress
	case e.Member.Generation != g.generation:
		code = broker.CodeIllegalGeneration
	case g.state == broker.GroupPreparing:
		g.keepAlive(m)
		code = broker.CodeRebalanceInProgress
	case g.state == broker.GroupEmpty:
		code = broker.CodeUnknownMember
	default:
		// Also in Completing: members may send heartbeats as soon as their join was answered.
		g.keepAlive(m)
	}
	if code != broker.CodeNone {
		c.refuse(e, code)
		return
	}
	c.emit(Reply{Waiter: e.Waiter})
}

// commit says whether an OffsetCommit may be proposed. Kafka's rules: outside the group protocol while the group is
// empty; a member in its own generation, but not while that one's assignment is not known yet.
func (c *Coordinator) commit(e Commit) {
	who := e.Member
	g, code := c.find(who.Group)
	if code == broker.CodeGroupNotFound {
		code = mayCommit(nil, who.Generation, who.MemberID, who.InstanceID)
	} else if code == broker.CodeNone {
		code = g.mayCommit(who)
	}
	if code != broker.CodeNone {
		c.refuse(e, code)
		return
	}
	c.emit(Reply{Waiter: e.Waiter})
}

func (g *group) mayCommit(who broker.GroupMember) broker.Code {
	if who.Generation < 0 && who.MemberID == "" && who.InstanceID == "" {
		if g.state == broker.GroupEmpty {
			return broker.CodeNone
		}
		return broker.CodeUnknownMember
	}
	m, code := g.validate(who.MemberID, who.InstanceID)
	switch {
	case code != broker.CodeNone:
		return code
	case who.Generation != g.generation:
		return broker.CodeIllegalGeneration
	case g.state == broker.GroupCompleting:
		return broker.CodeRebalanceInProgress
	}
	g.keepAlive(m)
	return broker.CodeNone
}

// mayOffer is mayCommit for the offsets of a transaction: its producer may come from outside of a group that has members,
// as clients do that know no group metadata (before KIP-447).
func mayOffer(s *State, generation broker.Generation, id, instance string) broker.Code {
	if generation < 0 && id == "" && instance == "" {
		return broker.CodeNone
	}
	code := mayCommit(s, generation, id, instance)
	if code == broker.CodeRebalanceInProgress { // the generation is the right one, and what it read is read
		return broker.CodeNone
	}
	return code
}

// mayCommit is the fence in apply, against the stored state (nil: none): it holds also for a commit that was let
// through, and was then overtaken by a new generation.
func mayCommit(s *State, generation broker.Generation, id, instance string) broker.Code {
	outside := generation < 0 && id == "" && instance == ""
	if s == nil || s.Version == 0 {
		switch {
		case outside:
			return broker.CodeNone
		case generation >= 0:
			return broker.CodeIllegalGeneration
		}
		return broker.CodeUnknownMember
	}
	if outside {
		if s.Phase == PhaseEmpty {
			return broker.CodeNone
		}
		return broker.CodeUnknownMember
	}
	if instance != "" {
		m, ok := s.instance(instance)
		if !ok {
			return broker.CodeUnknownMember
		}
		if m.ID != id {
			return broker.CodeFencedInstance
		}
	}
	if _, ok := s.Member(id); !ok {
		return broker.CodeUnknownMember
	}
	if generation != s.Generation {
		return broker.CodeIllegalGeneration
	}
	if s.Phase == PhaseCompleting {
		return broker.CodeRebalanceInProgress
	}
	return broker.CodeNone
}

package group

import "github.com/tallymq/tallymq/engine/broker"

// leave is a LeaveGroup of one or many members. An administrator names static members by instance alone.
func (c *Coordinator) leave(e Leave) {
	g, code := c.find(e.Group)
	if code != broker.CodeNone && code != broker.CodeGroupNotFound {
		c.refuse(e, code)
		return
	}
	left := make([]error, len(e.Members))
	gone := false
	for i, l := range e.Members {
		code, member := broker.CodeUnknownMember, false
		if g != nil {
			code, member = g.leaveOne(l)
		}
		gone = gone || member
		if code != broker.CodeNone {
			left[i] = refusal(code, "leave group", e.Group)
		}
	}
	c.emit(Reply{Waiter: e.Waiter, Left: left})
	if g == nil {
		return
	}
	if gone {
		g.afterRemoval()
	} else {
		g.joinedOrLeft() // a pending member may have been the last one missing
	}
	g.dropIfNothing()
}

// leaveOne says whether a member, not only a pending one, is out now.
func (g *group) leaveOne(l broker.LeavingMember) (code broker.Code, member bool) {
	if l.MemberID == "" {
		m, ok := g.static[l.InstanceID]
		if l.InstanceID == "" || !ok {
			return broker.CodeUnknownMember, false
		}
		g.remove(m)
		return broker.CodeNone, true
	}
	if al, ok := g.pending[l.MemberID]; ok {
		g.c.alarms.stop(al)
		delete(g.pending, l.MemberID)
		return broker.CodeNone, false
	}
	m, code := g.validate(l.MemberID, l.InstanceID)
	if code != broker.CodeNone {
		return code, false
	}
	g.remove(m)
	return broker.CodeNone, true
}

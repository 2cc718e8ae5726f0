package group

import (
	"slices"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// join is a JoinGroup (Kafka's classic protocol, JoinGroup 0-9).
func (c *Coordinator) join(e Join) {
	r := e.Request
	if code := c.checkJoin(r); code != broker.CodeNone {
		c.refuse(e, code)
		return
	}
	g, code := c.find(r.Group)
	switch {
	case code == broker.CodeGroupNotFound && r.MemberID == "":
		g = c.newGroup(r.Group)
	case code == broker.CodeGroupNotFound:
		c.refuse(e, broker.CodeUnknownMember)
		return
	case code != broker.CodeNone:
		c.refuse(e, code)
		return
	}
	g.join(e)
	g.dropIfNothing()
}

func (c *Coordinator) checkJoin(r *broker.JoinGroup) broker.Code {
	session := r.SessionTimeout.Milliseconds()
	switch {
	case checkName(r.Group) != broker.CodeNone:
		return broker.CodeInvalidGroup
	case session < c.config.SessionTimeoutMin || session > c.config.SessionTimeoutMax:
		return broker.CodeInvalidSessionTimeout
	case r.ProtocolType == "" || len(r.Protocols) == 0:
		return broker.CodeInconsistentProtocol
	}
	return broker.CodeNone
}

func (g *group) join(e Join) {
	r := e.Request
	known := g.byID[r.MemberID]
	if !g.accepts(r.MemberID) {
		if known != nil {
			g.remove(known)
		}
		g.c.refuse(e, broker.CodeGroupFull)
		return
	}
	if !g.supports(r) {
		g.c.refuse(e, broker.CodeInconsistentProtocol)
		return
	}
	if g.bytesWith(r) > g.c.config.StateBytesMax {
		g.c.refuse(e, broker.CodeGroupFull)
		return
	}
	if r.MemberID == "" {
		g.joinUnknown(e)
		return
	}
	if al, given := g.pending[r.MemberID]; given {
		if r.InstanceID != "" {
			g.c.refuse(e, broker.CodeUnknownMember) // ids of static members are never pending
			return
		}
		g.c.alarms.stop(al)
		delete(g.pending, r.MemberID)
		g.addAndRebalance(e, r.MemberID)
		return
	}
	m, code := g.validate(r.MemberID, r.InstanceID)
	if code != broker.CodeNone {
		g.c.refuse(e, code)
		return
	}
	g.rejoin(e, m)
}

// joinUnknown handles a JoinGroup without a member id.
func (g *group) joinUnknown(e Join) {
	r := e.Request
	prefix := r.Client.ID
	if r.InstanceID != "" {
		prefix = r.InstanceID
	}
	id := prefix + "-" + e.Unique
	switch {
	case r.InstanceID != "":
		if old, ok := g.static[r.InstanceID]; ok {
			g.replaceStatic(e, old, id)
			return
		}
		g.addAndRebalance(e, id)
	case r.RequireKnownMember:
		al := &alarm{}
		g.pending[id] = al
		g.c.alarms.set(al, g.c.now+r.SessionTimeout.Milliseconds(), func() {
			delete(g.pending, id)
			g.joinedOrLeft()
			g.dropIfNothing()
		})
		err := refusal(broker.CodeMemberIDRequired, "join group", g.name)
		err.MemberID = id
		g.c.emit(Reply{Waiter: e.Waiter, Err: err})
	default:
		g.addAndRebalance(e, id)
	}
}

// rejoin handles a JoinGroup of a member.
func (g *group) rejoin(e Join, m *member) {
	switch g.state {
	case broker.GroupPreparing:
		g.update(m, e)
		g.joinedOrLeft()
	case broker.GroupCompleting:
		// With the same metadata it most likely did not get the answer: it is given again, also while the generation is
		// still being stored.
		switch {
		case !m.matches(e.Request.Protocols):
			g.update(m, e)
			g.prepare()
		case g.joinStore != 0:
			g.update(m, e)
		default:
			g.c.emit(Reply{Waiter: e.Waiter, Joined: g.joined(m)})
		}
	case broker.GroupStable:
		// The leader joins again when it wants a rebalance, for example since partitions were added. Others that offer
		// the same are told what is.
		if m.ID == g.leader || !m.matches(e.Request.Protocols) {
			g.update(m, e)
			g.prepare()
			return
		}
		if m.replaced != 0 {
			g.update(m, e) // its new id is being stored: answered then
			return
		}
		g.c.emit(Reply{Waiter: e.Waiter, Joined: g.joined(m)})
	default:
		g.c.refuse(e, broker.CodeUnknownMember)
	}
}

// addAndRebalance adds a new member and begins, or goes on with, a rebalance.
func (g *group) addAndRebalance(e Join, id string) {
	r := e.Request
	m := &member{isNew: true}
	m.ID, m.Instance, m.ClientID, m.ClientHost = id, r.InstanceID, r.Client.ID, r.Client.Address
	if len(g.members) == 0 {
		g.protocolType = r.ProtocolType
	}
	g.update(m, e)
	g.add(m)
	if g.state == broker.GroupPreparing && g.initial {
		g.grew = true
	}
	// It cannot send heartbeats before it is answered, and a request that is parked does not notice that its client
	// went away: only this bounds how many dead members pile up.
	g.watch(m, g.c.config.NewMemberJoinTimeout)
	g.rebalanceOr(g.joinedOrLeft)
}

// update takes over what a JoinGroup says and makes it the one that waits.
func (g *group) update(m *member, e Join) {
	r, replaced := e.Request, m.replaced
	g.answerJoin(m, nil, broker.CodeRebalanceInProgress) // an older JoinGroup of the same member: this one speaks for it
	m.replaced = replaced
	m.Protocols = make([]broker.GroupProtocol, len(r.Protocols))
	for i, p := range r.Protocols {
		m.Protocols[i] = broker.GroupProtocol{Name: p.Name, Metadata: slices.Clone(p.Metadata)}
	}
	m.SessionTimeout = r.SessionTimeout.Milliseconds()
	m.RebalanceTimeout = min(max(r.RebalanceTimeout, time.Duration(0)).Milliseconds(), rebalanceTimeoutCeiling)
	m.join = &joinWaiter{waiter: e.Waiter, canSkip: r.CanSkipAssignment}
}

// joined is what a member is told of the generation; the leader learns of all members.
func (g *group) joined(m *member) *broker.JoinedGroup {
	j := &broker.JoinedGroup{Generation: g.generation, ProtocolType: g.protocolType, Protocol: g.protocol,
		LeaderID: g.leader, MemberID: m.ID}
	if m.ID == g.leader {
		j.Members = g.joinedMembers()
	}
	return j
}

func (g *group) joinedMembers() []broker.JoinedMember {
	out := make([]broker.JoinedMember, 0, len(g.members))
	for _, m := range g.members {
		out = append(out, broker.JoinedMember{MemberID: m.ID, InstanceID: m.Instance, Metadata: m.metadata(g.protocol)})
	}
	return out
}

// accepts says whether there is room. While a rebalance is prepared those who wait count, since who is gone for good
// must not keep others out; afterwards who is in the group counts.
func (g *group) accepts(id string) bool {
	m := g.byID[id]
	switch g.state {
	case broker.GroupPreparing:
		waiting := 0
		for _, x := range g.members {
			if x.join != nil {
				waiting++
			}
		}
		return m != nil && m.join != nil || waiting < g.c.config.MembersMax
	case broker.GroupCompleting, broker.GroupStable:
		return m != nil || len(g.members) < g.c.config.MembersMax
	}
	return true
}

// bytesWith estimates the stored size of the group with a new or renewed member.
func (g *group) bytesWith(r *broker.JoinGroup) int {
	n := len(g.name) + 64
	for _, m := range g.members {
		if m.ID != r.MemberID {
			n += m.bytes()
		}
	}
	return n + Member{ID: r.MemberID + r.Client.ID + r.InstanceID, ClientID: r.Client.ID, ClientHost: r.Client.Address,
		Instance: r.InstanceID, Protocols: r.Protocols}.bytes() + 64
}

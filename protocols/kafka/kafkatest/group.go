package kafkatest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// rejoinWait is how long a rebalance waits for members that did not come back.
const rejoinWait = 3 * time.Second

// group is a classic group: members join a round; when all known members joined, or after a while, the round becomes a
// generation; its leader's SyncGroup makes it stable.
type group struct {
	name       string
	state      broker.GroupState
	kind       string
	protocol   string
	generation broker.Generation
	leader     string
	members    map[string]*member
	born       int
	round      chan struct{} // closed when the joining round ended
	assigned   chan struct{} // closed when the leader brought assignments, or the generation ended
	offsets    map[broker.TopicPartition]broker.CommittedOffset
}

type member struct {
	id, instance string
	client       broker.Client
	protocols    []broker.GroupProtocol
	joined       bool // in the round
	assignment   []byte
}

func (b *Broker) group(name string) *group {
	g := b.groups[name]
	if g == nil {
		g = &group{name: name, state: broker.GroupEmpty, members: map[string]*member{}, offsets: map[broker.TopicPartition]broker.CommittedOffset{}}
		b.groups[name] = g
	}
	return g
}

// Coordinator is node 1.
func (b *Broker) Coordinator(_ context.Context, group string) (broker.Node, error) {
	if err := b.refuse("find coordinator", group); err != nil {
		return broker.Node{}, err
	}
	return b.Nodes()[0], nil
}

// JoinGroup waits for the round to end.
func (b *Broker) JoinGroup(ctx context.Context, r *broker.JoinGroup) (*broker.JoinedGroup, error) {
	const op = "join group"
	if err := b.refuse(op, r.Group); err != nil {
		return nil, err
	}
	b.mu.Lock()
	g := b.group(r.Group)
	if r.MemberID == "" && r.InstanceID != "" {
		for _, m := range g.members {
			if m.instance == r.InstanceID {
				r.MemberID = m.id
			}
		}
	}
	if r.MemberID == "" {
		g.born++
		id := fmt.Sprintf("%s-%d", r.Client.ID, g.born)
		if r.RequireKnownMember {
			b.mu.Unlock()
			e := broker.Refuse(broker.CodeMemberIDRequired, op, "group "+r.Group)
			e.MemberID = id
			return nil, e
		}
		r.MemberID = id
	}
	m := g.members[r.MemberID]
	if m == nil {
		m = &member{id: r.MemberID, instance: r.InstanceID, client: r.Client}
		g.members[m.id] = m
	}
	m.protocols, m.joined, g.kind = r.Protocols, true, r.ProtocolType
	if g.round == nil {
		g.begin(b)
	}
	round := g.round
	g.maybeEnd()
	b.mu.Unlock()
	select {
	case <-round:
	case <-ctx.Done():
		return nil, broker.Errorf(broker.CodeShuttingDown, op, "group "+r.Group, "%w", ctx.Err())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	j := &broker.JoinedGroup{Generation: g.generation, ProtocolType: g.kind, Protocol: g.protocol, LeaderID: g.leader, MemberID: m.id}
	if m.id == g.leader {
		for _, id := range g.ids() {
			x := g.members[id]
			j.Members = append(j.Members, broker.JoinedMember{MemberID: x.id, InstanceID: x.instance, Metadata: x.metadata(g.protocol)})
		}
	}
	return j, nil
}

func (g *group) ids() []string {
	ids := make([]string, 0, len(g.members))
	for id := range g.members {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// begin opens a round and ends the generation before it.
func (g *group) begin(b *Broker) {
	g.state = broker.GroupPreparing
	g.round = make(chan struct{})
	round := g.round
	if g.assigned != nil {
		close(g.assigned)
		g.assigned = nil
	}
	time.AfterFunc(rejoinWait, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if g.round != round {
			return
		}
		for id, m := range g.members {
			if !m.joined {
				delete(g.members, id)
			}
		}
		g.maybeEnd()
	})
}

// maybeEnd makes a generation of the round if every member is in it.
func (g *group) maybeEnd() {
	if g.round == nil {
		return
	}
	for _, m := range g.members {
		if !m.joined {
			return
		}
	}
	close(g.round)
	g.round = nil
	g.generation++
	if len(g.members) == 0 {
		g.state, g.leader, g.protocol = broker.GroupEmpty, "", ""
		return
	}
	g.state = broker.GroupCompleting
	g.assigned = make(chan struct{})
	if g.members[g.leader] == nil {
		g.leader = g.ids()[0]
	}
	for _, p := range g.members[g.leader].protocols {
		common := true
		for _, m := range g.members {
			common = common && slices.ContainsFunc(m.protocols, func(x broker.GroupProtocol) bool { return x.Name == p.Name })
		}
		if common {
			g.protocol = p.Name
			break
		}
	}
	for _, m := range g.members {
		m.joined, m.assignment = false, nil
	}
}

// check judges a member's claim.
func (g *group) check(op string, m broker.GroupMember) error {
	switch {
	case g.members[m.MemberID] == nil:
		return broker.Refuse(broker.CodeUnknownMember, op, "group "+g.name)
	case m.Generation != g.generation:
		return broker.Refuse(broker.CodeIllegalGeneration, op, "group "+g.name)
	case g.state == broker.GroupPreparing:
		return broker.Refuse(broker.CodeRebalanceInProgress, op, "group "+g.name)
	}
	return nil
}

// SyncGroup waits for the leader's assignments.
func (b *Broker) SyncGroup(ctx context.Context, r *broker.SyncGroup) (*broker.SyncedGroup, error) {
	const op = "sync group"
	if err := b.refuse(op, r.Group); err != nil {
		return nil, err
	}
	b.mu.Lock()
	g := b.group(r.Group)
	if err := g.check(op, r.GroupMember); err != nil {
		b.mu.Unlock()
		return nil, err
	}
	if r.MemberID == g.leader && g.state == broker.GroupCompleting {
		for _, a := range r.Assignments {
			if m := g.members[a.MemberID]; m != nil {
				m.assignment = a.Assignment
			}
		}
		g.state = broker.GroupStable
		close(g.assigned)
		g.assigned = nil
	}
	assigned := g.assigned
	b.mu.Unlock()
	if assigned != nil {
		select {
		case <-assigned:
		case <-ctx.Done():
			return nil, broker.Errorf(broker.CodeShuttingDown, op, "group "+r.Group, "%w", ctx.Err())
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := g.check(op, r.GroupMember); err != nil {
		return nil, err
	}
	return &broker.SyncedGroup{ProtocolType: g.kind, Protocol: g.protocol, Assignment: g.members[r.MemberID].assignment}, nil
}

// Heartbeat says whether a rebalance is under way.
func (b *Broker) Heartbeat(_ context.Context, m broker.GroupMember) error {
	if err := b.refuse("heartbeat", m.Group); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.group(m.Group).check("heartbeat", m)
}

// LeaveGroup removes members and starts a rebalance.
func (b *Broker) LeaveGroup(_ context.Context, name string, _ broker.Client, ms []broker.LeavingMember) ([]error, error) {
	if err := b.refuse("leave group", name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.group(name)
	errs := make([]error, len(ms))
	for i, lm := range ms {
		id := lm.MemberID
		for _, m := range g.members {
			if lm.InstanceID != "" && m.instance == lm.InstanceID {
				id = m.id
			}
		}
		if g.members[id] == nil {
			errs[i] = broker.Refuse(broker.CodeUnknownMember, "leave group", "group "+name)
			continue
		}
		delete(g.members, id)
	}
	if g.round == nil {
		g.begin(b)
	}
	g.maybeEnd()
	return errs, nil
}

// CommitOffsets stores positions.
func (b *Broker) CommitOffsets(_ context.Context, r *broker.CommitOffsets) ([]error, error) {
	const op = "commit offsets"
	if err := b.refuse(op, r.Group); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.group(r.Group)
	if r.MemberID != "" || r.Generation >= 0 {
		if err := g.check(op, r.GroupMember); err != nil && broker.CodeOf(err) != broker.CodeRebalanceInProgress {
			return nil, err
		}
	}
	errs := make([]error, len(r.Offsets))
	for i, o := range r.Offsets {
		t := b.topics[o.Topic]
		if t == nil || int(o.Partition) >= len(t.logs) {
			errs[i] = broker.Refuse(broker.CodeUnknownTopic, op, "topic "+o.Topic)
			continue
		}
		tp := broker.TopicPartition{Topic: o.Topic, Partition: o.Partition}
		g.offsets[tp] = broker.CommittedOffset{TopicPartition: tp, Offset: o.Offset, Epoch: o.Epoch, Metadata: o.Metadata}
	}
	return errs, nil
}

// FetchOffsets gives positions.
func (b *Broker) FetchOffsets(_ context.Context, q *broker.FetchOffsets) ([]broker.CommittedOffset, error) {
	if err := b.refuse("fetch offsets", q.Group); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.group(q.Group)
	var out []broker.CommittedOffset
	if q.Partitions == nil {
		for _, o := range g.offsets {
			out = append(out, o)
		}
		slices.SortFunc(out, func(x, y broker.CommittedOffset) int {
			if c := strings.Compare(x.Topic, y.Topic); c != 0 {
				return c
			}
			return int(x.Partition - y.Partition)
		})
		return out, nil
	}
	for _, tp := range q.Partitions {
		o, ok := g.offsets[tp]
		if !ok {
			o = broker.CommittedOffset{TopicPartition: tp, Offset: -1, Epoch: broker.NoEpoch}
		}
		out = append(out, o)
	}
	return out, nil
}

// DescribeGroup describes a group that exists.
func (b *Broker) DescribeGroup(_ context.Context, name string) (*broker.GroupDescription, error) {
	if err := b.refuse("describe group", name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[name]
	if g == nil {
		return nil, broker.Refuse(broker.CodeGroupNotFound, "describe group", "group "+name)
	}
	d := &broker.GroupDescription{Group: name, State: g.state, ProtocolType: g.kind, Protocol: g.protocol, Generation: g.generation}
	for _, id := range g.ids() {
		m := g.members[id]
		d.Members = append(d.Members, broker.MemberDescription{
			MemberID: m.id, InstanceID: m.instance, ClientID: m.client.ID, ClientHost: m.client.Address, Metadata: m.metadata(g.protocol), Assignment: m.assignment,
		})
	}
	return d, nil
}

// ListGroups lists all by name.
func (b *Broker) ListGroups(context.Context) ([]broker.GroupListing, error) {
	if err := b.refuse("list groups", ""); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var ls []broker.GroupListing
	for _, g := range b.groups {
		ls = append(ls, broker.GroupListing{Group: g.name, ProtocolType: g.kind, State: g.state})
	}
	slices.SortFunc(ls, func(x, y broker.GroupListing) int { return strings.Compare(x.Group, y.Group) })
	return ls, nil
}

// DeleteGroup deletes an empty group.
func (b *Broker) DeleteGroup(_ context.Context, _ broker.Client, name string) error {
	if err := b.refuse("delete group", name); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[name]
	switch {
	case g == nil:
		return broker.Refuse(broker.CodeGroupNotFound, "delete group", "group "+name)
	case len(g.members) > 0:
		return broker.Refuse(broker.CodeGroupNotEmpty, "delete group", "group "+name)
	}
	delete(b.groups, name)
	return nil
}

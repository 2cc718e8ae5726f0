package engine

import (
	"cmp"
	"context"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/group"
)

// JoinGroup waits until the rebalance that it joins completes.
func (e *Engine) JoinGroup(ctx context.Context, r *broker.JoinGroup) (*broker.JoinedGroup, error) {
	c, err := e.coordinating(r.Group, "join group")
	if err != nil {
		return nil, err
	}
	id := unique()
	reply, err := c.ask(ctx, func(w group.Waiter) group.Event { return group.Join{Waiter: w, Request: r, Unique: id} })
	return reply.Joined, err
}

// SyncGroup waits for the member's assignment.
func (e *Engine) SyncGroup(ctx context.Context, r *broker.SyncGroup) (*broker.SyncedGroup, error) {
	c, err := e.coordinating(r.Group, "sync group")
	if err != nil {
		return nil, err
	}
	reply, err := c.ask(ctx, func(w group.Waiter) group.Event { return group.Sync{Waiter: w, Request: r} })
	return reply.Synced, err
}

// Heartbeat keeps a member's session.
func (e *Engine) Heartbeat(ctx context.Context, m broker.GroupMember) error {
	c, err := e.coordinating(m.Group, "heartbeat")
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, func(w group.Waiter) group.Event { return group.Heartbeat{Waiter: w, Member: m} })
	return err
}

// LeaveGroup answers per member.
func (e *Engine) LeaveGroup(ctx context.Context, name string, _ broker.Client, ms []broker.LeavingMember) ([]error, error) {
	c, err := e.coordinating(name, "leave group")
	if err != nil {
		return nil, err
	}
	reply, err := c.ask(ctx, func(w group.Waiter) group.Event { return group.Leave{Waiter: w, Group: name, Members: ms} })
	return reply.Left, err
}

// CommitOffsets asks the coordinator first, which counts it as a heartbeat, then stores
// the offsets; apply fences again by the stored group.
func (e *Engine) CommitOffsets(ctx context.Context, r *broker.CommitOffsets) ([]error, error) {
	c, err := e.coordinating(r.Group, "commit offsets")
	if err != nil {
		return nil, err
	}
	if _, err := c.ask(ctx, func(w group.Waiter) group.Event { return group.Commit{Waiter: w, Member: r.GroupMember} }); err != nil {
		return nil, err
	}
	errs := make([]error, len(r.Offsets))
	cmd := command.OffsetCommit{Group: r.Group, Slot: uint32(c.slot), SlotVersion: c.version, Member: r.MemberID, Instance: r.InstanceID,
		Generation: r.Generation, RetentionMs: -1}
	if r.Retention >= 0 {
		cmd.RetentionMs = r.Retention.Milliseconds()
	}
	var at []int // of each offset sent, its place in errs
	for i, o := range r.Offsets {
		t, err := e.committedTopic(ctx, o)
		if err != nil {
			errs[i] = err
			continue
		}
		at = append(at, i)
		cmd.Offsets = append(cmd.Offsets, command.OffsetCommitItem{TopicID: t.ID, Topic: t.Name, Partition: o.Partition, Offset: o.Offset, LeaderEpoch: o.Epoch, Metadata: o.Metadata})
	}
	if len(cmd.Offsets) == 0 {
		return errs, nil
	}
	out, err := e.propose(ctx, c.l.shard, c.l.term, cmd.AppendTo(nil))
	if err != nil {
		return nil, notCoordinator(asBroker(err, "commit offsets", "group "+r.Group))
	}
	var res command.OffsetResult
	if err := res.Decode(out); err != nil {
		return nil, broker.Errorf(broker.CodeInternal, "commit offsets", "group "+r.Group, "%w", err)
	}
	if res.Code != broker.CodeNone {
		return nil, broker.Refuse(res.Code, "commit offsets", "group "+r.Group)
	}
	for i, code := range res.Codes {
		if code != broker.CodeNone && i < len(at) {
			errs[at[i]] = broker.Refuse(code, "commit offsets", "group "+r.Group)
		}
	}
	return errs, nil
}

// notCoordinator renames a lost leadership as group clients know it.
func notCoordinator(err error) error {
	if broker.CodeOf(err) == broker.CodeNotLeader {
		return broker.Errorf(broker.CodeNotCoordinator, "group", "", "%w", err)
	}
	return err
}

func (e *Engine) committedTopic(ctx context.Context, o broker.CommitOffset) (broker.TopicRef, error) {
	t, err := e.FindTopic(ctx, o.Topic, o.TopicID)
	if err == nil && (o.Partition < 0 || o.Partition >= t.Partitions) {
		err = broker.Refuse(broker.CodeUnknownTopic, "commit offsets", "topic "+t.Name)
	}
	return t, err
}

// FetchOffsets gives committed offsets after a read index.
func (e *Engine) FetchOffsets(ctx context.Context, q *broker.FetchOffsets) ([]broker.CommittedOffset, error) {
	c, err := e.coordinating(q.Group, "fetch offsets")
	if err != nil {
		return nil, err
	}
	if err := e.barrier(ctx, c.l.shard, "fetch offsets", "group "+q.Group); err != nil {
		return nil, err
	}
	if q.Stable {
		c.l.awaitStable(ctx, q.Group, q.Partitions)
	}
	answer := func(sure bool) ([]broker.CommittedOffset, bool) {
		resolve := e.resolver()
		c.l.r.mu.RLock()
		defer c.l.r.mu.RUnlock()
		if !sure && (c.l.r.grps.Doubtful(q.Group, q.Partitions, resolve) || actCatalogDoubted.Now()) {
			return nil, false
		}
		got := c.l.r.grps.Fetch(q.Group, q.Partitions, resolve)
		if q.Stable {
			c.l.refuseUnstableLocked(q.Group, got, resolve)
		}
		return got, true
	}
	out, ok := answer(false)
	if !ok {
		// This node's catalog may lack the topic of a position that the group has. Told
		// that there is none, the consumer would start anew.
		if err := e.freshView(ctx); err != nil {
			return nil, err
		}
		out, _ = answer(true)
	}
	return out, nil
}

// DescribeGroup describes a group as the coordinator sees it.
func (e *Engine) DescribeGroup(ctx context.Context, name string) (*broker.GroupDescription, error) {
	c, err := e.coordinating(name, "describe group")
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	d, ok := c.c.Describe(name)
	c.mu.Unlock()
	if ok {
		return d, nil
	}
	if err := e.barrier(ctx, c.l.shard, "describe group", "group "+name); err != nil {
		return nil, err
	}
	c.l.r.mu.RLock()
	defer c.l.r.mu.RUnlock()
	if s, ok := c.l.r.grps.Group(name); ok {
		return s.Description(), nil
	}
	return nil, broker.Refuse(broker.CodeGroupNotFound, "describe group", "group "+name)
}

// ListGroups lists the groups that this node coordinates.
func (e *Engine) ListGroups(context.Context) ([]broker.GroupListing, error) {
	e.mu.Lock()
	ls := make([]*lead, 0, len(e.leads))
	for _, l := range e.leads {
		if l.groups != nil {
			ls = append(ls, l)
		}
	}
	e.mu.Unlock()
	var out []broker.GroupListing
	for _, l := range ls {
		seen := map[string]bool{}
		l.groups.mu.Lock()
		for _, x := range l.groups.c.List() {
			seen[x.Group] = true
			out = append(out, x)
		}
		l.groups.mu.Unlock()
		l.r.mu.RLock()
		for _, s := range l.r.grps.Groups() {
			if !seen[s.Group] {
				d := s.Description()
				out = append(out, broker.GroupListing{Group: s.Group, ProtocolType: s.ProtocolType, State: d.State})
			}
		}
		l.r.mu.RUnlock()
	}
	slices.SortFunc(out, func(a, b broker.GroupListing) int { return cmp.Compare(a.Group, b.Group) })
	return out, nil
}

// DeleteOffsets forgets positions of a group. Apply judges by the stored group: what its members consume stays.
func (e *Engine) DeleteOffsets(ctx context.Context, client broker.Client, name string, ps []broker.TopicPartition) ([]error, error) {
	const op = "delete offsets"
	c, err := e.coordinating(name, op)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(ps))
	cmd := command.OffsetDelete{Group: name, Slot: uint32(c.slot), SlotVersion: c.version}
	var at []int // of each position sent, its place in errs
	for i, p := range ps {
		t, err := e.FindTopic(ctx, p.Topic, broker.TopicID{})
		if err != nil {
			errs[i] = err
			continue
		}
		at = append(at, i)
		cmd.Offsets = append(cmd.Offsets, command.OffsetDeleteItem{TopicID: t.ID, Topic: t.Name, Partition: p.Partition})
	}
	out, err := e.propose(ctx, c.l.shard, c.l.term, cmd.AppendTo(nil))
	if err != nil {
		return nil, notCoordinator(asBroker(err, op, "group "+name))
	}
	var res command.OffsetResult
	if err := res.Decode(out); err != nil {
		return nil, broker.Errorf(broker.CodeInternal, op, "group "+name, "%w", err)
	}
	if res.Code != broker.CodeNone {
		return nil, broker.Refuse(res.Code, op, "group "+name)
	}
	for i, code := range res.Codes {
		if code != broker.CodeNone && i < len(at) {
			errs[at[i]] = broker.Refuse(code, op, "group "+name)
		}
	}
	e.log.Info("offsets deleted", "group", name, "positions", len(at), "principal", client.Principal)
	return errs, nil
}

// DeleteGroup deletes an empty group and its offsets.
func (e *Engine) DeleteGroup(ctx context.Context, client broker.Client, name string) error {
	c, err := e.coordinating(name, "delete group")
	if err != nil {
		return err
	}
	cmd := command.GroupDelete{Group: name, Slot: uint32(c.slot), SlotVersion: c.version}
	out, err := e.propose(ctx, c.l.shard, c.l.term, cmd.AppendTo(nil))
	if err != nil {
		return notCoordinator(asBroker(err, "delete group", "group "+name))
	}
	var res command.GroupResult
	if err := res.Decode(out); err != nil {
		return broker.Errorf(broker.CodeInternal, "delete group", "group "+name, "%w", err)
	}
	if res.Code != broker.CodeNone {
		return broker.Refuse(res.Code, "delete group", "group "+name)
	}
	e.log.Info("group deleted", "group", name, "principal", client.Principal)
	return nil
}

package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/group"
)

// groups drives the pure coordinator of one leadership: it passes events in with the
// time, proposes what is to be stored, and hands replies to those who wait.
type groups struct {
	l     *lead
	start time.Time

	mu      sync.Mutex
	c       *group.Coordinator
	waiting map[group.Waiter]chan group.Reply
	next    group.Waiter
	closed  bool
	timer   *time.Timer
}

func newGroups(l *lead) *groups {
	cfg := group.DefaultConfig()
	cfg.InitialRebalanceDelay = l.e.opt.GroupInitialDelay.Milliseconds()
	g := &groups{l: l, start: time.Now(), c: group.NewCoordinator(cfg), waiting: map[group.Waiter]chan group.Reply{}}
	l.r.mu.RLock()
	stored := l.r.grps.Groups()
	l.r.mu.RUnlock()
	for _, s := range stored {
		g.step(group.Load{Group: s.Group, State: s})
	}
	return g
}

// step handles one event. Proposals go out after the lock is released: proposing may wait.
func (g *groups) step(ev group.Event) {
	g.mu.Lock()
	stores := g.stepLocked(ev)
	g.mu.Unlock()
	for _, s := range stores {
		g.store(s)
	}
}

func (g *groups) stepLocked(ev group.Event) (stores []group.Store) {
	if g.closed {
		return nil
	}
	for _, ef := range g.c.Step(time.Since(g.start).Milliseconds(), ev) {
		switch ef := ef.(type) {
		case group.Reply:
			if ch, ok := g.waiting[ef.Waiter]; ok {
				delete(g.waiting, ef.Waiter)
				ch <- ef
			}
		case group.Store:
			stores = append(stores, ef)
		}
	}
	g.armLocked()
	return stores
}

// armLocked sets the timer to the coordinator's next deadline.
func (g *groups) armLocked() {
	at, ok := g.c.NextDeadline()
	if !ok {
		return
	}
	d := time.Until(g.start.Add(time.Duration(at) * time.Millisecond))
	if g.timer != nil {
		g.timer.Stop()
	}
	g.timer = time.AfterFunc(max(d, 0), func() { g.step(group.Tick{}) })
}

// store proposes a group's state and reports what became of it.
func (g *groups) store(s group.Store) {
	e, l := g.l.e, g.l
	slot, owner := e.view.Load().Owner(s.State.Group)
	cmd := command.GroupStore{Group: s.State.Group, Slot: uint32(slot), SlotVersion: owner.Version,
		Generation: s.State.Generation, ExpectedVersion: s.Expect, State: s.State.AppendTo(nil)}
	ctx, cancel := context.WithTimeout(l.ctx, adminTimeout)
	e.proposeAsync(ctx, l.shard, l.term, cmd.AppendTo(nil), nil, func(out []byte, err error) {
		cancel()
		ev := group.Stored{Group: s.State.Group, ID: s.ID, Code: broker.CodeOutcomeUnknown}
		if err != nil {
			ev.Code = broker.CodeOf(asBroker(err, "store group", s.State.Group))
		} else {
			var r command.GroupResult
			if r.Decode(out) == nil && !actGroupStoreUnknown.Now() {
				ev.Code, ev.Version = r.Code, r.Version
			}
		}
		// Not on this goroutine: it may be the one that applies.
		e.spawn(func(context.Context) { g.stored(ev) })
	})
}

// stored reports; after a failure the coordinator gets what is applied, once that is sure.
func (g *groups) stored(ev group.Stored) {
	g.step(ev)
	if ev.Code == broker.CodeNone || g.l.ctx.Err() != nil {
		return
	}
	g.l.e.log.Warn("group state not stored", "group", ev.Group, "code", ev.Code)
	for g.l.ctx.Err() == nil {
		if g.l.e.barrier(g.l.ctx, g.l.shard, "load group", ev.Group) == nil {
			break
		}
		sleep(g.l.ctx, 100*time.Millisecond)
	}
	g.l.r.mu.RLock()
	s, _ := g.l.r.grps.Group(ev.Group)
	g.l.r.mu.RUnlock()
	g.step(group.Load{Group: ev.Group, State: s})
}

// close answers everyone who waits and ends the timers.
func (g *groups) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.stepLocked(group.Close{})
	g.closed = true
	if g.timer != nil {
		g.timer.Stop()
	}
	for w, ch := range g.waiting { // the order does not matter: each has its own channel
		ch <- group.Reply{Waiter: w, Err: broker.Refuse(broker.CodeNotCoordinator, "group", "")}
		delete(g.waiting, w)
	}
}

// ask passes a request in and waits for its reply.
func (g *groups) ask(ctx context.Context, event func(group.Waiter) group.Event) (group.Reply, error) {
	ch := make(chan group.Reply, 1)
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return group.Reply{}, broker.Refuse(broker.CodeNotCoordinator, "group", "")
	}
	g.next++
	w := g.next
	g.waiting[w] = ch
	stores := g.stepLocked(event(w))
	g.mu.Unlock()
	for _, s := range stores {
		g.store(s)
	}
	select {
	case r := <-ch:
		return r, r.Err
	case <-ctx.Done():
		g.mu.Lock()
		delete(g.waiting, w)
		g.mu.Unlock()
		return group.Reply{}, broker.Errorf(broker.CodeUnavailable, "group", "", "%w", ctx.Err())
	}
}

// groupsDropped tells the coordinator that the applied state forgot groups.
func (e *Engine) groupsDropped(s broker.ShardID, names []string) {
	if len(names) == 0 {
		return
	}
	l, ok := e.leadOf(s)
	if !ok || l.groups == nil {
		return
	}
	e.spawn(func(context.Context) {
		for _, n := range names {
			l.groups.step(group.Deleted{Group: n})
		}
	})
}

// coordination is where a group is coordinated on this node.
type coordination struct {
	*groups
	slot    catalog.Slot
	version uint64
}

// coordinating finds the coordinator of a group here, or refuses.
func (e *Engine) coordinating(name, op string) (coordination, error) {
	if name == "" {
		return coordination{}, broker.Errorf(broker.CodeInvalidGroup, op, "", "the group id is empty")
	}
	slot, owner := e.view.Load().Owner(name)
	term, ok := e.host.Leading(uint64(owner.Shard))
	l, has := e.leadOf(owner.Shard)
	switch {
	case !ok:
		return coordination{}, broker.Refuse(broker.CodeNotCoordinator, op, "group "+name)
	case !has || l.term != term:
		return coordination{}, broker.Refuse(broker.CodeCoordinatorLoading, op, "group "+name)
	}
	return coordination{groups: l.groups, slot: slot, version: owner.Version}, nil
}

// Coordinator finds the node that coordinates a group.
func (e *Engine) Coordinator(_ context.Context, name string) (broker.Node, error) {
	v := e.view.Load()
	_, owner := v.Owner(name)
	if n, ok := v.Node(e.leaderOf(owner.Shard)); ok {
		return e.brokerNode(n), nil
	}
	return broker.Node{}, broker.Errorf(broker.CodeUnavailable, "find coordinator", "group "+name, "%s has no leader", shardName(owner.Shard))
}

// unique is the random tail of a new member's id.
func unique() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

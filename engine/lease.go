package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// lease is this node's right to have consumers on one shard. It is renewed in time by a command; the shard ends it by its own,
// replicated clock, and takes back what the node's consumers hold. This node stops delivering some time before that: what it
// delivered is settled by it alone.
type lease struct {
	e     *Engine
	shard broker.ShardID
	run   uint64 // the lease's name: one that was lost is never had again

	mu       sync.Mutex
	until    time.Time
	lost     bool
	sessions map[*session]bool
}

// leases are this node's, by shard.
type leases struct {
	mu     sync.Mutex
	shards map[broker.ShardID]*leaseSlot
}

// leaseSlot lets one goroutine at a time begin a lease of a shard.
type leaseSlot struct {
	mu  sync.Mutex
	now *lease
}

func (x *leases) slot(shard broker.ShardID) *leaseSlot {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.shards[shard]
	if s == nil {
		s = &leaseSlot{}
		x.shards[shard] = s
	}
	return s
}

// lease gives a session the node's lease of a shard, and begins it if there is none.
func (e *Engine) lease(ctx context.Context, shard broker.ShardID, s *session) (*lease, error) {
	slot := e.leases.slot(shard)
	slot.mu.Lock()
	defer slot.mu.Unlock()
	if slot.now != nil && slot.now.join(s) {
		return slot.now, nil
	}
	if _, here := e.replica(shard); !here {
		return nil, broker.Errorf(broker.CodeUnavailable, "lease", shardName(shard), "%w: consume over one that has", errNoReplica)
	}
	l := &lease{e: e, shard: shard, run: randomRun(), sessions: map[*session]bool{}}
	if err := l.renew(ctx, false); err != nil {
		return nil, err
	}
	l.join(s)
	slot.now = l
	if !e.spawn(l.keep) {
		return nil, broker.Refuse(broker.CodeShuttingDown, "lease", shardName(shard))
	}
	return l, nil
}

// join notes that a session's consumers live by the lease; false if it is lost.
func (l *lease) join(s *session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost || !time.Now().Before(l.until) {
		return false
	}
	l.sessions[s] = true
	return true
}

// leave is the reverse of join.
func (l *lease) leave(s *session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, s)
}

// valid says whether something may be delivered by the lease now.
func (l *lease) valid() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lost && time.Now().Before(l.until)
}

// renew asks for more time, counted from before it was asked for.
func (l *lease) renew(ctx context.Context, again bool) error {
	began := time.Now()
	c := command.QueueLease{Node: l.e.opt.Node, Run: l.run, HoldMs: uint64(l.e.opt.ConsumerLease.Milliseconds()), Renew: again}
	out, err := l.e.propose(ctx, l.shard, 0, c.AppendTo(nil))
	if err != nil {
		return asUnavailable(err, "lease", shardName(l.shard))
	}
	var r command.QueueResult
	if err := r.Decode(out); err != nil {
		return broker.Errorf(broker.CodeInternal, "lease", shardName(l.shard), "result: %w", err)
	}
	if r.Code != broker.CodeNone {
		return broker.Refuse(r.Code, "lease", shardName(l.shard))
	}
	l.mu.Lock()
	l.until = began.Add(l.e.usableLease())
	l.mu.Unlock()
	return nil
}

// keep renews the lease until it is lost or the node stops.
func (l *lease) keep(ctx context.Context) {
	for {
		sleep(ctx, l.e.opt.ConsumerLease/leaseRenewals)
		l.mu.Lock()
		until, lost := l.until, l.lost
		l.mu.Unlock()
		if ctx.Err() != nil || lost || l.idle() {
			return
		}
		c, cancel := context.WithDeadline(ctx, until)
		err := l.renew(c, true)
		cancel()
		switch {
		case err == nil, ctx.Err() != nil:
		case broker.CodeOf(err) == broker.CodeSessionLost:
			l.lose(errors.New("the shard gave this node's consumers up"))
			return
		case !time.Now().Before(until):
			l.lose(fmt.Errorf("the shard was not reached for %v", l.e.usableLease()))
			return
		}
	}
}

// lose ends the sessions that live by the lease.
func (l *lease) lose(why error) {
	l.mu.Lock()
	if l.lost {
		l.mu.Unlock()
		return
	}
	l.lost = true
	sessions := l.sessions
	l.sessions = nil
	l.mu.Unlock()
	l.e.log.Warn("lease lost: connections with consumers there are closed", "shard", l.shard, "connections", len(sessions), "why", why)
	for s := range sessions { //lint:sorted each ends on its own
		s.end(why)
	}
}

// idle ends the lease if no session lives by it.
func (l *lease) idle() bool {
	slot := l.e.leases.slot(l.shard)
	slot.mu.Lock()
	defer slot.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sessions) > 0 {
		return false
	}
	l.lost = true
	c := command.QueueLease{Node: l.e.opt.Node, Run: l.run, Renew: true}
	l.e.proposeAsync(l.e.ctx, l.shard, 0, c.AppendTo(nil), nil, func([]byte, error) {})
	return true
}

// loseLease ends this node's lease of a shard, if it has one.
func (e *Engine) loseLease(shard broker.ShardID, why error) {
	slot := e.leases.slot(shard)
	slot.mu.Lock()
	l := slot.now
	slot.mu.Unlock()
	if l != nil {
		l.lose(why)
	}
}

// usableLease is how long something is delivered by a lease after it was asked for.
func (e *Engine) usableLease() time.Duration {
	return e.opt.ConsumerLease - e.opt.ConsumerLease/leaseMarginShare
}

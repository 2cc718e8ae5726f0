package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/queueing"
)

// tell hands what apply decided about consumers of this node to them.
func (r *replica) tell(f queueing.Effects) {
	if f.Owned {
		r.owned.Add(1)
	}
	if l, ok := r.e.leadOf(r.shard); ok && f.Died {
		select {
		case l.died <- struct{}{}:
		default:
		}
	}
	var mine []queueing.Delivery
	for i := range f.Deliveries {
		if f.Deliveries[i].Node == r.e.opt.Node {
			mine = append(mine, f.Deliveries[i])
		}
	}
	r.e.offer(mine)
	for _, x := range f.Ended {
		if x.Node == r.e.opt.Node {
			r.e.finish(x.Consumer, broker.Errorf(broker.CodeUnknownQueue, "consume", "", "the queue was deleted"))
		}
	}
}

// retell hands this node's consumers what they have not had, after the state was replaced: what was assigned in between was
// told to nobody here.
func (r *replica) retell() {
	r.mu.RLock()
	if r.lines == nil {
		r.mu.RUnlock()
		return
	}
	ds := r.lines.Outstanding(r.e.opt.Node)
	r.mu.RUnlock()
	r.e.offer(ds)
}

// tickQueues does, slice by slice, what time left to do in queues.
func (l *lead) tickQueues() {
	for l.ctx.Err() == nil {
		l.r.mu.RLock()
		due := l.r.lines.Due(l.e.host.Clock(uint64(l.shard)))
		l.r.mu.RUnlock()
		if !due {
			return
		}
		cmd := command.QueueTick{Budget: uint32(actSweepSmall.Most(sweepBudget))}
		out, ok := l.decide("tick queues", cmd.AppendTo(nil))
		if !ok {
			return
		}
		var res command.QueueTickResult
		if err := res.Decode(out); err != nil || !res.More {
			return
		}
	}
}

// keepClock sees to it that the shard's log is told the time at least every clockLagMax, as long as time matters to what is there:
// commands of other nodes do not bring any.
func (l *lead) keepClock(ctx context.Context) {
	for l.ctx.Err() == nil {
		sleep(l.ctx, clockLagMax)
		l.r.mu.RLock()
		matters := l.r.lines.Len() > 0 || l.r.txns.IDs().Len() > 0
		l.r.mu.RUnlock()
		if told := l.r.clock.Load() + uint64(clockLagMax.Milliseconds()); !matters || l.e.host.Clock(uint64(l.shard)) < told {
			continue
		}
		cmd := command.QueueTick{}
		l.decide("tell the time", cmd.AppendTo(nil))
	}
}

// reconcileQueues makes the shard own exactly the queues that the catalog gives it, and the catalog forget those that ended
// here: with their last consumer, with their session, or by a client whose node died before it told the catalog.
func (l *lead) reconcileQueues() {
	v := l.e.view.Load()
	if v.Version() == 0 {
		return
	}
	l.r.mu.RLock()
	here, dropped := l.r.lines.Queues()
	l.r.mu.RUnlock()
	want := map[broker.QueueID]*catalog.Queue{}
	for _, q := range v.QueuesOf(l.shard) {
		want[q.ID] = q
	}
	unknown := false
	for _, id := range here {
		unknown = unknown || want[id] == nil
		delete(want, id)
	}
	for _, id := range dropped {
		if q := want[id]; q != nil {
			if err := l.e.forgetQueue(l.ctx, q); err != nil {
				l.e.log.Warn("queue that ended is still in the catalog", "queue", q.Spec.Name, "err", err)
			}
			delete(want, id)
		}
	}
	l.createQueues(want)
	if !unknown && len(dropped) == 0 {
		return
	}
	l.forgetQueues(here, dropped)
}

// createQueues creates what the catalog has and the shard does not. An exclusive queue only its session creates: if that did
// not within a while, it never will.
func (l *lead) createQueues(want map[broker.QueueID]*catalog.Queue) {
	missing := map[broker.QueueID]time.Time{}
	for _, id := range sortedQueues(want) {
		q := want[id]
		if q.Spec.Exclusive {
			since, known := l.queuesMissing[id]
			if !known {
				since = time.Now()
			}
			if missing[id] = since; time.Since(since) > exclusiveWait {
				if err := l.e.forgetQueue(l.ctx, q); err != nil {
					l.e.log.Warn("exclusive queue of a lost connection is still in the catalog", "queue", q.Spec.Name, "err", err)
				}
			}
			continue
		}
		settings, err := settingsOf(q.Host, &q.Spec)
		if err != nil {
			l.e.log.Error("queue in the catalog with arguments that this version does not know", "queue", q.Spec.Name, "err", err)
			continue
		}
		cmd := command.QueueCreate{Queue: uint64(q.ID), Host: q.Host, Name: q.Spec.Name, Config: settings.config}
		l.decide("create queue", cmd.AppendTo(nil))
	}
	l.queuesMissing = missing
}

// forgetQueues drops queues that the catalog does not have, and forgets that dropped ones were there. They were seen here
// before the catalog is looked at, linearizably: to an older view one that was made since looks the same.
func (l *lead) forgetQueues(here, dropped []broker.QueueID) {
	if err := l.e.freshView(l.ctx); err != nil {
		return
	}
	known := map[broker.QueueID]bool{}
	for _, q := range l.e.view.Load().QueuesOf(l.shard) {
		known[q.ID] = true
	}
	for _, id := range here {
		if !known[id] {
			cmd := command.QueueDrop{Queue: uint64(id)}
			l.decide("drop queue", cmd.AppendTo(nil))
		}
	}
	for _, id := range dropped {
		if !known[id] {
			cmd := command.QueueForget{Queue: uint64(id)}
			l.decide("forget queue", cmd.AppendTo(nil))
		}
	}
}

func sortedQueues(m map[broker.QueueID]*catalog.Queue) []broker.QueueID {
	return slices.Sorted(maps.Keys(m))
}

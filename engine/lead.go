package engine

import (
	"context"
	"sync"
	"time"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/partition"
)

// lead is this node's leadership of one shard in one term: the group coordinator and the
// duties that only a leader has. What it decides carries the term, so that a
// leadership that ended unnoticed decides nothing.
type lead struct {
	e      *Engine
	r      *replica
	shard  broker.ShardID
	term   uint64
	ctx    context.Context
	cancel context.CancelFunc
	poked  chan struct{} // capacity 1
	died   chan struct{} // capacity 1: messages of queues wait to be sent on
	groups *groups

	// accepted is how many connections the node had accepted when the leadership began.
	accepted   uint64
	enlists    enlists
	flights    flights
	deliveries *deliveries

	// The catalog's version and the replica's owned at which there was nothing to reconcile.
	agreedView, agreedOwned uint64

	// compactDebt is how long compaction has still to wait for what it read. Only compactLogs touches it.
	compactDebt time.Duration

	// queuesMissing says since when exclusive queues are in the catalog and not here. Only the loop touches it.
	queuesMissing map[broker.QueueID]time.Time

	// What the last check told, for the next one to name.
	checkAt, checkDigest uint64
}

// Leadership hears every change of leadership: for consensus.Options.
func (e *Engine) Leadership(c consensus.LeaderChange) {
	shard := broker.ShardID(c.Shard)
	e.log.Debug("leadership", "shard", c.Shard, "term", c.Term, "leader", c.Node, "leading", c.Leading)
	r, _ := e.replica(shard)
	var l *lead
	if c.Leading && r != nil && e.ctx.Err() == nil {
		l = newLead(e, r, c.Term)
	}
	e.mu.Lock()
	old := e.leads[shard]
	e.shifts[shard] = time.Now()
	if l == nil {
		delete(e.leads, shard)
	} else {
		e.leads[shard] = l
	}
	e.mu.Unlock()
	if old != nil {
		old.stop()
	}
	if l != nil {
		e.spawn(func(context.Context) { l.run() })
		if shard != catalog.CatalogShard {
			e.spawn(func(context.Context) { l.compactLogs() })
			e.spawn(l.keepClock)
			e.spawn(l.sendDeadLetters)
		}
	}
	// Whoever waits for records here must look again: this node may not lead any more.
	e.watch.wakeAll()
	e.shifted.fire()
}

func newLead(e *Engine, r *replica, term uint64) *lead {
	l := &lead{e: e, r: r, shard: r.shard, term: term, poked: make(chan struct{}, 1), died: make(chan struct{}, 1), accepted: e.accepted.Load()}
	l.ctx, l.cancel = context.WithCancel(e.ctx)
	if r.grps != nil {
		// What the last leader's check noted is compared at once, not after the next but one.
		noted := r.noted()
		l.checkAt, l.checkDigest = noted.At, noted.Digest
		l.groups = newGroups(l)
		l.deliveries = newDeliveries(l)
	}
	return l
}

// stop ends the leadership's duties; it does not wait.
func (l *lead) stop() {
	l.cancel()
	if l.groups != nil {
		l.groups.close()
	}
}

// poke makes the loop look again now.
func (l *lead) poke() {
	select {
	case l.poked <- struct{}{}:
	default:
	}
}

// leadOf finds the leadership of a shard, if this node has it.
func (e *Engine) leadOf(s broker.ShardID) (*lead, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l, ok := e.leads[s]
	return l, ok
}

// run does the duties: at once, when poked, and at every pulse.
func (l *lead) run() {
	pulse := time.NewTicker(leadEvery)
	defer pulse.Stop()
	var retained, swept, checked time.Time
	if l.deliveries != nil {
		l.deliveries.begin()
	}
	for l.ctx.Err() == nil {
		l.maybeHandOver(actLeadershipHandedOver)
		if l.shard == catalog.CatalogShard {
			l.e.bootstrap(l.ctx, l.term)
		} else {
			l.reconcile()
			l.reconcileQueues()
			l.expireTransactions()
			l.sweep()
			l.tickQueues()
			l.yieldForSpace()
			if time.Since(retained) >= l.e.opt.RetentionCheck {
				l.retain()
				retained = time.Now()
			}
			if time.Since(checked) >= checkEvery {
				l.check()
				checked = time.Now()
			}
			if time.Since(swept) >= groupSweepEvery {
				l.sweepGroups()
				swept = time.Now()
			}
		}
		select {
		case <-l.ctx.Done():
			return
		case <-l.poked:
		case <-pulse.C:
		}
	}
}

// decide proposes a leader's decision and waits for its result; errors are logged and
// the duty is done again later.
func (l *lead) decide(what string, cmd []byte) ([]byte, bool) {
	out, err := l.e.propose(l.ctx, l.shard, l.term, cmd)
	if err != nil {
		if l.ctx.Err() == nil {
			l.e.log.Warn("leader's decision not applied, will be tried again", "shard", l.shard, "what", what, "err", err)
		}
		return nil, false
	}
	return out, true
}

// reconcile makes the shard own exactly the partitions that the catalog gives it, with
// their configuration. As long as neither changed since they agreed, there is nothing to do.
func (l *lead) reconcile() {
	v, owned := l.e.view.Load(), l.r.owned.Load()
	if v.Version() == 0 || v.Version() == l.agreedView && owned == l.agreedOwned {
		return
	}
	agreed := true
	want := map[broker.Partition]partitionConfig{}
	for _, p := range v.PartitionsOf(l.shard) {
		if t, ok := v.TopicByID(p.Topic); ok {
			want[p] = partitionConfigOf(t)
		}
	}
	heads := l.r.headsNow()
	var unknown []broker.Partition
	for i := range heads {
		h := &heads[i]
		cfg, ok := want[h.Partition]
		switch {
		case !ok:
			agreed = false
			unknown = append(unknown, h.Partition)
		case cfg.basic.Version > h.Config.Version:
			agreed = false
			cmd := command.PartitionConfigure{Topic: h.Partition.Topic, Partition: h.Partition.Index, Config: cfg.basic, Compaction: cfg.compaction}
			l.decide("configure partition", cmd.AppendTo(nil))
		}
		delete(want, h.Partition)
	}
	l.deleteGone(unknown)
	missing := make([]broker.Partition, 0, len(want))
	for _, p := range v.PartitionsOf(l.shard) {
		if _, ok := want[p]; ok {
			missing = append(missing, p)
		}
	}
	if agreed && len(missing) == 0 {
		l.agreedView, l.agreedOwned = v.Version(), owned
		return
	}
	var wg sync.WaitGroup
	for i, p := range missing {
		cmd := command.PartitionCreate{Topic: p.Topic, Partition: p.Index, Config: want[p].basic, Compaction: want[p].compaction}
		wg.Add(1)
		l.e.proposeAsync(l.ctx, l.shard, l.term, cmd.AppendTo(nil), nil, func([]byte, error) { wg.Done() })
		if (i+1)%createChunk == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
}

// deleteGone deletes those partitions of the shard that the catalog does not have any
// more. They were seen in the shard before the catalog is looked at, linearizably: to
// an older view a partition that another leader has made since looks like one that is
// gone, with all that was acknowledged in it.
func (l *lead) deleteGone(ps []broker.Partition) {
	if len(ps) == 0 {
		return
	}
	if err := l.e.freshView(l.ctx); err != nil {
		if l.ctx.Err() == nil {
			l.e.log.Warn("partitions unknown to this node's catalog are kept until it can be read", "shard", l.shard, "partitions", len(ps), "err", err)
		}
		return
	}
	v := l.e.view.Load()
	for _, p := range ps {
		if t, ok := v.TopicByID(p.Topic); ok && int(p.Index) < len(t.Shards) && t.Shards[p.Index] == l.shard {
			continue
		}
		cmd := command.PartitionDelete{Topic: p.Topic, Partition: p.Index}
		l.decide("delete partition", cmd.AppendTo(nil))
	}
}

// retain moves log starts as the topics' retention says.
func (l *lead) retain() {
	if err := l.e.clockSane(); err != nil {
		l.e.log.Error("retention is suspended: nothing is deleted by a clock that may be wrong", "shard", l.shard, "err", err)
		return
	}
	now := l.e.clock.now()
	heads := l.r.headsNow()
	for i := range heads {
		if l.ctx.Err() != nil {
			return
		}
		h := &heads[i]
		cmd, ok, err := partition.Retain(l.r.rows, h, now)
		if err != nil {
			l.e.log.Error("retention: rows not readable", "partition", h.Partition, "err", err)
			continue
		}
		if ok {
			l.decide("trim", cmd.AppendTo(nil))
		}
	}
}

// sweep frees, slice by slice, what was trimmed, deleted or has expired.
func (l *lead) sweep() {
	expire := l.e.opt.ProducerExpiry.Milliseconds()
	for l.ctx.Err() == nil {
		l.r.mu.RLock()
		due := l.r.parts.SweepDue(l.e.host.Clock(uint64(l.shard)), expire)
		l.r.mu.RUnlock()
		if !due {
			return
		}
		cmd := command.Sweep{Budget: uint32(actSweepSmall.Most(sweepBudget)), ProducerExpireMs: expire}
		out, ok := l.decide("sweep", cmd.AppendTo(nil))
		if !ok {
			return
		}
		var res command.SweepResult
		if err := res.Decode(out); err != nil || !res.More {
			return
		}
	}
}

// sweepGroups forgets expired offsets and empty groups.
func (l *lead) sweepGroups() {
	for l.ctx.Err() == nil {
		cmd := command.GroupSweep{Budget: uint32(actSweepSmall.Most(sweepBudget)), OffsetsRetentionMs: l.e.opt.OffsetsRetention.Milliseconds(), DeletedTopics: l.goneTopics()}
		out, ok := l.decide("sweep groups", cmd.AppendTo(nil))
		if !ok {
			return
		}
		var res command.GroupResult
		if err := res.Decode(out); err != nil || res.Version == 0 {
			return
		}
	}
}

// goneTopics lists topics that have offsets here and are not in the catalog any more. The
// offsets are looked at first and the catalog, linearizably, afterwards: the other way
// round a topic that was made in between would be called gone.
func (l *lead) goneTopics() []broker.TopicID {
	l.r.mu.RLock()
	have := l.r.grps.Topics()
	l.r.mu.RUnlock()
	if len(have) == 0 || l.e.freshView(l.ctx) != nil {
		return nil
	}
	v := l.e.view.Load()
	var gone []broker.TopicID
	for _, id := range have {
		if _, ok := v.TopicByID(id); !ok {
			gone = append(gone, id)
		}
	}
	return gone
}

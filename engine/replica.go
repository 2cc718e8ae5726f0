package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/group"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/engine/queueing"
	"github.com/tallymq/tallymq/engine/store"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// replica is one replica's state: pure machines in memory, their rows in the store. The
// catalog's shard has only the catalog, every other shard only partitions, groups and transactional ids.
//
// Apply runs on one goroutine of consensus. Readers see heads published after the rows
// were committed, and groups under the lock.
type replica struct {
	e     *Engine
	shard broker.ShardID
	id    uint64
	rows  *store.Replica

	mu    sync.RWMutex // guards what follows; written only by apply, install and open
	parts *partition.Machine
	cat   *catalog.Machine
	grps  *group.Machine
	txns  *transaction.Machine
	lines *queueing.Machine
	heads map[broker.Partition]*partition.Head // as of the last commit

	term    atomic.Uint64 // greatest leader term applied
	applied atomic.Uint64
	clock   atomic.Uint64 // replicated time of the last command, ms
	decides bool          // the batch that is applied has commands of transactions; only apply touches it
	settled *broadcast    // after each batch that has
	owned   atomic.Uint64 // grows after each change of which partitions there are and how they are configured

	cleaning cleaning // only apply touches it
}

var _ consensus.Machine = (*replica)(nil)

func newReplica(e *Engine, shard, id uint64) *replica {
	return &replica{e: e, shard: broker.ShardID(shard), id: id, rows: e.opt.Store.Replica(shard, id), settled: newBroadcast(), heads: map[broker.Partition]*partition.Head{}}
}

// Open loads the machines from what is durable.
func (r *replica) Open(<-chan struct{}) (uint64, []byte, error) {
	applied, meta, err := r.rows.Open()
	if err != nil {
		return 0, nil, fmt.Errorf("open %v: %w", r, err)
	}
	if err := r.load(applied); err != nil {
		return 0, nil, err
	}
	r.e.mu.Lock()
	r.e.replicas[r.shard] = r
	r.e.mu.Unlock()
	return applied, meta, nil
}

// load makes the machines equal to the rows.
func (r *replica) load(applied uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	if r.shard == catalog.CatalogShard {
		if r.cat, err = catalog.Load(r.rows); err != nil {
			return fmt.Errorf("load %v: %w", r, err)
		}
	} else {
		if r.parts, err = partition.Load(partition.Options{}, r.rows); err != nil {
			return fmt.Errorf("load %v: %w", r, err)
		}
		if r.grps, err = group.LoadMachine(r.rows); err != nil {
			return fmt.Errorf("load %v: %w", r, err)
		}
		if r.txns, err = transaction.Load(coordinator.Default(), r.rows); err != nil {
			return fmt.Errorf("load %v: %w", r, err)
		}
		if r.lines, err = queueing.Load(r.rows); err != nil {
			return fmt.Errorf("load %v: %w", r, err)
		}
		r.heads = make(map[broker.Partition]*partition.Head, r.parts.Len())
		r.parts.Heads(func(h partition.Head) bool {
			r.heads[h.Partition] = &h
			return true
		})
		r.term.Store(r.parts.Term())
		r.owned.Add(1)
	}
	r.applied.Store(applied)
	if r.cat != nil {
		r.e.setView(r.cat.Snapshot())
	}
	return nil
}

// Apply applies a batch of commands: machines first, then one atomic commit of all rows
// with the applied index, then the news.
//
// Nothing is durable when it returns, and need not be: Raft's log has the commands until
// Sync said otherwise. A crash anywhere in it leaves the rows of the batch before.
func (r *replica) Apply(b *consensus.ApplyBatch) error {
	batch := r.rows.NewBatch()
	results := make([]byte, 0, resultBytes*len(b.Commands)) // handed on: one allocation for all of them
	var effects []partition.Effect
	var dropped []string
	r.mu.Lock()
	for i := range b.Commands {
		c := &b.Commands[i]
		if c.Clock > r.clock.Load() {
			r.clock.Store(c.Clock)
		}
		gone, err := r.applyOne(c, batch, &results)
		if err != nil {
			r.mu.Unlock()
			batch.Discard()
			return r.applyFailed(fmt.Errorf("apply %v index %d: %w", r, c.Index, err))
		}
		dropped = append(dropped, gone...)
	}
	var queues queueing.Effects
	var failed error
	if r.parts != nil {
		if actQueuesFold.Now() {
			r.lines.FoldNext()
		}
		queues, failed = r.lines.Flush(batch, r.rows)
		effects = r.parts.Flush(batch)
	}
	r.mu.Unlock()
	if failed != nil {
		batch.Discard()
		return r.applyFailed(fmt.Errorf("flush queues of %v: %w", r, failed))
	}
	if err := r.clean(batch, effects); err != nil {
		batch.Discard()
		return fmt.Errorf("clean %v: %w", r, err)
	}
	// Nothing of the batch is visible to readers of rows until here; groups are, and
	// may be: what they show is committed by Raft.
	if err := r.rows.Commit(batch, b.Applied, b.Meta); err != nil {
		return r.applyFailed(fmt.Errorf("commit %v index %d: %w", r, b.Applied, err))
	}
	r.publish(effects)
	r.applied.Store(b.Applied)
	r.term.Store(max(r.term.Load(), b.Term))
	if r.cat != nil {
		r.e.setView(r.cat.Snapshot())
	}
	r.e.groupsDropped(r.shard, dropped)
	r.owe()
	r.tell(queues)
	if r.decides {
		r.decides = false
		r.settled.fire()
	}
	return nil
}

// owe has the leader, if it is this node, deliver what was decided: whoever proposed it.
func (r *replica) owe() {
	if r.txns == nil {
		return
	}
	names := r.txns.TakeOwing()
	if len(names) == 0 {
		return
	}
	if l, ok := r.e.leadOf(r.shard); ok && l.deliveries != nil {
		for _, name := range names {
			l.deliveries.owe(name)
		}
	}
}

// applyFailed says that the node must stop: a replica that cannot apply what is committed
// has no way on, and its rows are shared by all replicas of the node.
func (r *replica) applyFailed(err error) error {
	r.e.fail(err)
	return err
}

// applyOne gives a command to the machine that owns its kind.
func (r *replica) applyOne(c *consensus.Command, w *store.Batch, results *[]byte) (dropped []string, err error) {
	if c.LeaderStart {
		if r.parts != nil {
			r.parts.LeaderStart(c.Term)
		}
		return nil, nil
	}
	kind, err := command.KindOf(c.Body)
	if err != nil {
		return nil, err
	}
	from := len(*results)
	dst := *results
	switch {
	case r.cat != nil:
		dst, err = r.cat.Apply(dst, c.Body, w)
	case group.Owns(kind):
		ctx := group.Context{Index: c.Index, Clock: c.Clock, Wall: c.Wall, Term: c.Term}
		if dst, dropped, err = r.grps.Apply(dst, ctx, c.Body, w); err == nil {
			r.parts.Fold(c.Body, dst[from:])
		}
	case transaction.Owns(kind):
		ctx := transaction.Context{Term: c.Term, Clock: c.Clock, ClockOld: c.ClockOld}
		if dst, err = r.txns.Apply(ctx, c.Body, participants{r, c, w}, w, dst); err == nil {
			r.parts.Fold(c.Body, dst[from:])
			r.decides = true
		}
	case queueing.Owns(kind):
		var noted []byte
		ctx := queueing.Context{Index: c.Index, Position: c.Position, Clock: c.Clock, ClockOld: c.ClockOld}
		if dst, noted, err = r.lines.Apply(ctx, c.Body, dst); err == nil {
			r.parts.Fold(noted, dst[from:])
		}
	default:
		ctx := partition.Context{Index: c.Index, Position: c.Position, Term: c.Term, Clock: c.Clock, Wall: c.Wall}
		dst, err = r.parts.Apply(ctx, c.Body, w, dst)
	}
	if err != nil {
		return nil, err
	}
	*results = dst
	c.Result = dst[from:len(dst):len(dst)]
	return dropped, nil
}

// publish shows readers the new heads and wakes those who wait for them.
func (r *replica) publish(effects []partition.Effect) {
	if len(effects) == 0 {
		return
	}
	woken := make([]broker.Partition, 0, len(effects))
	r.mu.Lock()
	for i := range effects {
		ef := &effects[i]
		switch {
		case ef.Change&partition.Diverged != 0:
			r.e.log.Error("this replica's state differs from the leader's at the same index", "shard", r.shard, "replica", r.id)
			r.e.spawn(func(ctx context.Context) { r.e.judge(ctx, r) })
		case ef.Change&partition.Deleted != 0:
			delete(r.heads, ef.Head.Partition)
			woken = append(woken, ef.Head.Partition)
		default:
			h := ef.Head
			r.heads[h.Partition] = &h
			woken = append(woken, h.Partition)
		}
		if ef.Change&(partition.Created|partition.Configured|partition.Deleted) != 0 {
			r.owned.Add(1)
		}
	}
	r.mu.Unlock()
	r.e.watch.wake(woken)
}

// head is a partition's head as of the last commit, with the epoch of the term applied.
func (r *replica) head(p broker.Partition) (partition.Head, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	h, ok := r.heads[p]
	if !ok {
		return partition.Head{}, false
	}
	x := *h
	x.Epoch = x.BaseEpoch + broker.LeaderEpoch(r.term.Load())
	return x, true
}

// headsNow lists all heads.
func (r *replica) headsNow() []partition.Head {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]partition.Head, 0, len(r.heads))
	for _, h := range r.heads {
		out = append(out, *h)
	}
	return out
}

func (r *replica) catalogView() *catalog.View {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.cat.Snapshot()
}

// Sync makes what was applied durable.
func (r *replica) Sync() error { return r.rows.Sync() }

// DurableApplied is what a power loss would leave.
func (r *replica) DurableApplied() uint64 { return r.rows.DurableApplied() }

// PrepareSnapshot fixes a view of the rows.
func (r *replica) PrepareSnapshot() (any, error) { return r.rows.View() }

// SaveSnapshot streams the view's rows and releases it.
func (r *replica) SaveSnapshot(view any, w io.Writer, stop <-chan struct{}) error {
	v := view.(*store.View)
	return errors.Join(r.rows.WriteRows(v, w, stop), v.Close())
}

// InstallSnapshot replaces all rows, atomically and durably, and loads them.
func (r *replica) InstallSnapshot(rd io.Reader, stop <-chan struct{}) (uint64, []byte, error) {
	applied, meta, err := r.rows.InstallRows(rd, stop)
	if err != nil {
		return 0, nil, err
	}
	if err := r.load(applied); err != nil {
		return 0, nil, err
	}
	r.e.watch.wakeAll()
	r.retell()
	return applied, meta, nil
}

// Missing yields the live names of a range of entries that the journal lacks.
func (r *replica) Missing(ctx context.Context, first, last uint64, has func(journal.Name) bool, yield func(journal.Name) bool) error {
	if r.shard == catalog.CatalogShard {
		return nil
	}
	v, err := r.rows.View()
	if err != nil {
		return err
	}
	err = liveNames(v, first, last, func(name journal.Name) bool {
		return ctx.Err() == nil && (has(name) || yield(name))
	})
	return errors.Join(err, v.Close(), ctx.Err())
}

// Close takes the replica out of service.
func (r *replica) Close() error {
	r.e.mu.Lock()
	if r.e.replicas[r.shard] == r {
		delete(r.e.replicas, r.shard)
	}
	r.e.mu.Unlock()
	r.e.watch.wakeAll()
	r.e.spawn(func(context.Context) { r.e.loseLease(r.shard, errNoReplica) })
	return nil
}

// String names the replica.
func (r *replica) String() string { return fmt.Sprintf("shard %d replica %d", r.shard, r.id) }

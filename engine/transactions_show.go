package engine

import (
	"context"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// DescribeTransaction shows a transactional id, after a read index.
func (e *Engine) DescribeTransaction(ctx context.Context, id string) (*broker.TransactionDescription, error) {
	const op = "describe transaction"
	t, err := e.transacting(id, op)
	if err != nil {
		return nil, err
	}
	if err := e.barrier(ctx, t.l.shard, op, transactional(id)); err != nil {
		return nil, err
	}
	t.l.r.mu.RLock()
	v, ok := t.l.r.txns.IDs().View(id)
	t.l.r.mu.RUnlock()
	if !ok {
		return nil, broker.Refuse(broker.CodeUnknownTransactionalID, op, transactional(id))
	}
	d := t.l.describe(v)
	return &d, nil
}

func (l *lead) describe(v coordinator.View) broker.TransactionDescription {
	d := broker.TransactionDescription{ID: v.Name, Producer: broker.ProducerID(v.Identity.ProducerID), Epoch: broker.ProducerEpoch(v.Identity.Epoch),
		State: broker.TransactionState(v.State.String()), Timeout: time.Duration(v.TimeoutMs) * time.Millisecond, Number: uint64(v.Number), Age: -1, Owed: v.Owed}
	switch {
	case v.Started < 0 && v.State == coordinator.Ongoing: // nobody has told the time yet: it begins with the next entry that does
		d.Age = 0
	case v.Started >= 0:
		d.Age = time.Duration(max(int64(l.e.host.Clock(uint64(l.shard)))-v.Started, 0)) * time.Millisecond
	}
	for _, p := range v.Participants {
		switch {
		case p.IsQueues():
		case p.IsGroup():
			d.Groups = append(d.Groups, p.Group)
		default:
			d.Partitions = append(d.Partitions, partitionOf(p))
		}
	}
	return d
}

// ListTransactions lists the transactional ids that this node coordinates.
func (e *Engine) ListTransactions(context.Context) ([]broker.TransactionDescription, error) {
	var all []broker.TransactionDescription
	for _, s := range e.view.Load().Shards() {
		l, ok := e.leadOf(s.ID)
		if !ok || l.deliveries == nil {
			continue
		}
		l.r.mu.RLock()
		for _, name := range l.r.txns.IDs().Names() {
			v, _ := l.r.txns.IDs().View(name)
			all = append(all, l.describe(v))
		}
		l.r.mu.RUnlock()
	}
	return all, nil
}

// DescribeProducers lists the producers that a partition remembers, after a read index.
func (e *Engine) DescribeProducers(ctx context.Context, p broker.Partition) ([]broker.ProducerDescription, error) {
	r, _, err := e.leadingNow(ctx, p, broker.NoEpoch, "describe producers")
	if err != nil {
		return nil, err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.parts.Producers(p), nil
}

// AbortProducer is AbortTransaction for who knows the id's producer, at any node: nothing happens if that is not in force any more, or its
// transaction is decided (CodeTransactionFenced, CodeInvalidTransactionState).
func (e *Engine) AbortProducer(ctx context.Context, id string, producer broker.ProducerID, epoch broker.ProducerEpoch) error {
	_, owner := e.view.Load().Owner(id)
	l, ok := e.leadOf(owner.Shard)
	if !ok {
		l = &lead{e: e, shard: owner.Shard} // it leads elsewhere, and delivers there
	}
	cmd := command.TxnForeign{ProducerID: producer, Epoch: epoch}
	return l.abort(ctx, owner.Shard, 0, cmd.AppendTo(nil), "abort transaction", transactional(id), abortedByOperator)
}

// AbortTransaction is an operator's.
func (e *Engine) AbortTransaction(ctx context.Context, c broker.Client, id string) error {
	const op = "abort transaction"
	d, err := e.DescribeTransaction(ctx, id)
	if err != nil {
		return err
	}
	t, err := e.transacting(id, op)
	if err != nil {
		return err
	}
	cmd := command.TxnAbort{Name: id, Number: d.Number}
	return t.l.abort(ctx, t.l.shard, t.l.term, cmd.AppendTo(nil), op, transactional(id), abortedByOperator)
}

// EndForeign is what tools ask that know a partition and a producer only: the hold says which coordinator to ask.
func (e *Engine) EndForeign(ctx context.Context, c broker.Client, p broker.Partition, id broker.ProducerID, epoch broker.ProducerEpoch, commit bool) error {
	const op = "end transaction of another"
	r, _, err := e.leadingNow(ctx, p, broker.NoEpoch, op)
	if err != nil {
		return err
	}
	r.mu.RLock()
	holds := r.parts.Holds(p)
	r.mu.RUnlock()
	for _, h := range holds {
		if h.ProducerID != txn.ProducerID(id) {
			continue
		}
		owner := e.view.Load().Slot(catalog.Slot(h.Coordinator))
		l, ok := e.leadOf(owner.Shard)
		if !ok {
			l = &lead{e: e, shard: owner.Shard} // it leads elsewhere, and delivers there
		}
		cmd := command.TxnForeign{ProducerID: id, Epoch: epoch, Commit: commit}
		return l.abort(ctx, owner.Shard, 0, cmd.AppendTo(nil), op, p.String(), abortedByMarkers)
	}
	return broker.Errorf(broker.CodeInvalidTransactionState, op, p.String(), "producer %d has no open transaction here", id)
}

// abort proposes a command that aborts a transaction on behalf of somebody else than its producer.
func (l *lead) abort(ctx context.Context, shard broker.ShardID, term uint64, cmd []byte, op, resource string, why abortReason) error {
	out, err := l.e.propose(ctx, shard, term, cmd)
	if err != nil {
		return notCoordinator(asUnavailable(err, op, resource)) // to abort again what was aborted changes nothing
	}
	var r command.TxnResult
	if err := r.Decode(out); err != nil {
		return broker.Errorf(broker.CodeInternal, op, resource, "%w", err)
	}
	if err := refusal(r.Refusal, op, resource); err != nil {
		return err
	}
	l.endedWithout(r.Ended, why)
	return nil
}

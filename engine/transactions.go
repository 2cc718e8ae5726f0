package engine

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
)

// Accepted numbers a connection.
func (e *Engine) Accepted() uint64 { return e.accepted.Add(1) }

// transacting is where a transactional id is coordinated on this node.
type transacting struct {
	l       *lead
	slot    catalog.Slot
	version uint64
}

// transacting finds the coordinator of a transactional id here, or refuses.
func (e *Engine) transacting(id, op string) (transacting, error) {
	if id == "" {
		return transacting{}, broker.Errorf(broker.CodeInvalidRequest, op, "", "the transactional id is empty")
	}
	slot, owner := e.view.Load().Owner(id)
	term, ok := e.host.Leading(uint64(owner.Shard))
	l, has := e.leadOf(owner.Shard)
	switch {
	case !ok:
		return transacting{}, broker.Refuse(broker.CodeNotCoordinator, op, transactional(id))
	case !has || l.term != term:
		return transacting{}, broker.Refuse(broker.CodeCoordinatorLoading, op, transactional(id))
	}
	return transacting{l, slot, owner.Version}, nil
}

func transactional(id string) string { return "transactional id " + id }

// generation orders a client's connection among those to this leader. One that was accepted before it led has no place
// among them: the client is made to come over a new one.
func (l *lead) generation(c broker.Client, op, resource string) (txn.Generation, error) {
	if c.Connection == 0 {
		return txn.Generation{}, nil
	}
	if c.Connection <= l.accepted {
		return txn.Generation{}, broker.Errorf(broker.CodeStaleConnection, op, resource, "accepted before this node led in term %d", l.term)
	}
	return txn.Generation{Term: l.term, Count: c.Connection}, nil
}

// generationOf is generation for requests of the first protocol version, and none for others.
func (l *lead) generationOf(p *broker.TransactionalProducer, op string) (txn.Generation, error) {
	if p.Protocol != broker.ProtocolV1 {
		return txn.Generation{}, nil
	}
	return l.generation(p.Client, op, transactional(p.ID))
}

// TransactionCoordinator finds the node that coordinates a transactional id.
func (e *Engine) TransactionCoordinator(_ context.Context, id string) (broker.Node, error) {
	v := e.view.Load()
	_, owner := v.Owner(id)
	if n, ok := v.Node(e.leaderOf(owner.Shard)); ok {
		return e.brokerNode(n), nil
	}
	return broker.Node{}, broker.Errorf(broker.CodeUnavailable, "find coordinator", transactional(id), "%s has no leader", shardName(owner.Shard))
}

// decideFor proposes a command of the coordinator that answers who the producer is; fresh(id) makes it, with a producer id
// that was given to nobody or −1. An id is only drawn when apply asks for one.
func (t transacting) decideFor(ctx context.Context, op, id string, aborts abortReason, fresh func(broker.ProducerID) []byte) (broker.ProducerID, broker.ProducerEpoch, error) {
	e, given := t.l.e, broker.ProducerID(-1)
	for {
		out, err := e.propose(ctx, t.l.shard, t.l.term, fresh(given))
		if err != nil {
			return -1, -1, notCoordinator(asBroker(err, op, transactional(id)))
		}
		var r command.TxnProducerResult
		if err := r.Decode(out); err != nil {
			return -1, -1, broker.Errorf(broker.CodeInternal, op, transactional(id), "%w", err)
		}
		if r.Owed {
			t.l.deliveries.owe(id)
		}
		switch transaction.End(r.Ended) {
		case transaction.EndedCommitted:
			e.ends.commit()
		case transaction.EndedAborted:
			t.l.aborted(id, aborts, r.ProducerID, r.Epoch)
		}
		if txn.Code(r.Refusal) != txn.NeedProducerID || given >= 0 {
			return r.ProducerID, r.Epoch, refusal(r.Refusal, op, transactional(id))
		}
		if given, _, err = e.InitProducer(ctx, broker.Client{}); err != nil {
			return -1, -1, err
		}
	}
}

// InitTransactional gives a client the identity of a transactional id.
func (e *Engine) InitTransactional(ctx context.Context, q *broker.InitTransactional) (broker.ProducerID, broker.ProducerEpoch, error) {
	const op = "init producer"
	if err := reserved(q.ID, op); err != nil {
		return -1, -1, err
	}
	t, err := e.transacting(q.ID, op)
	if err != nil {
		return -1, -1, err
	}
	g, err := t.l.generation(q.Client, op, transactional(q.ID))
	if err != nil {
		return -1, -1, err
	}
	return t.decideFor(ctx, op, q.ID, abortedByInit, func(fresh broker.ProducerID) []byte {
		c := command.TxnInit{Name: q.ID, Slot: uint32(t.slot), SlotVersion: t.version, ExpectedID: q.Producer, ExpectedEpoch: q.Epoch,
			TimeoutMs: q.Timeout.Milliseconds(), ConnectionTerm: g.Term, ConnectionCount: g.Count, Fresh: fresh}
		return c.AppendTo(nil)
	})
}

// EndTransaction commits or aborts.
func (e *Engine) EndTransaction(ctx context.Context, q *broker.EndTransaction) (broker.ProducerID, broker.ProducerEpoch, error) {
	const op = "end transaction"
	t, err := e.transacting(q.ID, op)
	if err != nil {
		return -1, -1, err
	}
	g, err := t.l.generationOf(&q.TransactionalProducer, op)
	if err != nil {
		return -1, -1, err
	}
	t.l.deliveries.taken.ride()
	id, epoch, err := t.decideFor(ctx, op, q.ID, abortedByProducer, func(fresh broker.ProducerID) []byte {
		c := command.TxnEnd{Name: q.ID, Slot: uint32(t.slot), SlotVersion: t.version, ProducerID: q.Producer, Epoch: q.Epoch, Commit: q.Commit,
			Protocol: uint8(q.Protocol), ConnectionTerm: g.Term, ConnectionCount: g.Count, Fresh: fresh}
		return c.AppendTo(nil)
	})
	if err == nil {
		t.l.deliveries.taken.slack(ctx, q.ID)
	}
	return id, epoch, err
}

// AddPartitions adds partitions for a client of the first protocol version.
func (e *Engine) AddPartitions(ctx context.Context, q *broker.AddPartitions) error {
	ps := make([]txn.Participant, len(q.Partitions))
	for i, p := range q.Partitions {
		ps[i] = participantOf(p)
	}
	return e.addParticipants(ctx, &q.TransactionalProducer, "add partitions", ps)
}

// AddGroup adds a group for a client of the first protocol version.
func (e *Engine) AddGroup(ctx context.Context, q *broker.AddGroup) error {
	if q.Group == "" {
		return broker.Errorf(broker.CodeInvalidGroup, "add group", transactional(q.ID), "the group id is empty")
	}
	return e.addParticipants(ctx, &q.TransactionalProducer, "add group", []txn.Participant{txn.GroupParticipant(q.Group)})
}

// addParticipants records participants, and answers when each has its grant: under the first protocol version the epoch is
// that of the last transaction, so a participant that had not heard of its end would take the next batch for a part of it.
func (e *Engine) addParticipants(ctx context.Context, p *broker.TransactionalProducer, op string, ps []txn.Participant) error {
	t, err := e.transacting(p.ID, op)
	if err != nil {
		return err
	}
	g, err := t.l.generationOf(p, op)
	if err != nil {
		return err
	}
	add := e.adding(p.ID, p.Producer, p.Epoch, p.Protocol, ps, t.l.shard)
	add.ConnectionTerm, add.ConnectionCount = g.Term, g.Count
	r, err := e.add(ctx, t.l.shard, t.l.term, &add, op)
	if err != nil {
		return notCoordinator(err)
	}
	t.l.maybeHandOver(actGrantOrphaned)
	return e.install(ctx, &add, r, op)
}

// VerifyPartitions looks whether partitions are in the open transaction.
func (e *Engine) VerifyPartitions(ctx context.Context, q *broker.AddPartitions) ([]error, error) {
	const op = "verify partitions"
	t, err := e.transacting(q.ID, op)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(q.Partitions))
	for i, p := range q.Partitions {
		add := e.adding(q.ID, q.Producer, q.Epoch, q.Protocol, []txn.Participant{participantOf(p)}, t.l.shard)
		add.Verify = true
		_, errs[i] = e.add(ctx, t.l.shard, t.l.term, &add, op)
	}
	return errs, nil
}

// refusals are the broker's words for what the machines of transactions refuse.
var refusals = map[txn.Code]broker.Code{
	txn.OutOfOrderSequence:   broker.CodeOutOfOrderSequence,
	txn.DuplicateSequence:    broker.CodeDuplicateSequence,
	txn.InvalidProducerEpoch: broker.CodeProducerFenced,
	txn.ProducerFenced:       broker.CodeTransactionFenced,
	txn.UnknownMapping:       broker.CodeUnknownTransactionalID,
	txn.InvalidState:         broker.CodeInvalidTransactionState,
	txn.Concurrent:           broker.CodeConcurrentTransactions,
	txn.InvalidTimeout:       broker.CodeInvalidTransactionTimeout,
	txn.NotParticipant:       broker.CodeNotInTransaction,
	txn.TooManyParticipants:  broker.CodeTransactionTooLarge,
	txn.Throttled:            broker.CodeThrottled,
	txn.InvalidRequest:       broker.CodeInvalidRequest,
	txn.StaleConnection:      broker.CodeStaleConnection,
	txn.NoHold:               broker.CodeNotInTransaction,
	txn.Closed:               broker.CodeInvalidTransactionState,
	txn.EarlierOpen:          broker.CodeConcurrentTransactions,
	txn.IllegalGeneration:    broker.CodeIllegalGeneration,
	txn.NeedProducerID:       broker.CodeInternal,
	txn.Contradiction:        broker.CodeInternal,
}

// refusal is the error of a result; nil if nothing is refused.
func refusal(code uint8, op, resource string) error {
	c := txn.Code(code)
	if c == txn.None {
		return nil
	}
	to, known := refusals[c]
	if !known {
		to = broker.CodeInternal
	}
	return broker.Errorf(to, op, resource, "%v", c)
}

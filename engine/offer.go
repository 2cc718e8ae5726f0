package engine

import (
	"context"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// OfferOffsets makes positions of a group part of a transaction.
func (e *Engine) OfferOffsets(ctx context.Context, q *broker.OfferOffsets) ([]error, error) {
	const op = "commit offsets in a transaction"
	resource := "group " + q.Member.Group
	c, err := e.coordinating(q.Member.Group, op)
	if err != nil {
		return nil, err
	}
	g, err := c.l.generationOf(&q.TransactionalProducer, op)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(q.Offsets))
	cmd := command.TxnOffer{Group: q.Member.Group, Slot: uint32(c.slot), SlotVersion: c.version, Member: q.Member.MemberID, Instance: q.Member.InstanceID,
		Generation: q.Member.Generation, ProducerID: q.Producer, Epoch: q.Epoch, ConnectionTerm: g.Term, ConnectionCount: g.Count}
	var at []int // of each offset sent, its place in errs
	for i, o := range q.Offsets {
		t, err := e.committedTopic(ctx, o)
		if err != nil {
			errs[i] = err
			continue
		}
		at = append(at, i)
		cmd.Offsets = append(cmd.Offsets, command.TxnOfferItem{TopicID: t.ID, Topic: t.Name, Partition: o.Partition, Offset: o.Offset, LeaderEpoch: o.Epoch, Metadata: o.Metadata})
	}
	if len(cmd.Offsets) == 0 {
		return errs, nil
	}
	r, err := c.offer(ctx, q, &cmd, op)
	if err != nil {
		return nil, notCoordinator(err)
	}
	if r.Code != broker.CodeNone {
		return nil, broker.Refuse(r.Code, op, resource)
	}
	if err := refusal(r.Refusal, op, resource); err != nil {
		return nil, err
	}
	for i, code := range r.Codes {
		if code != broker.CodeNone && i < len(at) {
			errs[at[i]] = broker.Refuse(code, op, resource)
		}
	}
	return errs, nil
}

// offer proposes the offsets, and if the group does not hold the transaction yet, asks the coordinator for a grant first.
//
// This leader may apply later than the node that told the client of its next transaction. What it took for the hold is then
// refused as closed; by then it has applied that, and looks again.
func (c coordination) offer(ctx context.Context, q *broker.OfferOffsets, cmd *command.TxnOffer, op string) (*command.TxnOfferResult, error) {
	l, resource := c.l, "group "+q.Member.Group
	for before, enlisted := txn.Number(0), false; ; {
		number := l.groupHold(q)
		if number == 0 && !enlisted {
			var err error
			if number, err = l.enlistGroup(ctx, q, op); err != nil {
				return nil, err
			}
			enlisted = true
		}
		cmd.Number = uint64(number)
		out, err := l.e.propose(ctx, l.shard, l.term, cmd.AppendTo(nil))
		if err != nil {
			return nil, asBroker(err, op, resource)
		}
		r := new(command.TxnOfferResult)
		if err := r.Decode(out); err != nil {
			return nil, broker.Errorf(broker.CodeInternal, op, resource, "%w", err)
		}
		code := txn.Code(r.Refusal)
		if enlisted || code != txn.NoHold && code != txn.Closed || number <= before {
			return r, nil
		}
		before = number
	}
}

// groupHold is the number of the hold under which a group would take a producer's offsets now; 0 if there is none.
func (l *lead) groupHold(q *broker.OfferOffsets) txn.Number {
	l.r.mu.RLock()
	defer l.r.mu.RUnlock()
	for _, h := range l.r.grps.Holds(q.Member.Group) {
		if h.ProducerID == txn.ProducerID(q.Producer) && h.Epoch >= txn.Epoch(q.Epoch) {
			return h.Number
		}
	}
	return 0
}

// enlistGroup makes the group one of the transaction's participants, or sees that it is one, and installs the grant.
func (l *lead) enlistGroup(ctx context.Context, q *broker.OfferOffsets, op string) (txn.Number, error) {
	c, cancel := context.WithTimeout(ctx, enlistTimeout)
	defer cancel()
	number, grant, err := l.enlistParticipant(c, q.ID, q.Producer, q.Epoch, q.Protocol, txn.GroupParticipant(q.Member.Group), op)
	if err != nil {
		return 0, groupRefusal(err, op, "group "+q.Member.Group)
	}
	if grant == nil {
		return number, nil
	}
	out, err := l.e.propose(c, l.shard, l.term, grant.AppendTo(nil))
	if err != nil {
		return 0, asUnavailable(err, op, "group "+q.Member.Group)
	}
	if err := granted(out, nil); err != nil {
		return 0, broker.Errorf(broker.CodeUnavailable, op, "group "+q.Member.Group, "%w", err)
	}
	return number, nil
}

// groupRefusal is atParticipant for groups: Kafka's answer to a fenced producer is INVALID_PRODUCER_EPOCH there as well.
func groupRefusal(err error, op, resource string) error {
	if broker.CodeOf(err) == broker.CodeTransactionFenced {
		return broker.Errorf(broker.CodeProducerFenced, op, resource, "%w", err)
	}
	return err
}

// resolver gives the id that a topic's name has in this node's catalog.
func (e *Engine) resolver() func(string) (broker.TopicID, bool) {
	v := e.view.Load()
	return func(name string) (broker.TopicID, bool) {
		if t, ok := v.Topic(name); ok {
			return t.ID, true
		}
		return broker.TopicID{}, false
	}
}

// awaitStable waits, but not for long, until no open transaction offers an offset for any of the partitions (KIP-447).
func (l *lead) awaitStable(ctx context.Context, group string, partitions []broker.TopicPartition) {
	c, cancel := context.WithTimeout(ctx, stableWait)
	defer cancel()
	unstable := func() bool {
		resolve := l.e.resolver()
		l.r.mu.RLock()
		defer l.r.mu.RUnlock()
		return slices.ContainsFunc(partitions, func(tp broker.TopicPartition) bool { return l.unstableLocked(group, tp, resolve) })
	}
	for {
		next := l.r.settled.next()
		if !unstable() {
			return
		}
		select {
		case <-next:
		case <-c.Done():
			return
		}
	}
}

func (l *lead) unstableLocked(group string, tp broker.TopicPartition, resolve func(string) (broker.TopicID, bool)) bool {
	id, known := resolve(tp.Topic)
	return known && l.r.grps.Unstable(group, id, tp.Partition)
}

// refuseUnstableLocked replaces the answers for which an offset is pending still.
func (l *lead) refuseUnstableLocked(group string, got []broker.CommittedOffset, resolve func(string) (broker.TopicID, bool)) {
	for i := range got {
		if l.unstableLocked(group, got[i].TopicPartition, resolve) {
			got[i] = broker.CommittedOffset{TopicPartition: got[i].TopicPartition, Offset: -1, Epoch: broker.NoEpoch,
				Err: broker.Refuse(broker.CodeUnstableOffset, "fetch offsets", "group "+group)}
		}
	}
}

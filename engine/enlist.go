package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
)

// adding is the command that adds participants, proposed by whoever leads asker: groups that live on the coordinator's shard
// get their grants with it.
func (e *Engine) adding(id string, producer broker.ProducerID, epoch broker.ProducerEpoch, protocol broker.Protocol, ps []txn.Participant, coordinator broker.ShardID) command.TxnAdd {
	v := e.view.Load()
	slot, owner := v.Owner(id)
	add := command.TxnAdd{Name: id, Slot: uint32(slot), SlotVersion: owner.Version, ProducerID: producer, Epoch: epoch, Protocol: uint8(protocol),
		Participants: transaction.Commands(ps), GroupsHere: true}
	for _, p := range ps {
		if p.IsGroup() {
			_, group := v.Owner(p.Group)
			add.GroupsHere = add.GroupsHere && group.Shard == coordinator
		}
	}
	return add
}

// add proposes it to the coordinator's shard; term 0: whoever leads there.
func (e *Engine) add(ctx context.Context, coordinator broker.ShardID, term uint64, add *command.TxnAdd, op string) (*command.TxnAddResult, error) {
	out, err := e.propose(ctx, coordinator, term, add.AppendTo(nil))
	return added(out, err, add.Name, op)
}

// added is what a coordinator answers to an addition.
func added(out []byte, err error, id, op string) (*command.TxnAddResult, error) {
	if err != nil {
		return nil, asUnavailable(err, op, transactional(id)) // to add again what was added changes nothing
	}
	r := new(command.TxnAddResult)
	if err := r.Decode(out); err != nil {
		return nil, broker.Errorf(broker.CodeInternal, op, transactional(id), "%w", err)
	}
	return r, refusal(r.Refusal, op, transactional(id))
}

// shardOf is where a participant lives; false if this node's catalog does not have it.
func (e *Engine) shardOf(p txn.Participant) (broker.ShardID, bool) {
	v := e.view.Load()
	if p.IsQueues() {
		return broker.ShardID(p.Partition), true
	}
	if p.IsGroup() {
		_, owner := v.Owner(p.Group)
		return owner.Shard, true
	}
	t, ok := v.TopicByID(p.Topic)
	if !ok || int(p.Partition) >= len(t.Shards) {
		return 0, false
	}
	return t.Shards[p.Partition], true
}

// granting collects, by shard, the grants of an addition that the coordinator's shard did not install itself.
//
// One that is not in this node's catalog is an error: its leader may have an earlier transaction open, in which a client of
// the first version would write.
func (e *Engine) granting(add *command.TxnAdd, r *command.TxnAddResult) (map[broker.ShardID]*command.TxnGrant, error) {
	to := map[broker.ShardID]*command.TxnGrant{}
	for i, item := range r.Grants {
		if item.Installed {
			continue
		}
		shard, known := e.shardOf(transaction.Participant(add.Participants[i]))
		if !known {
			return nil, broker.Refuse(broker.CodeConcurrentTransactions, "grant", transaction.Participant(add.Participants[i]).String())
		}
		if to[shard] == nil {
			to[shard] = &command.TxnGrant{Slot: add.Slot, ProducerID: add.ProducerID, Epoch: add.Epoch, Number: r.Number}
		}
		to[shard].Grants = append(to[shard].Grants, command.TxnGrantItem{Participant: add.Participants[i], Earlier: item.Earlier})
	}
	return to, nil
}

// install delivers the grants of an addition, and waits for all. What could not be delivered is tried again by the client:
// the same addition gives the same grants.
func (e *Engine) install(ctx context.Context, add *command.TxnAdd, r *command.TxnAddResult, op string) error {
	to, err := e.granting(add, r)
	if err != nil {
		return err
	}
	errs := make(chan error, len(to))
	for shard, g := range to { //lint:sorted they go side by side
		actGrantLate.Pause(actWaitShort)
		e.proposeAsync(ctx, shard, 0, g.AppendTo(nil), nil, func(out []byte, err error) { errs <- granted(out, err) })
	}
	var failed error
	for range to {
		if err := <-errs; err != nil {
			failed = broker.Errorf(broker.CodeConcurrentTransactions, op, transactional(add.Name), "%w", err)
		}
	}
	return failed
}

// granted says whether each participant took its grant, or knows that the transaction has ended meanwhile.
func granted(out []byte, err error) error {
	if err != nil {
		return err
	}
	var r command.TxnParticipantsResult
	if err := r.Decode(out); err != nil {
		return err
	}
	for i, code := range r.Codes {
		switch c := txn.Code(code); {
		case !r.Here[i]:
			return fmt.Errorf("a partition does not exist yet")
		case c == txn.EarlierOpen, c == txn.Contradiction, c == txn.InvalidRequest:
			return fmt.Errorf("grant refused: %v", c)
		}
	}
	return nil
}

// enlistKey names what waits for one grant.
type enlistKey struct {
	partition broker.Partition
	producer  broker.ProducerID
}

// enlists are the batches of a led shard that wait until their transaction is known to their partition. Those of one
// producer for one partition keep their order: as long as some wait, all that come later wait behind them.
type enlists struct {
	mu      sync.Mutex
	waiting map[enlistKey][]*appending
}

// wait lets batches wait, who has the lock; the caller sees to it that enlist runs.
func (x *enlists) wait(key enlistKey, as ...*appending) {
	if x.waiting == nil {
		x.waiting = map[enlistKey][]*appending{}
	}
	x.waiting[key] = as
}

// appendTransactional proposes a transactional batch once there is a hold for it.
func (l *lead) appendTransactional(a *appending) {
	key := enlistKey{a.r.Partition, a.cmd.ProducerID}
	l.enlists.mu.Lock()
	defer l.enlists.mu.Unlock()
	if q, busy := l.enlists.waiting[key]; busy {
		l.enlists.waiting[key] = append(q, a)
		return
	}
	s := l.standing(a)
	switch {
	case !a.r.Implicit && l.launch(key, a, s.Number, s.Ready):
		return
	case s.Ready:
		a.propose(l.term, s.Number)
		return
	}
	l.enlists.wait(key, a)
	if a.r.Implicit && a.r.TransactionalID != "" {
		l.e.asks.join(a.r.TransactionalID, key.producer, a.cmd.ProducerEpoch, enlisting{l, key})
		return
	}
	l.spawnEnlist(key)
}

// spawnEnlist has enlist run for what waits; the caller has the lock.
func (l *lead) spawnEnlist(key enlistKey) {
	if l.e.spawn(func(context.Context) { l.enlist(key) }) {
		return
	}
	for _, a := range l.enlists.waiting[key] {
		a.done(nil, broker.Refuse(broker.CodeShuttingDown, "append", a.r.Partition.String()))
	}
	delete(l.enlists.waiting, key)
}

func (l *lead) standing(a *appending) partition.Standing {
	l.r.mu.RLock()
	defer l.r.mu.RUnlock()
	first := txn.Sequence(a.cmd.BaseSequence)
	return l.r.parts.Standing(a.r.Partition, a.cmd.ProducerID, a.cmd.ProducerEpoch, first, txn.LastSequence(first, a.cmd.Records), a.cmd.Fingerprint)
}

// enlist gets grants for what waits, and proposes or refuses it, until nothing does.
func (l *lead) enlist(key enlistKey) {
	for {
		l.enlists.mu.Lock()
		head := l.enlists.waiting[key][0]
		l.enlists.mu.Unlock()
		number, err := l.enlistFor(head)
		l.enlists.mu.Lock()
		q := l.enlists.waiting[key]
		for len(q) > 0 && q[0].cmd.ProducerEpoch == head.cmd.ProducerEpoch {
			switch {
			case err != nil:
				q[0].done(nil, err)
			case !q[0].r.Implicit:
				l.launch(key, q[0], number, true)
			default:
				q[0].propose(l.term, number)
			}
			if q = q[1:]; number == 0 && err == nil {
				break // its window answers it; that says nothing of the next
			}
		}
		l.enlists.waiting[key] = q
		if len(q) == 0 {
			delete(l.enlists.waiting, key)
			l.enlists.mu.Unlock()
			return
		}
		l.enlists.mu.Unlock()
	}
}

// enlistFor makes the batch's partition one of its transaction's, and gives the transaction's number. The grant is on its
// way when it returns: what is proposed behind it meets it.
func (l *lead) enlistFor(a *appending) (txn.Number, error) {
	const op = "append"
	if s := l.standing(a); s.Ready { // a batch before it, of an older epoch, was not what it waited for
		return s.Number, nil
	}
	ctx, cancel := context.WithTimeout(l.ctx, enlistTimeout)
	defer cancel()
	protocol := broker.ProtocolV1
	if a.r.Implicit {
		protocol = broker.ProtocolV2
	}
	number, grant, err := l.enlistParticipant(ctx, a.r.TransactionalID, a.cmd.ProducerID, a.cmd.ProducerEpoch, protocol, participantOf(a.r.Partition), op)
	if err != nil {
		return 0, atParticipant(err, a.r.Partition.String())
	}
	if grant != nil {
		actGrantLate.Pause(actWaitShort)
		l.grant(grant, a.r.Partition)
	}
	return number, nil
}

// grant proposes a partition's grant: what is proposed behind it meets it.
func (l *lead) grant(g *command.TxnGrant, p broker.Partition) {
	l.e.proposeAsync(l.ctx, l.shard, l.term, g.AppendTo(nil), nil, func(out []byte, err error) {
		if err := granted(out, err); err != nil && l.ctx.Err() == nil {
			l.e.log.Warn("a grant was not taken", "partition", p, "err", err)
		}
	})
}

// enlistParticipant asks the coordinator on behalf of a client: under the second protocol version it adds the participant,
// under the first it only asks whether the client did. The grant that it gives is to be proposed here; nil if the
// participant has it already.
func (l *lead) enlistParticipant(ctx context.Context, id string, producer broker.ProducerID, epoch broker.ProducerEpoch, protocol broker.Protocol, p txn.Participant, op string) (txn.Number, *command.TxnGrant, error) {
	if id == "" {
		return 0, nil, broker.Errorf(broker.CodeInvalidRequest, op, p.String(), "a transactional batch without a transactional id")
	}
	_, owner := l.e.view.Load().Owner(id)
	add := l.e.adding(id, producer, epoch, protocol, []txn.Participant{p}, owner.Shard)
	add.Verify = protocol == broker.ProtocolV1
	r, err := l.e.add(ctx, owner.Shard, 0, &add, op)
	if err != nil {
		return 0, nil, err
	}
	if r.Grants[0].Installed {
		return txn.Number(r.Number), nil, nil
	}
	return txn.Number(r.Number), &command.TxnGrant{Slot: add.Slot, ProducerID: producer, Epoch: epoch, Number: r.Number,
		Grants: []command.TxnGrantItem{{Participant: add.Participants[0], Earlier: r.Grants[0].Earlier}}}, nil
}

// atParticipant says a coordinator's refusal as participants do: there a producer that was fenced has an epoch that is too
// low, and a coordinator that cannot be reached is a partition that cannot be written now.
func atParticipant(err error, resource string) error {
	switch code := broker.CodeOf(err); code {
	case broker.CodeTransactionFenced:
		return broker.Errorf(broker.CodeProducerFenced, "append", resource, "%w", err)
	case broker.CodeConcurrentTransactions, broker.CodeNotLeader, broker.CodeThrottled:
		return broker.Errorf(broker.CodeUnavailable, "append", resource, "%w", err)
	}
	return err
}

package engine

import (
	"context"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
)

// enlisting is a partition that a producer's batches wait at, led here.
type enlisting struct {
	l   *lead
	key enlistKey
}

// ask makes the partitions that were appended to together participants of a transaction of the second protocol version, all at once.
// What is led on the coordinator's own shard does not wait for the answer: its batches are proposed right behind the
// addition, which opens their holds in front of them; the epoch says which transaction they mean.
//
//	Append, Append, …  ── join ──► ask ── Appended ──► TxnAdd │ batches of the coordinator's shard
//	                                                     └─ applied ──► grant │ batches, on each other shard
type ask struct {
	id       string
	producer broker.ProducerID
	epoch    broker.ProducerEpoch
	waiting  []enlisting

	done chan struct{} // what follows is set
	r    *command.TxnAddResult
	err  error
}

// asks gathers what appends under way ask for.
type asks struct {
	e *Engine

	mu   sync.Mutex
	open map[string][]*ask // by transactional id; of one producer, but for those that follow each other
}

// join adds a partition to what is asked for at the end.
func (x *asks) join(id string, producer broker.ProducerID, epoch broker.ProducerEpoch, w enlisting) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range x.open[id] {
		if k.producer == producer && k.epoch == epoch {
			k.waiting = append(k.waiting, w)
			return
		}
	}
	if x.open == nil {
		x.open = map[string][]*ask{}
	}
	x.open[id] = append(x.open[id], &ask{id: id, producer: producer, epoch: epoch, waiting: []enlisting{w}, done: make(chan struct{})})
}

// end asks for what was gathered.
func (x *asks) end(id string) {
	x.mu.Lock()
	ks := x.open[id]
	delete(x.open, id)
	x.mu.Unlock()
	for _, k := range ks {
		x.e.ask(k)
	}
}

// ask proposes the addition, and sends on their way the batches that wait for it.
func (e *Engine) ask(k *ask) {
	const op = "append"
	_, owner := e.view.Load().Owner(k.id)
	ps := make([]txn.Participant, len(k.waiting))
	for i, w := range k.waiting {
		ps[i] = participantOf(w.key.partition)
	}
	add := e.adding(k.id, k.producer, k.epoch, broker.ProtocolV2, ps, owner.Shard)
	ctx, cancel := context.WithTimeout(e.ctx, enlistTimeout)
	e.proposeAsync(ctx, owner.Shard, 0, add.AppendTo(nil), nil, func(out []byte, err error) {
		cancel()
		k.r, k.err = added(out, err, k.id, op)
		close(k.done)
		answer := func(err error) {
			for i, w := range k.waiting {
				if w.l.shard != owner.Shard {
					w.l.enlisted(w.key, k, i, add.Slot, err)
				}
			}
		}
		if !e.spawn(func(context.Context) { answer(k.err) }) { // not on the goroutine that applies
			answer(broker.Refuse(broker.CodeShuttingDown, op, transactional(k.id)))
		}
	})
	for _, w := range k.waiting {
		if w.l.shard == owner.Shard {
			w.l.enlistedBehind(w.key, k)
		}
	}
}

// enlisted sends on their way the batches that waited for an answer, the grant in front of them.
func (l *lead) enlisted(key enlistKey, k *ask, place int, slot uint32, err error) {
	number := txn.Number(0)
	if err = atParticipant(err, key.partition.String()); err == nil {
		number = txn.Number(k.r.Number)
		if item := k.r.Grants[place]; !item.Installed {
			actGrantLate.Pause(actWaitShort)
			l.grant(&command.TxnGrant{Slot: slot, ProducerID: k.producer, Epoch: k.epoch, Number: k.r.Number,
				Grants: []command.TxnGrantItem{{Participant: transaction.Command(participantOf(key.partition)), Earlier: item.Earlier}}}, key.partition)
		}
	}
	l.dispatch(key, k.epoch, func(a *appending) {
		if err != nil {
			a.done(nil, err)
			return
		}
		a.propose(l.term, number)
	})
}

// enlistedBehind sends them on their way behind an addition whose answer is not there. Where that is refused, so are they, and they
// are answered as it is.
func (l *lead) enlistedBehind(key enlistKey, k *ask) {
	l.dispatch(key, k.epoch, func(a *appending) {
		a.proposeTo(l.term, 0, func(out []byte, err error) {
			if err != nil || !notIn(out) {
				a.done(out, err)
				return
			}
			partition := a.r.Partition.String()
			answer := func(context.Context) {
				<-k.done
				a.done(out, atParticipant(k.err, partition))
			}
			if !l.e.spawn(answer) {
				a.done(nil, broker.Refuse(broker.CodeShuttingDown, "append", partition))
			}
		})
	})
}

// dispatch takes what waits of one epoch, in its order. What waits behind that is seen to as it comes.
func (l *lead) dispatch(key enlistKey, epoch broker.ProducerEpoch, send func(*appending)) {
	l.enlists.mu.Lock()
	defer l.enlists.mu.Unlock()
	q := l.enlists.waiting[key]
	for len(q) > 0 && q[0].cmd.ProducerEpoch == epoch && q[0].r.Implicit {
		send(q[0])
		q = q[1:]
	}
	if len(q) == 0 {
		delete(l.enlists.waiting, key)
		return
	}
	l.enlists.waiting[key] = q
	l.spawnEnlist(key)
}

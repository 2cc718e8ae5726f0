package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/transaction"
	"github.com/tallymq/tallymq/txn"
)

// commitOver commits a transaction that is over several shards, or topics, or too large for one command. A transactional id of this node
// stands for it; the shard with the most bytes coordinates.
//
// The order, and what a crash after each step leaves:
//
//	record the participants  an open transaction that its time-out aborts
//	prepare on each shard    the same; deliveries are held, messages wait, room is reserved
//	decide                   the decision, which the coordinator's leader delivers until every shard has it
//	tell the shards          what is decided is in force there
//
// Nothing is told to the client before the decision is applied, and success not before every shard has it, or for too long one
// has not.
func (s *session) commitOver(ctx context.Context, w *work) error {
	const op = "commit"
	e := s.e
	if err := e.commitIDs.enter(ctx); err != nil {
		return broker.Errorf(broker.CodeThrottled, op, "session "+s.id.String(), "waiting for other transactions: %w", err)
	}
	defer e.commitIDs.leave()
	id, err := e.commitID(ctx, w.home())
	if err != nil {
		return err
	}
	patience := commitPrepareTimeout
	if actPrepareHasty.Now() {
		patience = actWaitShort
	}
	open, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	number, err := s.prepareAll(open, id, w)
	if err != nil {
		s.abort(ctx, id, number, w)
		return err
	}
	actPartsPrepared.Pause(actWaitLong)
	was := id.producer
	deciding := ctx
	if actDecideHasty.Now() {
		var cancel context.CancelFunc
		deciding, cancel = context.WithTimeout(ctx, actWaitShort)
		defer cancel()
	}
	committed, err := id.end(deciding, true)
	switch {
	case err != nil: // nobody may use the id again: its transaction may still be open
		return broker.Errorf(broker.CodeOutcomeUnknown, op, "session "+s.id.String(), "%w", err)
	case !committed:
		e.commitIDs.put(id)
		return broker.Errorf(broker.CodeUnavailable, op, "session "+s.id.String(), "it took so long that it was aborted")
	}
	e.tellShards(ctx, id, was.decision(number, txn.Commit), w)
	e.commitIDs.put(id)
	return nil
}

// abort gives back what the shards hold. The client is told after it, or when it takes long: the time-out would abort, too.
func (s *session) abort(ctx context.Context, id *commitID, number txn.Number, w *work) {
	done := make(chan struct{})
	if !s.e.spawn(func(ctx context.Context) {
		defer close(done)
		was := id.producer
		if _, err := id.end(ctx, false); err != nil {
			return
		}
		if number != 0 {
			s.e.tellShards(ctx, id, was.decision(number, txn.Abort), w)
		}
		s.e.commitIDs.put(id)
	}) {
		return
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// decision is what a transaction's participants are told: the epoch rises with each (KIP-890).
func (p producerIdentity) decision(n txn.Number, o txn.Outcome) txn.Decision {
	return txn.Decision{ProducerID: txn.ProducerID(p.id), Epoch: txn.Epoch(p.epoch) + 1, Number: n, Outcome: o}
}

// participant is one that a transaction has, and where it lives.
type participant struct {
	txn.Participant
	shard broker.ShardID
}

// participants are the queues of the parts' shards, and then the partitions.
func (w *work) participants() (ps []participant) {
	for _, p := range w.parts {
		ps = append(ps, participant{queuesOf(p.shard), p.shard})
	}
	for _, t := range w.topics {
		ps = append(ps, participant{participantOf(t.at), t.shard})
	}
	return ps
}

// home is the shard with the most bytes: it coordinates.
func (w *work) home() broker.ShardID {
	bytes := map[broker.ShardID]int{}
	most, shard := -1, broker.ShardID(0)
	note := func(s broker.ShardID, n int) {
		if bytes[s] += n; bytes[s] > most {
			most, shard = bytes[s], s
		}
	}
	for _, p := range w.parts {
		note(p.shard, p.bytes)
	}
	for _, t := range w.topics {
		note(t.shard, t.bytes)
	}
	return shard
}

// prepareAll records the participants, and has each hold its part.
func (s *session) prepareAll(ctx context.Context, id *commitID, w *work) (txn.Number, error) {
	const op = "commit"
	all := w.participants()
	ps := make([]txn.Participant, len(all))
	for i := range all {
		ps[i] = all[i].Participant
	}
	add := s.e.adding(id.name, id.producer.id, id.producer.epoch, broker.ProtocolV2, ps, id.shard)
	r, err := s.e.add(ctx, id.shard, 0, &add, op)
	if err != nil {
		return 0, asUnavailable(err, op, transactional(id.name)) // nothing of it is anywhere, or will be aborted
	}
	number := txn.Number(r.Number)
	x := &preparing{e: s.e, ctx: ctx, errs: make(chan error)}
	for i := range all {
		if !r.Grants[i].Installed {
			g := command.TxnGrant{Slot: add.Slot, ProducerID: add.ProducerID, Epoch: add.Epoch, Number: r.Number,
				Grants: []command.TxnGrantItem{{Participant: add.Participants[i], Earlier: r.Grants[i].Earlier}}}
			// What is proposed behind it meets it; if it is refused, so is that.
			s.e.proposeAsync(ctx, all[i].shard, 0, g.AppendTo(nil), nil, func([]byte, error) {})
		}
		if i >= len(w.parts) {
			t := w.topics[i-len(w.parts)]
			cmds, batches, err := t.commands(id.producer, r.Number)
			if err != nil {
				x.refuse(err)
				continue
			}
			for j := range cmds {
				x.propose(t.shard, cmds[j].AppendHead(nil), batches[j], func(out []byte, err error) error { return appended(out, err, op, t.at) })
			}
			continue
		}
		p := w.parts[i]
		for j := range p.pieces {
			y := &p.pieces[j]
			c := command.QueuePrepare{ProducerID: add.ProducerID, Epoch: add.Epoch, Number: r.Number, Node: s.id.Node, Run: p.run, Session: s.id.Number,
				Items: y.items, Messages: y.messages, PayloadLength: uint32(len(y.payload))}
			x.propose(p.shard, c.AppendHead(nil), y.payload, func(out []byte, err error) error {
				again, err := transacted(out, err, p.shard)
				switch {
				case again:
					x.again.Store(true)
				case len(y.messages) > 0:
					x.new.Store(true)
				}
				return err
			})
		}
	}
	if len(w.topics) > 0 {
		x.new.Store(true)
	}
	err = x.wait()
	if err == nil && x.again.Load() && x.new.Load() {
		err = mixedDuplicates(op, "session "+s.id.String())
	}
	return number, err
}

// preparing are the parts of a transaction on their way.
type preparing struct {
	e      *Engine
	ctx    context.Context
	errs   chan error
	n      int
	failed error

	again, new atomic.Bool // messages that came before, and others
}

func (x *preparing) propose(shard broker.ShardID, head, payload []byte, judge func([]byte, error) error) {
	x.n++
	x.e.proposeAsync(x.ctx, shard, 0, head, payload, func(out []byte, err error) {
		if err = judge(out, err); err == nil && actPartLost.Now() {
			err = broker.Refuse(broker.CodeOutcomeUnknown, "commit", shardName(shard))
		}
		go func() { x.errs <- err }() // not on the goroutine that applies
	})
}

// refuse notes why the transaction cannot be.
func (x *preparing) refuse(err error) {
	if x.failed == nil || broker.CodeOf(err) != broker.CodeOutcomeUnknown {
		x.failed = asAborted(err)
	}
}

// wait waits for all answers. An unknown outcome here is none of the transaction: it is aborted.
func (x *preparing) wait() error {
	for range x.n {
		if err := <-x.errs; err != nil {
			x.refuse(err)
		}
	}
	return x.failed
}

// asAborted says of a part whose outcome is unknown that nothing was done: without it there is no commit.
func asAborted(err error) error {
	if broker.CodeOf(err) == broker.CodeOutcomeUnknown {
		return broker.Errorf(broker.CodeUnavailable, "commit", "", "a shard did not answer, so nothing of the transaction was done: %w", err)
	}
	return err
}

// tellShards brings the decision to the participants that have not taken it with the coordinator's, and acknowledges it for them. The
// coordinator's leader does the same, later, for what is not acknowledged then.
func (e *Engine) tellShards(ctx context.Context, id *commitID, d txn.Decision, w *work) {
	ctx, cancel := context.WithTimeout(ctx, commitTellTimeout)
	defer cancel()
	actShardsTold.Pause(actWaitLong)
	to := map[broker.ShardID][]txn.Participant{}
	for _, p := range w.participants() {
		if p.shard != id.shard {
			to[p.shard] = append(to[p.shard], p.Participant)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var taken []txn.Participant
	for _, shard := range slices.Sorted(maps.Keys(to)) {
		wg.Add(1)
		c := command.TxnDecide{Decision: transaction.CommandOf(d), Participants: transaction.Commands(to[shard])}
		e.proposeAsync(ctx, shard, 0, c.AppendTo(nil), nil, func(out []byte, err error) {
			defer wg.Done()
			var r command.TxnParticipantsResult
			if err != nil || r.Decode(out) != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, p := range to[shard] {
				if r.Here[i] && txn.Code(r.Codes[i]) == txn.None {
					taken = append(taken, p)
				}
			}
		})
	}
	wg.Wait()
	if len(taken) > 0 {
		c := command.TxnAcknowledge{Name: id.name, Number: uint64(d.Number), Participants: transaction.Commands(taken)}
		e.proposeAsync(e.ctx, id.shard, 0, c.AppendTo(nil), nil, func([]byte, error) {})
	}
}

// end decides an id's open transaction, and asks again until it knows. committed: it was; an error: nobody knows.
func (id *commitID) end(ctx context.Context, commit bool) (committed bool, err error) {
	c := command.TxnEnd{Name: id.name, Slot: uint32(id.slot), SlotVersion: id.version, ProducerID: id.producer.id, Epoch: id.producer.epoch, Commit: commit,
		Protocol: uint8(broker.ProtocolV2), Fresh: -1}
	for {
		out, err := id.e.propose(ctx, id.shard, 0, c.AppendTo(nil))
		var r command.TxnProducerResult
		if err == nil {
			err = r.Decode(out)
		}
		if err != nil {
			if sleep(ctx, settleAgain); ctx.Err() != nil {
				return false, err
			}
			continue
		}
		switch code := txn.Code(r.Refusal); {
		case code == txn.None:
			id.producer = producerIdentity{r.ProducerID, r.Epoch}
			id.e.ends.count(transaction.End(r.Ended))
			return commit, nil
		case code == txn.NeedProducerID && c.Fresh < 0:
			if c.Fresh, _, err = id.e.InitProducer(ctx, broker.Client{}); err != nil {
				return false, err
			}
		case code == txn.InvalidState && commit: // its last transaction was aborted: this one
			return id.end(ctx, false)
		default: // nobody but this node's next life does that
			return false, refusal(r.Refusal, "commit", transactional(id.name))
		}
	}
}

func queuesOf(shard broker.ShardID) txn.Participant { return txn.QueuesParticipant(int32(shard)) }

const (
	// commitPrepareTimeout bounds the time until all shards hold their parts; commitOpenMax is when the coordinator aborts a
	// transaction whose node has died: what it holds is nobody's until then.
	commitPrepareTimeout = 10 * time.Second
	commitOpenMax        = 20 * time.Second
	// commitTellTimeout is how long a client waits for shards to take a decision before it is told of it.
	commitTellTimeout = 5 * time.Second
)

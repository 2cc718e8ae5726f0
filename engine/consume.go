package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/queueing"
)

// nextConsumer is an id that no consumer ever had, but by a chance of one in 2⁶⁴: then the shard refuses it.
func (e *Engine) nextConsumer() broker.ConsumerID { return broker.ConsumerID(randomRun()) }

// Consume adds a consumer. It is here before the shard knows it, so that no delivery is missed.
func (s *session) Consume(ctx context.Context, c *broker.Consume) (broker.ConsumerID, error) {
	q, err := s.find(ctx, c.Queue, "consume")
	if err != nil {
		return 0, err
	}
	l, err := s.lease(ctx, q)
	if err != nil {
		return 0, err
	}
	x := &consumer{s: s, id: s.e.nextConsumer(), queue: q.ID, name: q.Spec.Name, shard: q.Shard, channel: c.Channel, lease: l, deliver: c.Deliver, ended: c.Ended}
	if err := s.add(x); err != nil {
		return 0, err
	}
	_, err = s.ask(ctx, q, "consume", &command.QueueAttach{Queue: uint64(q.ID), Consumer: uint64(x.id), Node: s.id.Node, Run: l.run, Session: s.id.Number,
		Channel: c.Channel, Tag: c.Tag, Exclusive: c.Exclusive, Priority: c.Priority, Messages: c.Messages})
	if err == nil {
		err = s.lives(l, "consume")
	}
	if err == nil {
		return x.id, nil
	}
	s.forget(x)
	s.e.dispatch.remove(x)
	if broker.CodeOf(err) == broker.CodeOutcomeUnknown {
		s.end(err) // it may be there, and take messages that nobody would ever see
	}
	return 0, err
}

// add puts a consumer on the session's list, and makes it known to the dispatch.
func (s *session) add(c *consumer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return broker.Errorf(broker.CodeSessionLost, "consume", "session "+s.id.String(), "%w", s.ended)
	}
	s.consumers[c.id] = c
	s.e.dispatch.add(c)
	return nil
}

// forget takes a consumer off the session's list.
func (s *session) forget(c *consumer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.consumers, c.id)
}

func (s *session) consumer(id broker.ConsumerID, op string) (*consumer, error) {
	if err := s.usable(op); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.consumers[id]; c != nil {
		return c, nil
	}
	return nil, broker.Refuse(broker.CodeUnknownConsumer, op, "session "+s.id.String())
}

// aboutConsumer proposes a command about a consumer.
func (s *session) aboutConsumer(ctx context.Context, c *consumer, op string, cmd command.Message) error {
	out, err := s.e.propose(ctx, c.shard, 0, cmd.AppendTo(nil))
	if err != nil {
		return asUnavailable(err, op, "queue "+c.name)
	}
	var r command.QueueResult
	if err := r.Decode(out); err != nil {
		return broker.Errorf(broker.CodeInternal, op, "queue "+c.name, "result: %w", err)
	}
	if r.Code != broker.CodeNone && r.Code != broker.CodeUnknownQueue {
		return broker.Refuse(r.Code, op, "queue "+c.name)
	}
	return nil
}

// Cancel ends a consumer. What was assigned to it before is delivered first: it is the channel's.
func (s *session) Cancel(ctx context.Context, id broker.ConsumerID) error {
	c, err := s.consumer(id, "cancel")
	if err != nil {
		return err
	}
	if err := s.aboutConsumer(ctx, c, "cancel", &command.QueueDetach{Queue: uint64(c.queue), Consumer: uint64(id)}); err != nil {
		return err
	}
	c.drain()
	s.forget(c)
	s.e.dispatch.remove(c)
	return nil
}

// SetCredit changes how many messages of a consumer may be unsettled.
func (s *session) SetCredit(ctx context.Context, id broker.ConsumerID, messages uint32) error {
	c, err := s.consumer(id, "set credit")
	if err != nil {
		return err
	}
	return s.aboutConsumer(ctx, c, "set credit", &command.QueueCredit{Queue: uint64(c.queue), Consumer: uint64(id), Messages: messages})
}

// Get takes one ready message. It is a command: what it gives is acquired, on every replica.
func (s *session) Get(ctx context.Context, name string, channel uint16) (*broker.Delivery, uint64, error) {
	op, res := "get", "queue "+name
	q, err := s.find(ctx, name, op)
	if err != nil {
		return nil, 0, err
	}
	l, err := s.lease(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	g := getter{q.ID, channel}
	id, ok := s.getters[g]
	if !ok {
		id = s.e.nextConsumer()
		s.getters[g] = id
	}
	s.mu.Unlock()
	c := command.QueueGet{Queue: uint64(q.ID), Consumer: uint64(id), Node: s.id.Node, Run: l.run, Session: s.id.Number, Channel: channel}
	out, err := s.e.propose(ctx, q.Shard, 0, c.AppendTo(nil))
	if err != nil {
		if err = asBroker(err, op, res); broker.CodeOf(err) == broker.CodeOutcomeUnknown {
			s.end(err) // it may hold a message that nobody would ever see
		}
		return nil, 0, err
	}
	var r command.QueueGetResult
	if err := r.Decode(out); err != nil {
		return nil, 0, broker.Errorf(broker.CodeInternal, op, res, "result: %w", err)
	}
	if err := s.lives(l, op); err != nil {
		return nil, 0, err
	}
	if r.Code != broker.CodeNone {
		return nil, 0, s.refused(r.Code, op, q)
	}
	if !r.Found {
		return nil, r.Messages, nil
	}
	x := queueing.Delivery{Queue: q.ID, Number: r.Number, Name: queueing.Name{Index: r.Index, Position: r.Position, Length: r.Length, CRC: r.CRC},
		Redelivered: r.Redelivered, Returned: r.Returned, Fence: r.Fence}
	d := s.e.delivery(&x, name)
	for {
		if err = s.e.fill(ctx, q.Shard, &x, d); err == nil {
			return d, r.Messages, nil
		}
		if sleep(ctx, payloadAgain); ctx.Err() != nil || !l.valid() {
			err = broker.Errorf(broker.CodeUnavailable, op, res, "its bytes are not here yet: %w", err)
			s.Settle(ctx, []broker.Settlement{{ID: d.ID, Outcome: broker.Requeue}}, nil)
			return nil, 0, err
		}
	}
}

// Settle says what became of deliveries. What could not be told is told again as long as the session lives: else the
// consumers' credit would be gone.
func (s *session) Settle(_ context.Context, items []broker.Settlement, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	if err := s.usable("settle"); err != nil {
		done(err)
		return
	}
	byLease := s.settlements(items)
	if len(byLease) == 0 {
		done(nil)
		return
	}
	s.settles(1)
	w := &settling{s: s, waiting: len(byLease), done: done}
	leases := slices.SortedFunc(maps.Keys(byLease), func(a, b *lease) int { return int(int64(a.shard) - int64(b.shard)) })
	for _, l := range leases {
		c := &command.QueueSettle{Node: s.id.Node, Run: l.run, Session: s.id.Number, Items: byLease[l]}
		w.propose(l, c.AppendTo(nil))
	}
}

// settlements sorts items by the lease of their queue's shard. Of a queue that the session has no lease for it holds nothing.
func (s *session) settlements(items []broker.Settlement) map[*lease][]command.QueueSettlement {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[*lease][]command.QueueSettlement{}
	for _, x := range items {
		q := s.queues[x.ID.Queue]
		if q == nil || s.leases[q.Shard] == nil {
			continue
		}
		l := s.leases[q.Shard]
		out[l] = append(out[l], command.QueueSettlement{Queue: uint64(x.ID.Queue), Number: x.ID.Number, Outcome: uint8(x.Outcome)})
	}
	return out
}

// settling is one Settle on its way to some shards.
type settling struct {
	s       *session
	mu      sync.Mutex
	waiting int
	err     error
	done    func(error)
}

func (w *settling) propose(l *lease, cmd []byte) {
	w.s.e.proposeAsync(w.s.e.ctx, l.shard, 0, cmd, nil, func(_ []byte, err error) {
		if err == nil {
			w.answered(nil)
			return
		}
		err = asBroker(err, "settle", shardName(l.shard))
		// Not on this goroutine: it may be the one that applies.
		if !l.valid() || !w.s.e.spawn(func(ctx context.Context) {
			if sleep(ctx, settleAgain); w.s.usable("settle") != nil {
				w.answered(err)
				return
			}
			w.propose(l, cmd)
		}) {
			w.answered(err)
		}
	})
}

func (w *settling) answered(err error) {
	w.mu.Lock()
	w.waiting--
	if w.err == nil {
		w.err = err
	}
	last, err := w.waiting == 0, w.err
	w.mu.Unlock()
	if last {
		w.s.settles(-1)
		w.done(err)
	}
}

// CloseChannel ends a channel: its consumers go, and all that it holds returns.
func (s *session) CloseChannel(ctx context.Context, channel uint16) error {
	if err := s.usable("close channel"); err != nil {
		return err
	}
	s.mu.Lock()
	var gone []*consumer
	for _, c := range s.consumers { //lint:sorted each is removed
		if c.channel == channel {
			gone = append(gone, c)
			delete(s.consumers, c.id)
		}
	}
	leases := maps.Clone(s.leases)
	for g := range s.getters { //lint:sorted each is deleted
		if g.channel == channel {
			delete(s.getters, g)
		}
	}
	s.mu.Unlock()
	for _, c := range gone {
		s.e.dispatch.remove(c)
	}
	var errs []error
	for _, shard := range sortedShards(leases) {
		c := command.QueueLeave{Node: s.id.Node, Run: leases[shard].run, Session: s.id.Number, Channel: channel}
		if _, err := s.e.propose(ctx, shard, 0, c.AppendTo(nil)); err != nil {
			errs = append(errs, asUnavailable(err, "close channel", shardName(shard)))
		}
	}
	return firstOf(errs)
}

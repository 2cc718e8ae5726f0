package amqptest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/routing"
)

// session is one connection's.
type session struct {
	b      *Broker
	client broker.Client
	lost   func(error)
	ended  bool
}

func (s *session) DeclareExchange(_ context.Context, x broker.Exchange) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return refused("declare exchange", x.Name, s.b.topology.Declare(routing.Exchange{
		Name: x.Name, Type: routing.Type(x.Type), Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal, Arguments: routingArguments(x.Arguments),
	}))
}

func (s *session) FindExchange(_ context.Context, name string) (broker.Exchange, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	x, err := s.b.topology.Exchange(name)
	if err != nil {
		return broker.Exchange{}, refused("find exchange", name, err)
	}
	return broker.Exchange{
		Name: x.Name, Type: string(x.Type), Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal, Arguments: brokerArguments(x.Arguments),
	}, nil
}

func (s *session) DeleteExchange(_ context.Context, name string, ifUnused bool) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	_, err := s.b.topology.Delete(name, ifUnused)
	return refused("delete exchange", name, err)
}

func binding(v broker.Binding) routing.Binding {
	return routing.Binding{
		Source: v.Source, Destination: routing.Destination{Exchange: v.Exchange, Name: v.Destination}, Key: v.Key, Arguments: routingArguments(v.Arguments),
	}
}

func (s *session) Bind(_ context.Context, v broker.Binding) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	return refused("bind", v.Source, s.b.topology.Bind(binding(v)))
}

func (s *session) Unbind(_ context.Context, v broker.Binding) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	_, err := s.b.topology.Unbind(binding(v))
	return refused("unbind", v.Source, err)
}

func (s *session) DeclareQueue(_ context.Context, spec broker.QueueSpec) (broker.QueueStatus, error) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refusals["declare queue"]; err != nil {
		return broker.QueueStatus{}, err
	}
	switch {
	case spec.Name == "":
		spec.Name = fmt.Sprintf("amq.gen-%d", b.nextLocked())
	case b.queues[spec.Name] != nil:
		q, err := b.findLocked("declare queue", spec.Name, s)
		if err != nil {
			return broker.QueueStatus{}, err
		}
		if q.spec.Durable != spec.Durable || q.spec.Exclusive != spec.Exclusive || q.spec.AutoDelete != spec.AutoDelete {
			return broker.QueueStatus{}, broker.Errorf(broker.CodeInequivalent, "declare queue", spec.Name, "inequivalent arg for queue '%s' in vhost '/'", spec.Name)
		}
		return q.status(), nil
	case strings.HasPrefix(spec.Name, "amq."):
		return broker.QueueStatus{}, broker.Errorf(broker.CodeForbidden, "declare queue", spec.Name, "queue name '%s' contains reserved prefix 'amq.*'", spec.Name)
	}
	q := &queue{id: broker.QueueID(b.nextLocked()), spec: spec, out: map[uint64]*outstanding{}}
	if spec.Exclusive {
		q.owner = s
	}
	b.queues[spec.Name] = q
	b.topology.AddQueue(spec.Name)
	return q.status(), nil
}

func (q *queue) status() broker.QueueStatus {
	return broker.QueueStatus{ID: q.id, Spec: q.spec, Messages: uint64(len(q.ready)), Consumers: uint32(len(q.consumers))}
}

func (s *session) FindQueue(_ context.Context, name string) (broker.QueueStatus, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	q, err := s.b.findLocked("find queue", name, s)
	if err != nil {
		return broker.QueueStatus{}, err
	}
	return q.status(), nil
}

func (s *session) DeleteQueue(_ context.Context, name string, ifUnused, ifEmpty bool) (uint64, error) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queues[name] == nil {
		return 0, nil
	}
	q, err := b.findLocked("delete queue", name, s)
	switch {
	case err != nil:
		return 0, err
	case ifUnused && len(q.consumers) > 0:
		return 0, broker.Errorf(broker.CodeInUse, "delete queue", name, "queue '%s' in vhost '/' in use", name)
	case ifEmpty && len(q.ready) > 0:
		return 0, broker.Errorf(broker.CodeQueueNotEmpty, "delete queue", name, "queue '%s' in vhost '/' not empty", name)
	}
	b.dropQueueLocked(q, broker.Refuse(broker.CodeUnknownQueue, "consume", name))
	return uint64(len(q.ready)), nil
}

func (s *session) PurgeQueue(_ context.Context, name string) (uint64, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	q, err := s.b.findLocked("purge queue", name, s)
	if err != nil {
		return 0, err
	}
	n := uint64(len(q.ready))
	q.ready = nil
	return n, nil
}

func (s *session) Publish(_ context.Context, p *broker.Publish) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.topology.CanPublish(p.Message.Exchange); err != nil {
		p.Done(broker.PublishResult{}, refused("publish", p.Message.Exchange, err))
		return
	}
	if err := b.refusals["publish"]; err != nil {
		p.Done(broker.PublishResult{}, err)
		return
	}
	to := b.routeLocked(&p.Message)
	var err error
	for _, q := range to {
		if q.full(1) {
			err = broker.Errorf(broker.CodeQueueRefused, "publish", q.spec.Name, "queue '%s' is full", q.spec.Name)
			continue
		}
		q.add(&p.Message)
	}
	answer := func() { p.Done(broker.PublishResult{Queues: len(to)}, err) }
	if b.holding {
		b.held = append(b.held, answer)
	} else {
		answer()
	}
	for _, q := range to {
		q.dispatch()
	}
}

func (s *session) Commit(_ context.Context, t *broker.QueueTransaction) ([]broker.PublishResult, error) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refusals["commit"]; err != nil {
		return nil, err
	}
	for _, v := range t.Settlements {
		if q := b.queueLocked(v.ID.Queue); q != nil && (q.out[v.ID.Number] == nil || q.out[v.ID.Number].session != s) {
			return nil, broker.Errorf(broker.CodeUnknownDelivery, "commit", q.spec.Name, "a delivery is not the session's any more")
		}
	}
	more := map[*queue]int{}
	results := make([]broker.PublishResult, len(t.Publishes))
	for i, p := range t.Publishes {
		to := b.routeLocked(&p.Message)
		results[i].Queues = len(to)
		for _, q := range to {
			if more[q]++; q.full(more[q]) {
				return nil, broker.Errorf(broker.CodeQueueRefused, "commit", q.spec.Name, "queue '%s' is full", q.spec.Name)
			}
		}
	}
	for _, p := range t.Publishes {
		for _, q := range b.routeLocked(&p.Message) {
			q.add(&p.Message)
		}
	}
	s.settleLocked(t.Settlements)
	for q := range more {
		q.dispatch()
	}
	b.Committed++
	return results, nil
}

func (b *Broker) queueLocked(id broker.QueueID) *queue {
	for _, q := range b.queues {
		if q.id == id {
			return q
		}
	}
	return nil
}

func (s *session) settleLocked(list []broker.Settlement) {
	for _, v := range list {
		q := s.b.queueLocked(v.ID.Queue)
		if q == nil || q.out[v.ID.Number] == nil || q.out[v.ID.Number].session != s {
			continue
		}
		q.settle(v.ID.Number, v.Outcome)
	}
	for _, v := range list {
		if q := s.b.queueLocked(v.ID.Queue); q != nil {
			q.dispatch()
		}
	}
}

func (s *session) Settle(_ context.Context, list []broker.Settlement, done func(error)) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.settleLocked(list)
	if done != nil {
		done(nil)
	}
}

func (s *session) Consume(_ context.Context, c *broker.Consume) (broker.ConsumerID, error) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refusals["consume"]; err != nil {
		return 0, err
	}
	q, err := b.findLocked("consume", c.Queue, s)
	if err != nil {
		return 0, err
	}
	if len(q.consumers) > 0 && (c.Exclusive || q.consumers[0].request.Exclusive) {
		return 0, broker.Errorf(broker.CodeConsumerExclusive, "consume", c.Queue, "queue '%s' in vhost '/' in exclusive use", c.Queue)
	}
	k := &consumer{id: broker.ConsumerID(b.nextLocked()), session: s, queue: q, request: c}
	q.consumers = append(q.consumers, k)
	q.dispatch()
	return k.id, nil
}

// removeLocked removes consumers of the session, and queues that were to go with their last one.
func (s *session) removeLocked(which func(*consumer) bool) bool {
	found := false
	for _, q := range s.b.queues {
		before := len(q.consumers)
		q.consumers = slices.DeleteFunc(q.consumers, func(k *consumer) bool { return k.session == s && which(k) })
		if len(q.consumers) == before {
			continue
		}
		found = true
		if q.spec.AutoDelete && len(q.consumers) == 0 {
			s.b.dropQueueLocked(q, nil)
		}
	}
	return found
}

func (s *session) Cancel(_ context.Context, id broker.ConsumerID) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if !s.removeLocked(func(k *consumer) bool { return k.id == id }) {
		return broker.Refuse(broker.CodeUnknownConsumer, "cancel", "")
	}
	return nil
}

func (s *session) SetCredit(_ context.Context, id broker.ConsumerID, messages uint32) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	for _, q := range s.b.queues {
		for _, k := range q.consumers {
			if k.id == id {
				k.request.Messages = messages
				q.dispatch()
				return nil
			}
		}
	}
	return broker.Refuse(broker.CodeUnknownConsumer, "set credit", "")
}

func (s *session) Get(_ context.Context, name string, channel uint16) (*broker.Delivery, uint64, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	q, err := s.b.findLocked("get", name, s)
	if err != nil || len(q.ready) == 0 {
		return nil, 0, err
	}
	d := q.take(s, channel, nil)
	return d, uint64(len(q.ready)), nil
}

// returnLocked puts back what the session, or one of its channels, holds.
func (s *session) returnLocked(which func(*outstanding) bool) {
	for _, q := range s.b.queues {
		for number, out := range q.out {
			if out.session == s && which(out) {
				q.settle(number, broker.RejectAgain)
			}
		}
	}
	for _, q := range s.b.queues {
		q.dispatch()
	}
}

func (s *session) CloseChannel(_ context.Context, channel uint16) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.removeLocked(func(k *consumer) bool { return k.request.Channel == channel })
	s.returnLocked(func(out *outstanding) bool { return out.channel == channel })
	return nil
}

func (s *session) Close(context.Context) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.endLocked(s)
}

func (b *Broker) endLocked(s *session) {
	if s.ended {
		return
	}
	s.ended = true
	delete(b.sessions, s)
	s.removeLocked(func(*consumer) bool { return true })
	for _, q := range b.queues {
		if q.owner == s {
			b.dropQueueLocked(q, nil)
		}
	}
	s.returnLocked(func(*outstanding) bool { return true })
}

package engine

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// DeclareQueue makes a queue, or agrees that an equivalent one is there.
func (s *session) DeclareQueue(ctx context.Context, q broker.QueueSpec) (broker.QueueStatus, error) {
	op, res := "declare queue", "queue "+q.Name
	switch {
	case q.Name == "":
		q.Name = generatedName()
	case strings.HasPrefix(q.Name, "amq."):
		if found, err := s.FindQueue(ctx, q.Name); err == nil && found.Spec.Name == q.Name {
			return found, sameQueue(s.host, &found.Spec, &q) // one that we named
		}
		return broker.QueueStatus{}, broker.Errorf(broker.CodeForbidden, op, res, "queue name '%s' contains reserved prefix 'amq.*'", q.Name)
	}
	settings, err := settingsOf(s.host, &q)
	if err != nil {
		return broker.QueueStatus{}, err
	}
	for range changeTriesMax {
		st, err := s.declare(ctx, q, settings)
		if broker.CodeOf(err) != broker.CodeUnknownQueue {
			return st, err
		}
		// The one that was there has ended, with its last consumer, say, and is out of the catalog by now.
	}
	return broker.QueueStatus{}, broker.Errorf(broker.CodeUnavailable, op, res, "it ends each time it is declared")
}

// declare declares a queue once. CodeUnknownQueue: one of this name was there, and ends.
func (s *session) declare(ctx context.Context, q broker.QueueSpec, settings *queueSettings) (broker.QueueStatus, error) {
	op, res := "declare queue", "queue "+q.Name
	made := false
	err := s.change(ctx, op, res, func(v *catalog.View) (command.Message, error) {
		if old, ok := v.Queue(s.host, q.Name); ok {
			if err := s.owns(old, op); err != nil {
				return nil, err
			}
			return nil, sameQueue(s.host, &old.Spec, &q)
		}
		shard, err := s.home(v, q.Name)
		if err != nil {
			return nil, err
		}
		made = true
		c := &command.QueueDeclare{Host: s.host, Shard: shard, Queue: command.QueueSpec{Name: q.Name, Durable: q.Durable, Exclusive: q.Exclusive,
			AutoDelete: q.AutoDelete, Arguments: catalog.ArgumentSpecs(q.Arguments)}}
		if q.Exclusive {
			c.OwnerNode, c.OwnerRun, c.OwnerSession = s.id.Node, s.id.Run, s.id.Number
		}
		return c, nil
	})
	if err != nil {
		return broker.QueueStatus{}, err
	}
	found, ok := s.e.view.Load().Queue(s.host, q.Name)
	if !ok {
		return broker.QueueStatus{}, broker.Errorf(broker.CodeUnavailable, op, res, "it was deleted at once")
	}
	if made {
		if err := s.create(ctx, found, settings); err != nil {
			return broker.QueueStatus{}, err
		}
	}
	return s.status(ctx, found)
}

// generatedName names a queue that its client did not.
func generatedName() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "amq.gen-" + base64.RawURLEncoding.EncodeToString(b[:])
}

// home is the data shard of a new queue: by its name, so that two who declare it at once mean the same. One that is called
// NAME--REST lives where NAME's topics and transactional ids do.
func (s *session) home(v *catalog.View, name string) (broker.ShardID, error) {
	var data []broker.ShardID
	for _, sh := range v.Shards() {
		if sh.ID != catalog.CatalogShard {
			data = append(data, sh.ID)
		}
	}
	if len(data) == 0 {
		return 0, broker.Errorf(broker.CodeUnavailable, "declare queue", "queue "+name, "there is no data shard yet")
	}
	if together := catalog.ColocationOf(name); together != name {
		_, owner := v.Owner(together)
		return owner.Shard, nil
	}
	return data[int(catalog.SlotOf(s.host+"\x00"+name))%len(data)], nil
}

// create makes the shard own a queue that the session declared; an exclusive one lives by the node's lease there.
func (s *session) create(ctx context.Context, q *catalog.Queue, settings *queueSettings) error {
	if !q.Spec.Exclusive {
		return s.e.createQueue(ctx, q, settings)
	}
	s.mu.Lock()
	s.exclusive = append(s.exclusive, q)
	s.mu.Unlock()
	l, err := s.lease(ctx, q)
	if err != nil {
		return err
	}
	c := command.QueueCreate{Queue: uint64(q.ID), Host: q.Host, Name: q.Spec.Name, Config: settings.config, OwnerNode: s.id.Node, OwnerRun: l.run, OwnerSession: s.id.Number}
	if _, err = s.proposed(ctx, q, "declare queue", &c); err != nil {
		return err
	}
	return s.lives(l, "declare queue")
}

// createQueue makes the shard own a queue. What fails here is made good by the shard's leader, which reconciles with the catalog.
// One that the shard had, and that has ended, leaves the catalog: CodeUnknownQueue.
func (e *Engine) createQueue(ctx context.Context, q *catalog.Queue, s *queueSettings) error {
	op, res := "declare queue", "queue "+q.Spec.Name
	c := command.QueueCreate{Queue: uint64(q.ID), Host: q.Host, Name: q.Spec.Name, Config: s.config}
	out, err := e.propose(ctx, q.Shard, 0, c.AppendTo(nil))
	if err != nil {
		return broker.Errorf(broker.CodeOutcomeUnknown, op, res, "it is declared; its shard follows: %w", err)
	}
	var r command.QueueResult
	switch err := r.Decode(out); {
	case err != nil:
		return broker.Errorf(broker.CodeInternal, op, res, "result: %w", err)
	case r.Code == broker.CodeUnknownQueue:
		if err := e.forgetQueue(ctx, q); err != nil {
			return err
		}
		return broker.Errorf(r.Code, op, res, "no queue '%s' in vhost '%s'", q.Spec.Name, q.Host)
	case r.Code != broker.CodeNone:
		return broker.Refuse(r.Code, op, res)
	}
	return nil
}

// find finds a queue of the session's host that the session may use.
func (s *session) find(ctx context.Context, name, op string) (*catalog.Queue, error) {
	if err := s.usable(op); err != nil {
		return nil, err
	}
	q, ok := s.e.view.Load().Queue(s.host, name)
	if !ok {
		if err := s.e.freshView(ctx); err != nil {
			return nil, err
		}
		if q, ok = s.e.view.Load().Queue(s.host, name); !ok {
			return nil, broker.Errorf(broker.CodeUnknownQueue, op, "queue "+name, "no queue '%s' in vhost '%s'", name, s.host)
		}
	}
	return q, s.owns(q, op)
}

// FindQueue is the passive declaration.
func (s *session) FindQueue(ctx context.Context, name string) (broker.QueueStatus, error) {
	q, err := s.find(ctx, name, "find queue")
	if err != nil {
		return broker.QueueStatus{}, err
	}
	return s.status(ctx, q)
}

// status asks the queue how it stands; what was acknowledged before is in it.
func (s *session) status(ctx context.Context, q *catalog.Queue) (broker.QueueStatus, error) {
	c := command.QueueLook{Queue: uint64(q.ID)}
	r, err := s.ask(ctx, q, "find queue", &c)
	if err != nil {
		return broker.QueueStatus{}, err
	}
	st := broker.QueueStatus{ID: q.ID, Spec: q.Spec, Messages: r.Messages, Consumers: r.Consumers}
	if settings, err := settingsOf(q.Host, &q.Spec); err == nil {
		st.Ignored = settings.ignored
	}
	return st, nil
}

// ask proposes a command about one queue. A shard that does not have the queue yet gets it: the catalog has it.
func (s *session) ask(ctx context.Context, q *catalog.Queue, op string, c command.Message) (command.QueueResult, error) {
	for range changeTriesMax {
		r, err := s.proposed(ctx, q, op, c)
		if broker.CodeOf(err) != broker.CodeUnknownQueue {
			return r, err
		}
		if err := s.restore(ctx, q, op); err != nil {
			return r, err
		}
	}
	return command.QueueResult{}, broker.Errorf(broker.CodeUnavailable, op, "queue "+q.Spec.Name, "its shard does not have it yet")
}

// proposed proposes a command about a queue, once.
func (s *session) proposed(ctx context.Context, q *catalog.Queue, op string, c command.Message) (command.QueueResult, error) {
	var r command.QueueResult
	out, err := s.e.propose(ctx, q.Shard, 0, c.AppendTo(nil))
	if err != nil {
		return r, asBroker(err, op, "queue "+q.Spec.Name)
	}
	if err := r.Decode(out); err != nil {
		return r, broker.Errorf(broker.CodeInternal, op, "queue "+q.Spec.Name, "result: %w", err)
	}
	if r.Code != broker.CodeNone {
		return r, s.refused(r.Code, op, q)
	}
	return r, nil
}

// restore creates a queue that its shard does not have although the catalog does, or says that it is gone.
func (s *session) restore(ctx context.Context, q *catalog.Queue, op string) error {
	if err := s.e.freshView(ctx); err != nil {
		return err
	}
	now, ok := s.e.view.Load().Queue(s.host, q.Spec.Name)
	if !ok || now.ID != q.ID {
		return broker.Errorf(broker.CodeUnknownQueue, op, "queue "+q.Spec.Name, "no queue '%s' in vhost '%s'", q.Spec.Name, s.host)
	}
	if q.Spec.Exclusive { // its session creates it, or never will
		return broker.Errorf(broker.CodeUnavailable, op, "queue "+q.Spec.Name, "its shard does not have it yet")
	}
	settings, err := settingsOf(s.host, &q.Spec)
	if err != nil {
		return err
	}
	return s.e.createQueue(ctx, q, settings)
}

// refused is what a queue refused with, in RabbitMQ's words where it has any.
func (s *session) refused(code broker.Code, op string, q *catalog.Queue) error {
	name := q.Spec.Name
	switch code {
	case broker.CodeInUse:
		return broker.Errorf(code, op, "queue "+name, "queue '%s' in vhost '%s' in use", name, s.host)
	case broker.CodeQueueNotEmpty:
		return broker.Errorf(code, op, "queue "+name, "queue '%s' in vhost '%s' is not empty", name, s.host)
	case broker.CodeConsumerExclusive:
		return broker.Errorf(code, op, "queue "+name, "queue '%s' in vhost '%s' in exclusive use", name, s.host)
	}
	return broker.Refuse(code, op, "queue "+name)
}

// DeleteQueue deletes a queue with all it has. The shard judges the conditions and closes the queue, for good, in one step;
// then the catalog forgets it.
func (s *session) DeleteQueue(ctx context.Context, name string, ifUnused, ifEmpty bool) (uint64, error) {
	op := "delete queue"
	q, err := s.find(ctx, name, op)
	if broker.CodeOf(err) == broker.CodeUnknownQueue {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	// A shard that does not have the queue dropped it a moment ago, since its last consumer left: what is left of it is in the catalog.
	r, err := s.proposed(ctx, q, op, &command.QueueDrop{Queue: uint64(q.ID), IfUnused: ifUnused, IfEmpty: ifEmpty})
	if broker.CodeOf(err) == broker.CodeUnknownQueue {
		r, err = command.QueueResult{}, nil
	}
	if err != nil {
		return 0, err
	}
	return r.Messages, s.e.forgetQueue(ctx, q)
}

// forgetQueue takes a queue out of the catalog.
func (e *Engine) forgetQueue(ctx context.Context, q *catalog.Queue) error {
	c := command.QueueDelete{Queue: uint64(q.ID)}
	version, err := e.changeCatalog(ctx, "delete queue", "queue "+q.Spec.Name, c.AppendTo(nil))
	if err != nil {
		return err
	}
	if err := e.waitView(ctx, version); err != nil {
		return err
	}
	e.spreadOnce(ctx, version)
	return nil
}

// PurgeQueue removes all ready messages.
func (s *session) PurgeQueue(ctx context.Context, name string) (uint64, error) {
	q, err := s.find(ctx, name, "purge queue")
	if err != nil {
		return 0, err
	}
	r, err := s.ask(ctx, q, "purge queue", &command.QueuePurge{Queue: uint64(q.ID)})
	return r.Messages, err
}

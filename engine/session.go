package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// session is one connection of an AMQP client.
type session struct {
	e      *Engine
	client broker.Client
	host   string
	id     catalog.Session
	lost   func(error)

	mu        sync.Mutex
	ended     error // not nil: no more calls
	leases    map[broker.ShardID]*lease
	queues    map[broker.QueueID]*catalog.Queue // that it consumed from
	consumers map[broker.ConsumerID]*consumer
	getters   map[getter]broker.ConsumerID
	exclusive []*catalog.Queue // that it declared
	settling  int              // calls of Settle that are on their way
	settled   chan struct{}    // closed when none is; nil: nobody waits
}

// getter is a channel as one that gets from a queue.
type getter struct {
	queue   broker.QueueID
	channel uint16
}

var _ broker.Queues = (*Engine)(nil)

var errClosed = errors.New("the session was closed")

// OpenSession begins a session on a virtual host.
func (e *Engine) OpenSession(_ context.Context, c broker.Client, host string, lost func(error)) (broker.QueueSession, error) {
	if host != broker.DefaultHost {
		return nil, broker.Errorf(broker.CodeUnknownHost, "open session", "host "+host, "vhost '%s' not found", host)
	}
	return &session{e: e, client: c, host: host, lost: lost, id: catalog.Session{Node: e.opt.Node, Run: e.run, Number: e.sessions.Add(1)},
		leases: map[broker.ShardID]*lease{}, queues: map[broker.QueueID]*catalog.Queue{}, consumers: map[broker.ConsumerID]*consumer{},
		getters: map[getter]broker.ConsumerID{}}, nil
}

// QueueHosts lists the virtual hosts.
func (e *Engine) QueueHosts(context.Context) ([]string, error) {
	return []string{broker.DefaultHost}, nil
}

// usable refuses when the session has ended.
func (s *session) usable(op string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return broker.Errorf(broker.CodeSessionLost, op, "session "+s.id.String(), "%w", s.ended)
	}
	return nil
}

// owns refuses the use of another session's exclusive queue.
func (s *session) owns(q *catalog.Queue, op string) error {
	if q.Owner == (catalog.Session{}) || q.Owner == s.id {
		return nil
	}
	return broker.Errorf(broker.CodeQueueLocked, op, "queue "+q.Spec.Name, "cannot obtain exclusive access to locked queue '%s' in vhost '%s'. "+
		"It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.",
		q.Spec.Name, s.host)
}

// lease is the node's lease of a shard, with the session living by it.
func (s *session) lease(ctx context.Context, q *catalog.Queue) (*lease, error) {
	s.mu.Lock()
	l := s.leases[q.Shard]
	s.queues[q.ID] = q
	s.mu.Unlock()
	if l != nil {
		return l, nil
	}
	l, err := s.e.lease(ctx, q.Shard, s)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		l.leave(s)
		return nil, broker.Errorf(broker.CodeSessionLost, "lease", shardName(q.Shard), "%w", s.ended)
	}
	if was := s.leases[q.Shard]; was != nil {
		return was, nil // the same, or one that is lost, and then the session is about to end
	}
	s.leases[q.Shard] = l
	return l, nil
}

// end ends the session because it lost a lease.
func (s *session) end(why error) {
	leases, ok := s.stop(why)
	if !ok {
		return
	}
	s.leave(leases)
	s.lost(broker.Errorf(broker.CodeSessionLost, "session", "session "+s.id.String(), "%w", why))
}

// stop makes all further calls fail and stops the consumers; false if that has happened before.
func (s *session) stop(why error) ([]*lease, bool) {
	s.mu.Lock()
	if s.ended != nil {
		s.mu.Unlock()
		return nil, false
	}
	s.ended = why
	consumers := slices.Collect(maps.Values(s.consumers))
	var leases []*lease
	for _, shard := range sortedShards(s.leases) {
		leases = append(leases, s.leases[shard])
	}
	s.consumers = map[broker.ConsumerID]*consumer{}
	s.mu.Unlock()
	for _, c := range consumers {
		s.e.dispatch.remove(c)
	}
	return leases, true
}

// leave tells the shards that the session is over: what its consumers hold returns at once, and not with the lease.
func (s *session) leave(leases []*lease) {
	for _, l := range leases {
		l.leave(s)
		s.leaveShard(l)
	}
}

func (s *session) leaveShard(l *lease) {
	c := command.QueueLeave{Node: s.id.Node, Run: l.run, Session: s.id.Number, Whole: true}
	s.e.proposeAsync(s.e.ctx, l.shard, 0, c.AppendTo(nil), nil, func([]byte, error) {})
}

// lives refuses when the session ended while a shard was given something of it. The shard may have taken it after it was told
// that the session is over, and is told again: else it would keep it as long as the node lives.
func (s *session) lives(l *lease, op string) error {
	err := s.usable(op)
	if err != nil {
		s.leaveShard(l)
	}
	return err
}

// Close ends the session, after what it settled is in force: who closes in good order has acknowledged for good.
func (s *session) Close(ctx context.Context) {
	s.awaitSettled(ctx)
	leases, ok := s.stop(errClosed)
	if !ok {
		return
	}
	s.leave(leases)
	s.mu.Lock()
	exclusive := s.exclusive
	s.mu.Unlock()
	for _, q := range exclusive {
		if err := s.e.forgetQueue(ctx, q); err != nil {
			s.e.log.Warn("exclusive queue of a closed connection not deleted yet", "queue", q.Spec.Name, "err", err)
		}
	}
}

// settles counts calls of Settle that are on their way.
func (s *session) settles(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settling += n; s.settling == 0 && s.settled != nil {
		close(s.settled)
		s.settled = nil
	}
}

// awaitSettled waits, but not for long, until none is.
func (s *session) awaitSettled(ctx context.Context) {
	s.mu.Lock()
	if s.settling == 0 || s.ended != nil {
		s.mu.Unlock()
		return
	}
	if s.settled == nil {
		s.settled = make(chan struct{})
	}
	done := s.settled
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, closeSettlesMax)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	case <-s.e.ctx.Done():
	}
}

// randomRun is a number that no other life of the node has.
func randomRun() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

package engine

import (
	"context"
	"hash/crc32"
	"slices"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/routing"
)

// publishing is one message on its way to the queues of all shards that it goes to.
type publishing struct {
	s     *session
	p     *broker.Publish
	ctx   context.Context
	end   context.CancelFunc
	bytes int64 // charged to the gate
	total int   // queues
	sent  []byte

	mu      sync.Mutex
	waiting int // shards that did not answer, and one while they are asked
	stored  int // queues that have the message
	refused bool
	err     error // the first one
}

// parcel is the part of a message that one shard gets.
type parcel struct {
	shard   broker.ShardID
	targets []command.QueueTarget
}

// Publish routes a message and proposes it to every shard that has a queue of it. Done is called when all answered.
func (s *session) Publish(ctx context.Context, p *broker.Publish) {
	qs, topics, err := s.routed(ctx, &p.Message)
	if err == nil {
		qs, err = s.there(ctx, qs)
	}
	var records []topicMessage
	if err == nil {
		records, err = topicMessages(&p.Message, topics)
	}
	if err != nil || len(qs)+len(records) == 0 {
		p.Done(broker.PublishResult{}, err)
		return
	}
	stored := appendMessage(nil, &p.Message)
	x := &publishing{s: s, p: p, bytes: int64(len(stored)), total: len(qs) + len(records), sent: stored, waiting: 1}
	resource := "exchange " + p.Message.Exchange
	if len(stored) > messageBytesMax {
		p.Done(broker.PublishResult{}, broker.Errorf(broker.CodeBatchTooLarge, "publish", resource, "%d bytes, at most %d", len(stored), messageBytesMax))
		return
	}
	parcels := s.parcels(qs, &p.Message)
	for _, y := range parcels {
		if s.e.full(y.shard) {
			p.Done(broker.PublishResult{}, broker.Errorf(broker.CodeStorageFull, "publish", resource, "a disk of the shard is at its watermark"))
			return
		}
	}
	for i := range records {
		if s.e.full(records[i].shard) {
			p.Done(broker.PublishResult{}, broker.Errorf(broker.CodeStorageFull, "publish", resource, "a disk of the shard is at its watermark"))
			return
		}
		x.bytes += int64(len(records[i].bytes))
	}
	if err := s.e.gate.enter(ctx, x.bytes); err != nil {
		p.Done(broker.PublishResult{}, broker.Errorf(broker.CodeThrottled, "publish", resource, "waiting for room: %w", err))
		return
	}
	deadline := p.Deadline
	if deadline.IsZero() {
		deadline = time.Now().Add(publishTimeout)
	}
	if actPublishHasty.Now() {
		deadline = time.Now().Add(actWaitShort)
	}
	x.ctx, x.end = context.WithDeadline(context.WithoutCancel(ctx), deadline)
	for i := range parcels {
		x.propose(&parcels[i])
	}
	for i := range records {
		x.append(&records[i])
	}
	x.answered()
}

// routed finds the queues and topics of a message. That it goes nowhere is only said after a look at the catalog of now: a message
// that a node drops because its catalog is old is lost.
func (s *session) routed(ctx context.Context, m *broker.Message) ([]*routedQueue, []topicTarget, error) {
	if err := s.usable("publish"); err != nil {
		return nil, nil, err
	}
	r := &routing.Message{Key: m.Key, CC: m.CC, BCC: m.BCC, Headers: argumentsOf(m.Headers), CorrelationID: m.CorrelationID, MessageID: m.MessageID}
	qs, ts, err := s.e.routes.route(s.host, r, m.Exchange)
	targets := s.targets(m, ts)
	if err == nil && len(qs)+len(targets) > 0 && len(targets) == len(ts) || broker.CodeOf(err) == broker.CodeForbidden {
		return qs, targets, err
	}
	if ferr := s.e.freshView(ctx); ferr != nil {
		return nil, nil, ferr
	}
	qs, ts, err = s.e.routes.route(s.host, r, m.Exchange)
	return qs, s.targets(m, ts), err
}

// there sees to it that the shards of queues have them: a new one may be in the catalog only. This waits, so that what is
// published behind does not come before. Queues that are gone meanwhile are left out.
func (s *session) there(ctx context.Context, qs []*routedQueue) ([]*routedQueue, error) {
	for i, q := range qs {
		if q.there.Load() {
			continue
		}
		switch _, err := s.ask(ctx, q.Queue, "publish", &command.QueueLook{Queue: uint64(q.ID)}); broker.CodeOf(err) {
		case broker.CodeNone:
			q.there.Store(true)
		case broker.CodeUnknownQueue:
			return s.there(ctx, slices.Delete(slices.Clone(qs), i, i+1))
		default:
			return nil, err
		}
	}
	return qs, nil
}

// parcels sorts the queues of a message by shard, in the order of their names.
func (s *session) parcels(qs []*routedQueue, m *broker.Message) (out []parcel) {
	for _, q := range qs {
		i := 0
		for i < len(out) && out[i].shard != q.Shard {
			i++
		}
		if i == len(out) {
			out = append(out, parcel{shard: q.Shard})
		}
		out[i].targets = append(out[i].targets, command.QueueTarget{Queue: uint64(q.ID), Key: q.settings.order.of(m)})
	}
	return out
}

// publishCommand is the message for some queues of one shard.
func publishCommand(m *broker.Message, stored []byte, targets []command.QueueTarget) *command.QueuePublish {
	c := &command.QueuePublish{Targets: targets, Size: uint32(len(m.Properties) + len(m.Body)), Priority: m.Priority, ExpirationMs: -1, MessageID: m.MessageID,
		Fingerprint: fingerprint(m), PayloadCRC: crc32.Checksum(stored, castagnoli), PayloadLength: uint32(len(stored))}
	if len(m.Deaths) > 0 { // no client published it
		c.MessageID, c.Fingerprint = "", 0
	}
	if m.HasExpiration {
		c.ExpirationMs = m.Expiration.Milliseconds()
	}
	return c
}

func (x *publishing) propose(y *parcel) {
	x.mu.Lock()
	x.waiting++
	x.mu.Unlock()
	head := publishCommand(&x.p.Message, x.sent, y.targets).AppendHead(nil)
	x.s.e.proposeAsync(x.ctx, y.shard, 0, head, x.sent, func(out []byte, err error) { x.told(y, out, err) })
}

// append is propose for a topic.
func (x *publishing) append(y *topicMessage) {
	x.mu.Lock()
	x.waiting++
	x.mu.Unlock()
	y.append(x.ctx, x.s.e, func(err error) {
		x.mu.Lock()
		if err != nil {
			x.fail(err)
		} else {
			x.stored++
		}
		x.mu.Unlock()
		x.answered()
	})
}

// told notes what a shard did.
func (x *publishing) told(y *parcel, out []byte, err error) {
	var r command.QueuePublishResult
	if err == nil {
		err = r.Decode(out)
	}
	x.mu.Lock()
	switch {
	case err != nil:
		x.fail(asBroker(err, "publish", shardName(y.shard)))
	case len(r.Codes) != len(y.targets):
		x.fail(broker.Errorf(broker.CodeInternal, "publish", shardName(y.shard), "%d answers for %d queues", len(r.Codes), len(y.targets)))
	default:
		x.count(r.Codes)
	}
	x.mu.Unlock()
	x.answered()
}

func (x *publishing) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// count notes the answers of queues. One that its shard does not have any more was deleted meanwhile, and the message with it.
func (x *publishing) count(codes []broker.Code) {
	for _, code := range codes {
		switch code {
		case broker.CodeNone:
			x.stored++
		case broker.CodeUnknownQueue:
		default:
			x.refused = true
		}
	}
}

// answered counts a shard's answer, and after the last one tells the publisher.
func (x *publishing) answered() {
	x.mu.Lock()
	x.waiting--
	last := x.waiting == 0
	x.mu.Unlock()
	if !last {
		return
	}
	x.end()
	x.s.e.gate.leave(x.bytes)
	err, resource := x.err, "exchange "+x.p.Message.Exchange
	switch {
	case err != nil && x.stored > 0 && broker.CodeOf(err) != broker.CodeOutcomeUnknown:
		err = broker.Errorf(broker.CodeOutcomeUnknown, "publish", resource, "%d of %d queues have it: %w", x.stored, x.total, err)
	case err == nil && x.refused:
		err = broker.Errorf(broker.CodeQueueRefused, "publish", resource, "%d of %d queues have it", x.stored, x.total)
	}
	x.p.Done(broker.PublishResult{Queues: x.total}, err)
}

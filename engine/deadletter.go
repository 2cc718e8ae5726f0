package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/queueing"
)

const (
	// deadLettersMax is how many messages of a queue one transaction sends on; it ends earlier with the message that makes it
	// larger than deadLettersBytes.
	deadLettersMax   = 64
	deadLettersBytes = 1 << 20
	// deadLettersAgain is the pause before what could not be sent on is tried again: its target is full, or there is none.
	deadLettersAgain = 5 * time.Second
)

// sendDeadLetters sends on what died in the queues of the shard, to where each queue's dead letters go. A message leaves its queue
// and arrives at its targets in one transaction; whoever leads next begins with what still waits.
func (l *lead) sendDeadLetters(ctx context.Context) {
	after := map[broker.QueueID]uint64{} // what could not go does not hold up what lies behind it
	for l.ctx.Err() == nil {
		l.r.mu.RLock()
		dead := l.r.lines.Dying(deadLettersMax, after)
		l.r.mu.RUnlock()
		left := false
		for _, id := range slices.Sorted(maps.Keys(dead)) {
			delete(after, id)
			if !l.sendOn(id, dead[id]) {
				left = true
				after[id] = dead[id][len(dead[id])-1].Number
			}
		}
		if len(dead) > 0 && !left {
			continue
		}
		select {
		case <-l.ctx.Done():
		case <-l.died:
		case <-time.After(deadLettersAgain):
		}
	}
}

// sendOn sends on messages of one queue, in their order; false: some still wait.
func (l *lead) sendOn(id broker.QueueID, dead []queueing.Dying) (all bool) {
	var q *catalog.Queue
	for _, x := range l.e.view.Load().QueuesOf(l.shard) {
		if x.ID == id {
			q = x
		}
	}
	if q == nil {
		return false // it is about to be dropped, or this node's catalog is old
	}
	ctx, cancel := context.WithTimeout(l.ctx, commitTimeout)
	defer cancel()
	s := &session{e: l.e, host: q.Host, id: catalog.Session{Node: l.e.opt.Node, Run: l.e.run}}
	left := 0
	var why error
	for len(dead) > 0 {
		n, err := l.deadLetters(ctx, s, q, dead)
		if err != nil && n > 1 {
			// One by one: what cannot go is not to hold up the others.
			for i := range dead[:n] {
				// Of an unknown one, it is gone or in a transaction that may still commit.
				if _, err := l.deadLetters(ctx, s, q, dead[i:i+1]); err != nil && broker.CodeOf(err) != broker.CodeUnknownDelivery {
					left, why = left+1, err
				}
			}
		} else if err != nil {
			left, why = left+1, err
		}
		dead = dead[n:]
	}
	if left > 0 && l.ctx.Err() == nil {
		l.e.log.Warn("dead letters wait in their queue", "queue", q.Spec.Name, "exchange", argument(q.Spec.Arguments, argDeadLetterExchange).Text, "messages", left, "err", why)
	}
	return left == 0
}

// deadLetters is one transaction: it gives how many of the messages it looked at, one at least; an error: some of them are left.
// One that has no target is, unless the queue's strategy is at-most-once, which drops it.
func (l *lead) deadLetters(ctx context.Context, s *session, q *catalog.Queue, dead []queueing.Dying) (n int, err error) {
	w := &work{}
	source := w.part(l.shard)
	lost := 0
	for ; n < len(dead) && w.bytes() < deadLettersBytes; n++ {
		m, err := l.deadMessage(ctx, q, &dead[n])
		if err != nil {
			return n + 1, err
		}
		queues, topics, err := s.routeDead(ctx, m)
		if err != nil {
			return n + 1, err
		}
		if queues == nil && len(topics) == 0 && argument(q.Spec.Arguments, argDeadLetterStrategy).Text != atMostOnce {
			lost++
			continue
		}
		source.room(0).items = append(source.room(0).items, command.QueueSettlement{Queue: uint64(q.ID), Number: dead[n].Number, Outcome: uint8(queueing.Buried)})
		for _, target := range topics {
			w.record(m, target)
		}
		stored := appendMessage(nil, m)
		for _, y := range s.parcels(queues, m) {
			w.part(y.shard).add(m, stored, y.targets)
		}
	}
	if lost == n {
		return n, broker.Errorf(broker.CodeUnknownQueue, "dead-letter", "queue "+q.Spec.Name, "no queue is bound for %d messages", lost)
	}
	if len(w.parts) == 1 && len(source.pieces) == 1 && len(w.topics) == 0 {
		err = s.transact(ctx, source)
	} else {
		err = s.commitOver(ctx, w)
	}
	if err == nil && lost > 0 {
		err = broker.Errorf(broker.CodeUnknownQueue, "dead-letter", "queue "+q.Spec.Name, "no queue is bound for %d messages", lost)
	}
	return n, err
}

// deadMessage is a message as it is published again: with what happened to it, the latest first, as RabbitMQ counts it
// (https://www.rabbitmq.com/docs/dlx).
func (l *lead) deadMessage(ctx context.Context, q *catalog.Queue, x *queueing.Dying) (*broker.Message, error) {
	var d broker.Delivery
	if err := l.e.fill(ctx, l.shard, &queueing.Delivery{Queue: x.Queue, Name: x.Name}, &d); err != nil {
		return nil, broker.Errorf(broker.CodeUnavailable, "dead-letter", "queue "+q.Spec.Name, "its bytes are not here yet: %w", err)
	}
	m := &broker.Message{Exchange: argument(q.Spec.Arguments, argDeadLetterExchange).Text, Key: d.Key, Properties: d.Properties, Body: d.Body, Persistent: true}
	if read := l.e.opt.ReadProperties; read != nil {
		if err := read(d.Properties, m); err != nil {
			return nil, broker.Errorf(broker.CodeInternal, "dead-letter", "queue "+q.Spec.Name, "its properties: %w", err)
		}
	}
	if key := argument(q.Spec.Arguments, argDeadLetterKey); key.Kind == broker.ArgumentText {
		m.Key, m.CC = key.Text, nil
	}
	death := broker.Death{Queue: q.Spec.Name, Reason: x.Reason, Exchange: d.Exchange, Keys: []string{d.Key}, Time: time.Now().UnixMilli()}
	for i, old := range d.Deaths {
		if old.Queue == death.Queue && old.Reason == death.Reason {
			death.Count, death.Time = old.Count, old.Time
			d.Deaths = slices.Delete(d.Deaths, i, i+1)
			break
		}
	}
	death.Count++
	m.Deaths = append([]broker.Death{death}, d.Deaths...)
	return m, nil
}

// routeDead finds the queues and topics of a dead letter. nil: there is none. One that would come back to a queue that it died in,
// without anybody having rejected it in between, does not go there, since it would go round for ever: where nothing else is left, the
// queues are none but not nil, and it is dropped, as RabbitMQ does.
func (s *session) routeDead(ctx context.Context, m *broker.Message) (qs []*routedQueue, topics []topicTarget, err error) {
	qs, topics, err = s.routed(ctx, m)
	if code := broker.CodeOf(err); code == broker.CodeUnknownExchange || code == broker.CodeForbidden {
		return nil, nil, nil
	}
	if err == nil {
		qs, err = s.there(ctx, qs)
	}
	if err != nil || len(qs) == 0 {
		return nil, topics, err
	}
	if slices.ContainsFunc(m.Deaths, func(d broker.Death) bool { return d.Reason == reasonRejected }) {
		return qs, topics, nil
	}
	return slices.DeleteFunc(slices.Clone(qs), func(q *routedQueue) bool {
		return slices.ContainsFunc(m.Deaths, func(d broker.Death) bool { return d.Queue == q.Spec.Name })
	}), topics, nil
}

// reasonRejected is the death of a message that a consumer rejected.
const reasonRejected = "rejected"

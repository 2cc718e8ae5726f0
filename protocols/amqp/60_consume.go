package amqp

import (
	"math"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/channel"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// consume is basic.consume. Deliveries that come before consume-ok follow it.
func (c *conn) consume(ch *openChannel, m *wire.BasicConsume) *wire.Error {
	queue, refused := c.queue(ch, m.Queue, m.ID())
	if refused == nil {
		refused = c.allow(Read, "queue", queue, m.ID())
	}
	if refused != nil {
		return refused
	}
	priority, refused := consumerPriority(m)
	if refused != nil {
		return refused
	}
	c.mu.Lock()
	k, refused := ch.state.AddConsumer(m.ConsumerTag, queue, m.NoAck)
	messages := credit(ch, m.NoAck)
	c.mu.Unlock()
	if refused != nil {
		return refused
	}
	id, err := c.session.Consume(c.ctx, &broker.Consume{
		Queue: queue, Channel: ch.number, Tag: k.Tag, Exclusive: m.Exclusive, Priority: priority, Messages: messages,
		Deliver: func(d *broker.Delivery) { c.deliver(ch, k, d) },
		Ended:   func(error) { c.consumerEnded(ch, k) },
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		ch.state.RemoveConsumer(k)
		return refusal(err, m.ID())
	}
	if ch.closed {
		return nil
	}
	if !m.NoWait {
		c.machine.Send(ch.number, &wire.BasicConsumeOk{ConsumerTag: k.Tag})
	}
	if ch.state.Consumer(k.Tag) != k { // it ended before it began for the client
		c.tellCancelledLocked(ch, k.Tag)
		return nil
	}
	for _, d := range k.Start(id) {
		c.deliverLocked(ch, k, d)
	}
	return nil
}

func consumerPriority(m *wire.BasicConsume) (int32, *wire.Error) {
	v := m.Arguments.Lookup("x-priority")
	if v.Kind == 0 {
		return 0, nil
	}
	n, ok := v.Int()
	if !ok || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, wire.Errorf(wire.PreconditionFailed, m.ID(), "invalid arg 'x-priority': it is an integer of 32 bits")
	}
	return int32(n), nil
}

// credit is how many deliveries a consumer of the channel may have. Prefetch does not bound those without acknowledgement.
func credit(ch *openChannel, noAck bool) uint32 {
	switch prefetch := ch.state.Prefetch(); {
	case noAck:
		return creditNoAck
	case prefetch == 0:
		return creditDefault
	default:
		return prefetch
	}
}

// deliver is the engine's, one delivery after the other.
func (c *conn) deliver(ch *openChannel, k *channel.Consumer, d *broker.Delivery) {
	c.mu.Lock()
	if !ch.closed && k.Accepts(d) {
		c.deliverLocked(ch, k, d)
	}
	c.mu.Unlock()
	c.signal()
}

// deliverLocked writes a delivery for the client. One that cannot be sent any more is the channel's until that is closed.
func (c *conn) deliverLocked(ch *openChannel, k *channel.Consumer, d *broker.Delivery) {
	if !c.machine.CanSend(ch.number) {
		return
	}
	h, err := header(d)
	if err != nil {
		c.failLocked(0, wire.Errorf(wire.InternalError, wire.MethodBasicDeliver, "a message of queue '%s': %v", d.Queue, err))
		return
	}
	tag := ch.state.Deliver(d.ID, k.NoAck)
	m := &wire.BasicDeliver{ConsumerTag: k.Tag, DeliveryTag: tag, Redelivered: d.Redelivered, Exchange: d.Exchange, RoutingKey: d.Key}
	c.contentLocked(ch, m, &h, d, k.NoAck)
}

// contentLocked sends a delivery. Without acknowledgement it is settled when it is written.
func (c *conn) contentLocked(ch *openChannel, m wire.Method, h *wire.ContentHeader, d *broker.Delivery, noAck bool) {
	c.machine.SendContent(ch.number, m, h, d.Body)
	c.server.delivered.Add(1)
	if noAck {
		c.written = append(c.written, broker.Settlement{ID: d.ID, Outcome: broker.Acknowledge})
	}
}

// consumerEnded is the engine's: the queue is gone, or took the consumer away.
func (c *conn) consumerEnded(ch *openChannel, k *channel.Consumer) {
	c.mu.Lock()
	starting := k.Starting()
	if !ch.closed && ch.state.RemoveConsumer(k) && !starting {
		c.tellCancelledLocked(ch, k.Tag)
	}
	c.mu.Unlock()
	c.signal()
}

func (c *conn) tellCancelledLocked(ch *openChannel, tag string) {
	if c.machine.Capable("consumer_cancel_notify") {
		c.machine.Send(ch.number, &wire.BasicCancel{ConsumerTag: tag, NoWait: true})
	}
}

// cancelConsumer is basic.cancel; a tag that is not there is no error.
func (c *conn) cancelConsumer(ch *openChannel, m *wire.BasicCancel) *wire.Error {
	c.mu.Lock()
	k := ch.state.Consumer(m.ConsumerTag)
	c.mu.Unlock()
	if k != nil {
		if err := c.session.Cancel(c.ctx, k.ID); err != nil && broker.CodeOf(err) != broker.CodeUnknownConsumer {
			return refusal(err, m.ID())
		}
		c.mu.Lock()
		ch.state.RemoveConsumer(k)
		c.mu.Unlock()
	}
	c.answer(ch, m.NoWait, &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
	return nil
}

func (c *conn) qos(ch *openChannel, m *wire.BasicQos) *wire.Error {
	c.mu.Lock()
	changed, refused := ch.state.Qos(m)
	messages := credit(ch, false)
	c.mu.Unlock()
	if refused != nil {
		return refused
	}
	for _, k := range changed {
		if k.NoAck {
			continue
		}
		if err := c.session.SetCredit(c.ctx, k.ID, messages); err != nil && broker.CodeOf(err) != broker.CodeUnknownConsumer {
			return refusal(err, m.ID())
		}
	}
	c.send(ch, &wire.BasicQosOk{})
	return nil
}

func (c *conn) get(ch *openChannel, m *wire.BasicGet) *wire.Error {
	queue, refused := c.queue(ch, m.Queue, m.ID())
	if refused == nil {
		refused = c.allow(Read, "queue", queue, m.ID())
	}
	if refused != nil {
		return refused
	}
	d, left, err := c.session.Get(c.ctx, queue, ch.number)
	switch {
	case err != nil:
		return refusal(err, m.ID())
	case d == nil:
		c.send(ch, &wire.BasicGetEmpty{})
		return nil
	}
	h, err := header(d)
	if err != nil {
		return wire.Errorf(wire.InternalError, m.ID(), "a message of queue '%s': %v", queue, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.closed || !c.machine.CanSend(ch.number) {
		return nil // it returns to its queue with the channel
	}
	tag := ch.state.Deliver(d.ID, m.NoAck)
	ok := &wire.BasicGetOk{DeliveryTag: tag, Redelivered: d.Redelivered, Exchange: d.Exchange, RoutingKey: d.Key, MessageCount: count32(left)}
	c.contentLocked(ch, ok, &h, d, m.NoAck)
	return nil
}

// settle is basic.ack, nack and reject.
func (c *conn) settle(ch *openChannel, method wire.MethodID, tag uint64, multiple bool, o broker.Outcome) *wire.Error {
	c.mu.Lock()
	var settlements []broker.Settlement
	var refused *wire.Error
	if full := ch.state.Mode() == channel.Transactions && ch.state.StagedCount() >= stagedMax; full {
		refused = wire.Errorf(wire.PreconditionFailed, method, "the transaction has more than %d publishes and acknowledgements", stagedMax)
	} else {
		settlements, refused = ch.state.Settle(method, tag, multiple, o)
	}
	c.mu.Unlock()
	if len(settlements) > 0 {
		c.session.Settle(c.ctx, settlements, nil)
	}
	return refused
}

func (c *conn) recover(ch *openChannel, method wire.MethodID, requeue bool, ok wire.Method) *wire.Error {
	if !requeue {
		return wire.Errorf(wire.NotImplemented, method, "requeue=false")
	}
	c.mu.Lock()
	settlements := ch.state.Recover()
	c.mu.Unlock()
	if len(settlements) > 0 {
		c.session.Settle(c.ctx, settlements, nil)
	}
	if ok != nil {
		c.send(ch, ok)
	}
	return nil
}

package amqp

import (
	"math"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// Behaviour of the class queue (50): an empty name is the queue that the channel declared last, but for a declaration, where
// the server chooses; a passive declaration looks at the name only. Counts on the wire stop at 32 bits.

func (c *conn) declareQueue(ch *openChannel, m *wire.QueueDeclare) *wire.Error {
	status, refused := c.findOrDeclare(ch, m)
	if refused != nil {
		return refused
	}
	c.mu.Lock()
	ch.state.Declared(status.Spec.Name)
	c.mu.Unlock()
	c.answer(ch, m.NoWait, &wire.QueueDeclareOk{Queue: status.Spec.Name, MessageCount: count32(status.Messages), ConsumerCount: status.Consumers})
	return nil
}

func (c *conn) findOrDeclare(ch *openChannel, m *wire.QueueDeclare) (broker.QueueStatus, *wire.Error) {
	if m.Passive {
		name, refused := c.queue(ch, m.Queue, m.ID())
		if refused != nil {
			return broker.QueueStatus{}, refused
		}
		status, err := c.session.FindQueue(c.ctx, name)
		if err != nil {
			return status, refusal(err, m.ID())
		}
		return status, nil
	}
	if refused := c.allow(Configure, "queue", m.Queue, m.ID()); refused != nil {
		return broker.QueueStatus{}, refused
	}
	status, err := c.session.DeclareQueue(c.ctx, broker.QueueSpec{
		Name: m.Queue, Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete, Arguments: arguments(m.Arguments),
	})
	if err != nil {
		return status, refusal(err, m.ID())
	}
	return status, nil
}

func (c *conn) queue(ch *openChannel, name string, method wire.MethodID) (string, *wire.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ch.state.Queue(name, method)
}

func (c *conn) bindQueue(ch *openChannel, m *wire.QueueBind) *wire.Error {
	name, refused := c.queue(ch, m.Queue, m.ID())
	if refused != nil {
		return refused
	}
	key := m.RoutingKey
	if m.Queue == "" && key == "" { // the specification's shortcut: a queue without a name is bound by its own
		key = name
	}
	b := broker.Binding{Source: m.Exchange, Destination: name, Key: key, Arguments: arguments(m.Arguments)}
	return c.bind(ch, b, m.ID(), m.NoWait, &wire.QueueBindOk{})
}

func (c *conn) unbindQueue(ch *openChannel, m *wire.QueueUnbind) *wire.Error {
	name, refused := c.queue(ch, m.Queue, m.ID())
	if refused != nil {
		return refused
	}
	key := m.RoutingKey
	if m.Queue == "" && key == "" {
		key = name
	}
	b := broker.Binding{Source: m.Exchange, Destination: name, Key: key, Arguments: arguments(m.Arguments)}
	return c.unbind(ch, b, m.ID(), false, &wire.QueueUnbindOk{})
}

func (c *conn) purgeQueue(ch *openChannel, m *wire.QueuePurge) *wire.Error {
	name, refused := c.queue(ch, m.Queue, m.ID())
	if refused == nil {
		refused = c.allow(Read, "queue", name, m.ID())
	}
	if refused != nil {
		return refused
	}
	n, err := c.session.PurgeQueue(c.ctx, name)
	if err != nil {
		return refusal(err, m.ID())
	}
	c.answer(ch, m.NoWait, &wire.QueuePurgeOk{MessageCount: count32(n)})
	return nil
}

func (c *conn) deleteQueue(ch *openChannel, m *wire.QueueDelete) *wire.Error {
	name, refused := c.queue(ch, m.Queue, m.ID())
	if refused == nil {
		refused = c.allow(Configure, "queue", name, m.ID())
	}
	if refused != nil {
		return refused
	}
	n, err := c.session.DeleteQueue(c.ctx, name, m.IfUnused, m.IfEmpty)
	if err != nil {
		return refusal(err, m.ID())
	}
	c.answer(ch, m.NoWait, &wire.QueueDeleteOk{MessageCount: count32(n)})
	return nil
}

func count32(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

package amqp

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// Behaviour of the class exchange (40): a passive declaration looks at the name only; deleting and unbinding what is not
// there is no error.

func (c *conn) declareExchange(ch *openChannel, m *wire.ExchangeDeclare) *wire.Error {
	var err error
	if m.Passive {
		_, err = c.session.FindExchange(c.ctx, m.Exchange)
	} else {
		if refused := c.allow(Configure, "exchange", m.Exchange, m.ID()); refused != nil {
			return refused
		}
		err = c.session.DeclareExchange(c.ctx, broker.Exchange{
			Name: m.Exchange, Type: m.Type, Durable: m.Durable, AutoDelete: m.AutoDelete, Internal: m.Internal, Arguments: arguments(m.Arguments),
		})
	}
	if err != nil {
		return refusal(err, m.ID())
	}
	c.answer(ch, m.NoWait, &wire.ExchangeDeclareOk{})
	return nil
}

func (c *conn) deleteExchange(ch *openChannel, m *wire.ExchangeDelete) *wire.Error {
	if refused := c.allow(Configure, "exchange", m.Exchange, m.ID()); refused != nil {
		return refused
	}
	if err := c.session.DeleteExchange(c.ctx, m.Exchange, m.IfUnused); err != nil {
		return refusal(err, m.ID())
	}
	c.answer(ch, m.NoWait, &wire.ExchangeDeleteOk{})
	return nil
}

func (c *conn) bindExchange(ch *openChannel, m *wire.ExchangeBind) *wire.Error {
	b := broker.Binding{Source: m.Source, Exchange: true, Destination: m.Destination, Key: m.RoutingKey, Arguments: arguments(m.Arguments)}
	return c.bind(ch, b, m.ID(), m.NoWait, &wire.ExchangeBindOk{})
}

func (c *conn) unbindExchange(ch *openChannel, m *wire.ExchangeUnbind) *wire.Error {
	b := broker.Binding{Source: m.Source, Exchange: true, Destination: m.Destination, Key: m.RoutingKey, Arguments: arguments(m.Arguments)}
	return c.unbind(ch, b, m.ID(), m.NoWait, &wire.ExchangeUnbindOk{})
}

func (c *conn) bind(ch *openChannel, b broker.Binding, method wire.MethodID, noWait bool, ok wire.Method) *wire.Error {
	if refused := c.allowBinding(b, method); refused != nil {
		return refused
	}
	if err := c.session.Bind(c.ctx, b); err != nil {
		return refusal(err, method)
	}
	c.answer(ch, noWait, ok)
	return nil
}

func (c *conn) unbind(ch *openChannel, b broker.Binding, method wire.MethodID, noWait bool, ok wire.Method) *wire.Error {
	if refused := c.allowBinding(b, method); refused != nil {
		return refused
	}
	if err := c.session.Unbind(c.ctx, b); err != nil {
		return refusal(err, method)
	}
	c.answer(ch, noWait, ok)
	return nil
}

// allowBinding: whoever binds writes to the destination and reads from the source.
func (c *conn) allowBinding(b broker.Binding, method wire.MethodID) *wire.Error {
	kind := "queue"
	if b.Exchange {
		kind = "exchange"
	}
	if refused := c.allow(Write, kind, b.Destination, method); refused != nil {
		return refused
	}
	return c.allow(Read, "exchange", b.Source, method)
}

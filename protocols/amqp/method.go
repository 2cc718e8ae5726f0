package amqp

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/channel"
	"github.com/tallymq/tallymq/protocols/amqp/connection"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// do does one method of an open channel.
func (c *conn) do(ch *openChannel, e connection.Event) *wire.Error {
	switch m := e.Method.(type) {
	case *wire.BasicPublish:
		return c.publishMessage(ch, m, e.Header, e.Body)
	case *wire.BasicAck:
		return c.settle(ch, m.ID(), m.DeliveryTag, m.Multiple, broker.Acknowledge)
	case *wire.BasicNack:
		return c.settle(ch, m.ID(), m.DeliveryTag, m.Multiple, outcome(m.Requeue, broker.Requeue))
	case *wire.BasicReject:
		return c.settle(ch, m.ID(), m.DeliveryTag, false, outcome(m.Requeue, broker.RejectAgain))
	case *wire.BasicRecover:
		return c.recover(ch, m.ID(), m.Requeue, &wire.BasicRecoverOk{})
	case *wire.BasicRecoverAsync:
		return c.recover(ch, m.ID(), m.Requeue, nil)
	case *wire.BasicConsume:
		return c.consume(ch, m)
	case *wire.BasicCancel:
		return c.cancelConsumer(ch, m)
	case *wire.BasicQos:
		return c.qos(ch, m)
	case *wire.BasicGet:
		return c.get(ch, m)
	case *wire.ConfirmSelect:
		return c.selectMode(ch, channel.Confirming, m.ID(), m.NoWait, &wire.ConfirmSelectOk{})
	case *wire.TxSelect:
		return c.selectMode(ch, channel.Transactions, m.ID(), false, &wire.TxSelectOk{})
	case *wire.TxCommit:
		return c.commit(ch)
	case *wire.TxRollback:
		return c.rollback(ch)
	}
	return c.declare(ch, e.Method)
}

// declare does one method of exchanges or queues.
func (c *conn) declare(ch *openChannel, m wire.Method) *wire.Error {
	switch m := m.(type) {
	case *wire.ExchangeDeclare:
		return c.declareExchange(ch, m)
	case *wire.ExchangeDelete:
		return c.deleteExchange(ch, m)
	case *wire.ExchangeBind:
		return c.bindExchange(ch, m)
	case *wire.ExchangeUnbind:
		return c.unbindExchange(ch, m)
	case *wire.QueueDeclare:
		return c.declareQueue(ch, m)
	case *wire.QueueBind:
		return c.bindQueue(ch, m)
	case *wire.QueueUnbind:
		return c.unbindQueue(ch, m)
	case *wire.QueuePurge:
		return c.purgeQueue(ch, m)
	case *wire.QueueDelete:
		return c.deleteQueue(ch, m)
	}
	return wire.Errorf(wire.NotImplemented, m.ID(), "%v is not offered", m.ID())
}

func outcome(requeue bool, again broker.Outcome) broker.Outcome {
	if requeue {
		return again
	}
	return broker.Reject
}

func (c *conn) selectMode(ch *openChannel, mode channel.Mode, method wire.MethodID, noWait bool, ok wire.Method) *wire.Error {
	c.mu.Lock()
	err := ch.state.Select(mode, method)
	c.mu.Unlock()
	if err == nil {
		c.answer(ch, noWait, ok)
	}
	return err
}

// answer sends what a method is answered with, unless the client does not want it.
func (c *conn) answer(ch *openChannel, noWait bool, m wire.Method) {
	if !noWait {
		c.send(ch, m)
	}
}

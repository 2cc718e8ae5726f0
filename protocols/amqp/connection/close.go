package connection

import (
	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// fail ends the connection for something that is wrong with it. Whoever is not known yet is not told what: then the
// socket is closed, after a pause, as RabbitMQ does.
func (c *Connection) fail(err *wire.Error) {
	switch {
	case c.over():
	case c.state < tuning, c.state == tuning && err.Code != wire.NotAllowed:
		c.end(err, true)
	default:
		c.closeWith(err)
	}
}

// failForGood is fail for when nothing more can be read.
func (c *Connection) failForGood(err *wire.Error) {
	c.fail(err)
	c.end(err, true)
}

// closeWith tells the client why, and awaits its close-ok.
func (c *Connection) closeWith(err *wire.Error) {
	c.send(0, &wire.ConnectionClose{
		ReplyCode: uint16(err.Code), ReplyText: err.ReplyText(), ClassID: uint16(err.Method.Class()), MethodID: err.Method.Number(),
	})
	c.state, c.closedAt = closed, c.now
	c.forget()
	c.emit(Event{Kind: EventFailed, Err: err})
}

// Fail ends the connection, or the channel, for an error that the front end found: the code says which of them. Of a
// channel that is not open any more nothing is said.
func (c *Connection) Fail(number uint16, err *wire.Error) {
	if c.state != running {
		return
	}
	ch := c.channels[number]
	switch {
	case err.Code.Hard() || number == 0:
		c.closeWith(err)
	case ch != nil && ch.state == channelOpen:
		c.closeChannel(number, ch, err)
	}
}

func (c *Connection) clientCloses(m *wire.ConnectionClose) {
	switch c.state {
	case running:
		c.state = closing
		c.forget()
		c.emit(Event{Kind: EventClose, Method: m})
	case closed: // both closed at once: each answers the other
		c.out = wire.AppendMethodFrame(c.out, 0, &wire.ConnectionCloseOk{})
	default: // nothing was opened, nothing is cleaned up
		c.send(0, &wire.ConnectionCloseOk{})
		c.end(nil, false)
	}
}

// Closed says that what belonged to the connection is cleaned up.
func (c *Connection) Closed() {
	if c.over() { // the client was given up while its things were cleaned up
		return
	}
	invariant.Check(c.state == closing, "BUG: closed in state %v", c.state)
	c.send(0, &wire.ConnectionCloseOk{})
	c.end(nil, false)
}

// Lost says that the socket is gone.
func (c *Connection) Lost() {
	c.end(wire.Errorf(wire.ConnectionForced, 0, "the client is gone"), false)
}

// end is the end; only the first counts.
func (c *Connection) end(err *wire.Error, pause bool) {
	if c.state == ended {
		return
	}
	c.state = ended
	c.forget()
	c.emit(Event{Kind: EventEnd, Err: err, Pause: pause})
}

// forget drops all channels: nothing more is read or sent on them.
func (c *Connection) forget() {
	c.channels, c.partial, c.updating = map[uint16]*channel{}, 0, false
}

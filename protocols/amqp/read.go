package amqp

import (
	"errors"
	"net"

	"github.com/tallymq/tallymq/protocols/amqp/connection"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// input is what came and was not taken yet: bytes[start:end].
type input struct {
	bytes      []byte
	start, end int
}

// room makes place for more: what is left moves to the front, of twice the room if that is not enough. Frames are bounded, so this is.
func (in *input) room() []byte {
	if in.start > 0 {
		in.end = copy(in.bytes, in.bytes[in.start:in.end])
		in.start = 0
	}
	if in.end == len(in.bytes) {
		grown := make([]byte, max(2*len(in.bytes), readBytesFirst))
		copy(grown, in.bytes[:in.end])
		in.bytes = grown
	}
	return in.bytes[in.end:]
}

// read takes events until the last one, which it returns.
func (c *conn) read() connection.Event {
	var in input
	for {
		c.tellGone()
		c.mu.Lock()
		c.confirmLocked() // it may be the client's close that comes
		e, n := c.machine.Next(in.bytes[in.start:in.end])
		in.start += n
		c.handling = e.Kind != 0
		c.mu.Unlock()
		switch {
		case e.Kind == connection.EventEnd:
			return e
		case e.Kind != 0:
			c.event(e)
		case n == 0:
			c.more(&in)
		}
		c.signal()
	}
}

// more waits for bytes.
func (c *conn) more(in *input) {
	n, err := c.nc.Read(in.room())
	in.end += n
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.machine.Received(c.clock())
	}
	var timeout net.Error
	switch {
	case err == nil, c.machine.IsEnded():
	case errors.As(err, &timeout) && timeout.Timeout() && c.draining:
		c.sayGoodbyeLocked()
	default:
		c.machine.Lost()
	}
}

// sayGoodbyeLocked waits until what is in flight is answered, and closes the connection. Its close-ok is waited for as after
// any other error.
func (c *conn) sayGoodbyeLocked() {
	c.nc.SetReadDeadline(noDeadline)
	c.draining = false
	for c.publish > 0 && c.ctx.Err() == nil && !c.machine.IsEnded() {
		c.changed.Wait()
	}
	if !c.machine.IsOpen() { // still shaking hands, or closing anyway
		c.machine.Lost()
		return
	}
	c.failLocked(0, wire.Errorf(wire.ConnectionForced, 0, "broker forced connection closure with reason 'shutdown'"))
}

// tellGone tells the engine of channels that closed here.
func (c *conn) tellGone() {
	c.mu.Lock()
	gone := c.gone
	c.gone = nil
	c.mu.Unlock()
	for _, number := range gone {
		c.closeInEngine(number)
	}
}

func (c *conn) closeInEngine(number uint16) {
	if err := c.session.CloseChannel(c.ctx, number); err != nil {
		c.fail(0, refusal(err, wire.MethodChannelClose))
	}
}

// event does what the client wants.
func (c *conn) event(e connection.Event) {
	switch e.Kind {
	case connection.EventAuthenticate:
		c.authenticate(e.Credentials)
	case connection.EventUpdateSecret:
		c.updateSecret(e.Credentials)
	case connection.EventOpen:
		c.openHost(e.VirtualHost)
	case connection.EventChannelOpened:
		c.mu.Lock()
		c.open[e.Channel] = &openChannel{number: e.Channel}
		c.mu.Unlock()
	case connection.EventMethod, connection.EventPublish:
		c.mu.Lock()
		ch := c.open[e.Channel]
		c.mu.Unlock()
		if ch == nil { // it was closed here after the machine took the method
			return
		}
		if err := c.do(ch, e); err != nil {
			c.fail(e.Channel, err)
		}
	case connection.EventChannelClose:
		c.mu.Lock()
		if ch := c.open[e.Channel]; ch != nil {
			c.dropLocked(ch)
		}
		c.mu.Unlock()
		c.closeInEngine(e.Channel)
		c.mu.Lock()
		c.machine.ChannelClosed(e.Channel)
		c.mu.Unlock()
	case connection.EventChannelFailed:
		c.mu.Lock()
		c.closeLocked(e.Channel)
		c.mu.Unlock()
	case connection.EventFailed:
		c.mu.Lock()
		c.closeAllLocked()
		c.mu.Unlock()
		c.report(e.Err)
	case connection.EventClose:
		c.clientCloses()
	}
}

// clientCloses answers close only after the session is closed: exclusive queues are gone when the client knows.
func (c *conn) clientCloses() {
	c.mu.Lock()
	c.closeAllLocked()
	c.mu.Unlock()
	if c.session != nil {
		c.session.Close(c.ctx)
	}
	c.mu.Lock()
	c.machine.Closed()
	c.mu.Unlock()
}

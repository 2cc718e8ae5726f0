package connection

import (
	"time"

	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// never is a time that does not come.
const never = time.Duration(1<<63 - 1)

// Received says that bytes of the client came, now. Times count from when the connection was made.
func (c *Connection) Received(now time.Duration) { c.now, c.received = now, now }

// Sent says that bytes left for the client, now.
func (c *Connection) Sent(now time.Duration) { c.now, c.sent = now, now }

// Tick does what is due: a heartbeat if nothing else was sent, the end if nothing came for too long, if the handshake
// takes too long or if close-ok does. It returns when it wants to be called next, at the latest.
func (c *Connection) Tick(now time.Duration) time.Duration {
	c.now = now
	switch {
	case c.state == ended:
		return never
	case c.state == closed:
		return c.await(c.closedAt+c.closeTimeout(), "no connection.close-ok came")
	case c.state < running:
		return c.await(handshakeTimeout, "the handshake took too long")
	case c.heartbeat == 0:
		return never
	}
	if silent := c.await(c.received+heartbeatsMissed*c.heartbeat, "no heartbeat came"); c.state != ended {
		return min(silent, c.beat())
	}
	return never
}

// beat sends a heartbeat if nothing was sent for long enough, and says when the next is due.
func (c *Connection) beat() time.Duration {
	due := c.sent + c.heartbeat/heartbeatsPerInterval
	if c.now < due {
		return due
	}
	if len(c.out) == 0 { // else something is about to be sent
		c.out = wire.AppendHeartbeat(c.out)
	}
	c.sent = c.now
	return c.now + c.heartbeat/heartbeatsPerInterval
}

func (c *Connection) closeTimeout() time.Duration {
	if c.heartbeat > 0 {
		return min(c.heartbeat, closeTimeout)
	}
	return closeTimeout
}

// await ends the connection when it is due, else says when that is.
func (c *Connection) await(due time.Duration, why string) time.Duration {
	if c.now < due {
		return due
	}
	c.end(wire.Errorf(wire.ConnectionForced, 0, "%s", why), false)
	return never
}

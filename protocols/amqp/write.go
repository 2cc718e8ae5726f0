package amqp

import (
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// write sends what the machine has for the client, and its heartbeats, until the reader is done and all is sent.
func (c *conn) write() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		out, written, next, over := c.output()
		if over { // the reader is to fetch the end, it may wait for bytes
			c.interrupt()
		}
		if len(out) > 0 {
			if !c.writeOut(out) {
				return
			}
			c.settleWritten(written)
			continue
		}
		if c.done() {
			return
		}
		timer.Reset(next - c.clock())
		select {
		case <-c.wake:
		case <-timer.C:
		}
	}
}

// output takes what is to be sent, and says when to come back and whether the machine ended.
func (c *conn) output() (out []byte, written []broker.Settlement, next time.Duration, over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	if c.handling {
		c.machine.Received(now) // bytes may wait in the socket: we do not look
	}
	c.confirmLocked()
	next = c.machine.Tick(now)
	out, written, c.written = c.machine.Output(), c.written, nil
	return out, written, next, c.machine.IsEnded()
}

func (c *conn) writeOut(out []byte) bool {
	var err error
	for len(out) > 0 && err == nil {
		n := min(len(out), writeBytesMax)
		c.nc.SetWriteDeadline(time.Now().Add(c.server.limits.WriteTimeout))
		_, err = c.nc.Write(out[:n])
		out = out[n:]
	}
	c.mu.Lock()
	if err != nil {
		c.machine.Lost()
		c.closeAllLocked()
	} else {
		c.machine.Sent(c.clock())
	}
	c.mu.Unlock()
	if err != nil {
		c.cancel()
		c.interrupt()
	}
	return err == nil
}

func (c *conn) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finished && c.machine.UnsentBytes() == 0
}

// settleWritten acknowledges deliveries that nobody acknowledges: the operating system has their bytes.
func (c *conn) settleWritten(written []broker.Settlement) {
	if len(written) > 0 {
		c.session.Settle(c.ctx, written, nil)
	}
}

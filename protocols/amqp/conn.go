package amqp

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/channel"
	"github.com/tallymq/tallymq/protocols/amqp/connection"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// conn is one client's connection. The goroutine of serve reads and asks the engine, another writes. What the engine tells
// from goroutines of its own (Done, Deliver, Ended, lost) changes the state under mu.
type conn struct {
	server *Server
	nc     net.Conn
	client broker.Client
	user   string
	host   string
	began  time.Time

	session       broker.QueueSession // the reader's, once the client opened its virtual host
	authenticated bool                // the reader's

	ctx    context.Context // ends when the connection does: what waits for the engine is given up
	cancel context.CancelFunc
	wake   chan struct{} // to the writer: there is something to send

	mu       sync.Mutex // never held in a call of the engine
	changed  sync.Cond  // on mu: flying or publishes became less, or the connection ended
	machine  *connection.Connection
	open     map[uint16]*openChannel
	telling  []*openChannel      // have confirms that the client was not told of
	gone     []uint16            // channels that closed here, of which the engine was not told
	written  []broker.Settlement // deliveries without acknowledgement that are in the machine's output
	flying   int64               // bytes of publishes that the engine has not answered
	publish  int                 // how many they are
	handling bool                // the reader asks the engine: the client's silence is no silence
	draining bool
	finished bool // the reader is done: the writer ends when all is written
}

// openChannel is a channel as long as it is open. Its state is under the connection's mu.
type openChannel struct {
	number uint16
	state  channel.Channel
	closed bool // what still comes for it is forgotten
	tells  bool // it is in the connection's telling
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		server: s, nc: nc, began: time.Now(), wake: make(chan struct{}, 1), open: map[uint16]*openChannel{},
		client:  broker.Client{Principal: broker.Anonymous, Address: peer(nc), Protocol: "amqp"},
		machine: connection.New(connection.Options{Properties: serverProperties(s.version), Limits: s.limits.Connection}),
	}
	c.changed.L = &c.mu
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// serverProperties are what clients decide by. Only what is true is announced.
func serverProperties(version string) wire.Table {
	var capabilities wire.Table
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"consumer_priorities", "authentication_failure_close", "per_consumer_qos",
	} {
		capabilities = capabilities.Append(name, wire.BoolValue(true))
	}
	return wire.Table(nil).
		Append("capabilities", wire.TableValue(capabilities)).
		Append("product", wire.TextValue("tallymq")).
		Append("version", wire.TextValue(version)).
		Append("platform", wire.TextValue("Go"))
}

// serve is the connection's life. When it ends, the client's session does: what it held returns.
func (c *conn) serve() {
	written := make(chan struct{})
	go func() {
		c.write()
		close(written)
	}()
	end := c.read()
	c.mu.Lock()
	c.finished = true
	c.closeAllLocked()
	c.mu.Unlock()
	c.signal()
	<-written // the last words have left, or the client takes none
	c.report(end.Err)
	c.cancel()
	if c.session != nil {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		c.session.Close(ctx)
		cancel()
	}
	if end.Pause {
		select {
		case <-time.After(distrustPause):
		case <-c.server.stopping.Done():
		}
	}
	c.nc.Close()
	if !c.authenticated {
		c.server.handshakes.Add(-1)
	}
	c.server.forget(c)
}

// report logs why a connection ended, if it was not asked for.
func (c *conn) report(err *wire.Error) {
	if err == nil {
		return
	}
	if err.Code == wire.ConnectionForced {
		c.server.log.Debug("connection lost", "peer", c.client.Address, "reason", err)
		return
	}
	c.server.faults.Add(1)
	c.server.quiet.log(c.server.log, "connection closed", "peer", c.client.Address, "reason", err)
}

// signal wakes the writer.
func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// clock is the time that the machine counts in.
func (c *conn) clock() time.Duration { return time.Since(c.began) }

// fail ends the connection or the channel, as the code says.
func (c *conn) fail(number uint16, err *wire.Error) {
	c.mu.Lock()
	c.failLocked(number, err)
	c.mu.Unlock()
	c.signal()
}

func (c *conn) failLocked(number uint16, err *wire.Error) {
	c.confirmLocked()
	c.machine.Fail(number, err)
	if number == 0 || err.Code.Hard() {
		c.closeAllLocked()
		return
	}
	c.closeLocked(number)
}

// closeLocked forgets a channel that closed here. The engine is told by the reader, before the client can open the number
// again.
func (c *conn) closeLocked(number uint16) {
	ch := c.open[number]
	if ch == nil {
		return
	}
	c.dropLocked(ch)
	c.gone = append(c.gone, number)
}

func (c *conn) dropLocked(ch *openChannel) {
	ch.closed = true
	c.server.room.give(ch.state.StagedBytes())
	ch.state.Rollback()
	delete(c.open, ch.number)
}

func (c *conn) closeAllLocked() {
	for _, ch := range c.open {
		c.dropLocked(ch)
	}
	c.changed.Broadcast()
}

// resolvedLocked notes that a channel has confirms. The client is told of them when something is written, or before anything else happens to the
// connection: what is resolved by then is told together.
func (c *conn) resolvedLocked(ch *openChannel) {
	if !ch.tells {
		ch.tells = true
		c.telling = append(c.telling, ch)
	}
}

// confirmLocked tells the client of confirms.
func (c *conn) confirmLocked() {
	for _, ch := range c.telling {
		ch.tells = false
		if !ch.closed {
			ch.state.Confirms(func(m wire.Method) { c.machine.Send(ch.number, m) })
		}
	}
	c.telling = c.telling[:0]
}

// send sends a method on a channel, if it is still open.
func (c *conn) send(ch *openChannel, m wire.Method) {
	c.mu.Lock()
	if !ch.closed {
		c.machine.Send(ch.number, m)
	}
	c.mu.Unlock()
	c.signal()
}

// lost is the engine's: the session is gone, and all that was delivered.
func (c *conn) lost(err error) {
	c.fail(0, wire.Errorf(wire.ConnectionForced, 0, "the session was lost: %v", err))
}

// drain makes the reader take nothing more, and close when what is in flight is answered.
func (c *conn) drain() {
	c.mu.Lock()
	c.draining = true
	c.changed.Broadcast()
	c.mu.Unlock()
	c.interrupt()
}

// kill ends the connection at once.
func (c *conn) kill() {
	c.cancel()
	c.nc.Close()
	c.mu.Lock()
	c.machine.Lost()
	c.closeAllLocked()
	c.mu.Unlock()
	c.signal()
}

// interrupt ends a read that waits.
func (c *conn) interrupt() { c.nc.SetReadDeadline(aLongTimeAgo) }

var aLongTimeAgo = time.Unix(1, 0)

// String is the connection's state on one line.
func (c *conn) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%s: %d channels, %d publishes of %d bytes in flight, %d bytes unsent", c.client.Address, len(c.open), c.publish, c.flying, c.machine.UnsentBytes())
}

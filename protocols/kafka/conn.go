package kafka

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// conn is one client's connection. The goroutine of serve reads; at most one other handles a request and at most one
// writes, so an idle connection has one goroutine and headBytes of buffer.
type conn struct {
	server  *Server
	nc      net.Conn
	in      *bufio.Reader
	address string // the peer's, without its port
	client  broker.Client
	trusted int // bytes that a request may take before they came: twice the largest that came whole

	ctx      context.Context // ends when the connection does; only waiting for others is given up with it
	cancel   context.CancelFunc
	draining atomic.Bool

	mu       sync.Mutex
	changed  sync.Cond // on mu: anything below changed
	closed   bool
	handling bool      // a request that is not a Produce is being handled
	writing  bool      // a goroutine is in write
	slots    []*slot   // requests whose responses did not leave, in order
	pending  int64     // bytes of requests that are not answered
	unsent   int       // fetch responses among the slots
	resting  time.Time // until then nothing is read
}

var errDraining = errors.New("the server is draining")

func newConn(s *Server, nc net.Conn, address string) *conn {
	c := &conn{
		server: s, nc: nc, in: bufio.NewReaderSize(nc, headBytes), address: address,
		client: broker.Client{Principal: broker.Anonymous, Address: peer(nc), Protocol: "kafka", Connection: s.broker.Accepted()},
	}
	c.changed.L = &c.mu
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// serve reads requests until the peer, the limits or the server end the connection.
func (c *conn) serve() {
	err := c.readAll()
	if errors.Is(err, errDraining) || c.draining.Load() && isTimeout(err) {
		err = errDraining
		c.flush()
	}
	c.report(err)
	c.close()
	c.mu.Lock()
	for c.handling || c.writing {
		c.changed.Wait()
	}
	for _, s := range c.slots {
		if s.ready { // else complete releases it
			s.answer.release()
		}
	}
	c.slots = nil
	c.mu.Unlock()
	c.server.forget(c)
}

func (c *conn) readAll() error {
	for {
		size, key, err := c.next()
		if err != nil {
			return err
		}
		if err := c.room(int64(size), key); err != nil {
			return err
		}
		if _, err := c.in.Discard(4); err != nil {
			return err
		}
		f, err := c.readFrame(int(size))
		if err != nil {
			c.settle(int64(size)) // nobody will answer it, and flush must not wait for that
			return err
		}
		if err := c.dispatch(f); err != nil {
			return err
		}
	}
}

// next waits for the next request's first bytes and judges them. While a request is handled, it is also what notices that
// the peer is gone.
func (c *conn) next() (size int32, key int16, err error) {
	for {
		if err := c.arm(c.server.limits.IdleTimeout); err != nil {
			return 0, 0, err
		}
		head, err := c.in.Peek(4)
		if err == nil {
			size = int32(binary.BigEndian.Uint32(head))
			break
		}
		if !isTimeout(err) {
			return 0, 0, err
		}
		if c.draining.Load() {
			return 0, 0, errDraining
		}
		if len(head) > 0 {
			return 0, 0, faultf("half a request's size in %v", c.server.limits.IdleTimeout)
		}
		if !c.busy() {
			return 0, 0, errIdle
		}
	}
	if err := c.server.checkSize(size, keyProduce); err != nil {
		return 0, 0, err
	}
	if err := c.arm(c.server.limits.ReadTimeout); err != nil {
		return 0, 0, err
	}
	head, err := c.in.Peek(6)
	if err != nil {
		if isTimeout(err) && !c.draining.Load() {
			return 0, 0, faultf("request stalled in its header")
		}
		return 0, 0, err
	}
	key = int16(binary.BigEndian.Uint16(head[4:]))
	return size, key, c.server.checkSize(size, key)
}

var errIdle = errors.New("idle")

// busy says that a response is owed.
func (c *conn) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handling || len(c.slots) > 0 || c.pending > 0
}

// room waits until the request before is handled, the connection has rested and this one is within its bounds, and charges it.
func (c *conn) room(size int64, key int16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && (c.handling || len(c.slots) >= slotsMax ||
		c.pending > 0 && c.pending+size > c.server.limits.ConnectionBytesMax ||
		key == keyFetch && c.unsent > 0) {
		c.changed.Wait()
	}
	c.restLocked()
	switch {
	case c.closed:
		return errClosing
	case c.draining.Load():
		return errDraining
	}
	c.pending += size
	return nil
}

// dispatch starts a request. A Produce is started before the next request is read; all else has a goroutine.
func (c *conn) dispatch(f *frame) error {
	c.server.requests.Add(1)
	h, rest := decodeHeader(f.bytes)
	a := c.server.apis[h.key]
	switch {
	case a == nil:
		defer f.free()
		return faultf("API key %d (%s) is not served", h.key, kmsg.NameForKey(h.key))
	case (h.version < a.min || h.version > a.max) && h.key != keyApiVersions:
		defer f.free()
		return faultf("%s version %d is not served: %d to %d are", a.name, h.version, a.min, a.max)
	}
	r := &request{conn: c, server: c.server, api: a, header: h, frame: f, size: int64(len(f.bytes))}
	if h.key == keyProduce {
		if err := r.decode(rest); err != nil {
			f.free()
			return err
		}
		r.produce()
		return nil
	}
	s := c.push(r)
	c.mu.Lock()
	c.handling = true
	c.mu.Unlock()
	go c.handle(r, rest, s)
	return nil
}

// handle runs a request's handler, and writes if nobody does.
func (c *conn) handle(r *request, rest []byte, s *slot) {
	answer, err := r.run(rest)
	if err != nil {
		c.report(err)
		c.close()
		answer = nothing{}
	}
	c.mu.Lock()
	c.handling = false
	write := c.completeLocked(s, answer)
	c.changed.Broadcast()
	c.mu.Unlock()
	if write {
		c.write()
	}
}

// close ends the connection; what is in flight ends by itself.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	c.cancel()
	c.nc.Close()
	c.changed.Broadcast()
}

// drain makes serve stop reading and flush.
func (c *conn) drain() {
	c.draining.Store(true)
	c.nc.SetReadDeadline(aLongTimeAgo)
}

// flush waits until every response left or the connection broke.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed && (c.handling || c.writing || len(c.slots) > 0 || c.pending > 0) {
		c.changed.Wait()
	}
}

// report logs why a connection ended, if the peer is to blame or it was not asked for.
func (c *conn) report(err error) {
	var bad *fault
	switch {
	case errors.As(err, &bad):
		c.server.faults.Add(1)
		c.server.quiet.log(c.server.log, "connection closed", "peer", c.client.Address, "reason", err)
	case errors.Is(err, errIdle):
		c.server.log.Debug("connection closed", "peer", c.client.Address, "reason", err)
	case errors.Is(err, io.EOF), errors.Is(err, errDraining), errors.Is(err, errClosing), errors.Is(err, net.ErrClosed):
	default:
		c.server.log.Debug("connection lost", "peer", c.client.Address, "reason", err)
	}
}

// String is the connection's state on one line.
func (c *conn) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%s: %d slots, %d bytes pending, handling %v, writing %v, closed %v",
		c.client.Address, len(c.slots), c.pending, c.handling, c.writing, c.closed)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

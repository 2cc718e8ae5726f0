package network

import (
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

func itoa(i int) string { return strconv.Itoa(i) }

// A Conn is one end of a stream.
type Conn struct {
	net           *Network
	host, peer    *Host
	local, remote net.Addr
	id, stream    uint64
	in, out       *pipe
	read, write   deadline
}

// pipe is one direction of a stream. The network's lock guards it.
type pipe struct {
	n        *Network
	dir      *direction
	segments []segment
	bytes    int // in segments
	last     time.Time
	ended    bool  // the writer closed: EOF after the last segment
	gone     bool  // the reader closed or died
	failed   error // reset: reads fail from failAt on, and so do the writes of their end
	failAt   time.Time
	wake     chan struct{} // closed at every change
}

type segment struct {
	data []byte
	at   time.Time
}

// pipeLocked makes a stream and returns both ends.
func (n *Network) pipeLocked(from, to *Host, port int) (near, far *Conn) {
	n.nextConn++
	stream := n.nextConn
	ab := &pipe{n: n, dir: n.directionLocked(from.name, to.name), wake: make(chan struct{})}
	ba := &pipe{n: n, dir: n.directionLocked(to.name, from.name), wake: make(chan struct{})}
	a, b := from.address(40000+int(stream%20000)), to.address(port)
	near = &Conn{net: n, host: from, peer: to, local: a, remote: b, id: 2 * stream, stream: stream, in: ba, out: ab}
	far = &Conn{net: n, host: to, peer: from, local: b, remote: a, id: 2*stream + 1, stream: stream, in: ab, out: ba}
	for _, c := range []*Conn{near, far} {
		c.read.init()
		c.write.init()
		n.conns[c.id] = c
	}
	return near, far
}

// wakeLocked tells readers and writers of the pipe to look again.
func (p *pipe) wakeLocked() {
	close(p.wake)
	p.wake = make(chan struct{})
}

func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// Read returns bytes that have arrived, io.EOF after the peer's close.
func (c *Conn) Read(b []byte) (int, error) {
	for {
		c.net.mu.Lock()
		n, wait, err := c.in.takeLocked(b)
		wake, healed := c.in.wake, c.in.dir.healed
		c.net.mu.Unlock()
		if n > 0 || err == io.EOF {
			return n, err
		}
		if err != nil {
			return 0, c.opError("read", err)
		}
		if c.read.passed() {
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		}
		if len(b) == 0 {
			return 0, nil
		}
		if err := c.await(wake, healed, wait, &c.read); err != nil {
			return 0, c.opError("read", err)
		}
	}
}

// takeLocked copies what has arrived. Nothing there: it says how long until
// something may, 0 for until woken.
func (p *pipe) takeLocked(b []byte) (n int, wait time.Duration, err error) {
	now := time.Now()
	if p.gone {
		return 0, 0, net.ErrClosed
	}
	for len(p.segments) > 0 && n < len(b) {
		s := &p.segments[0]
		if p.dir.cut || s.at.After(now) || p.dir.clogged.After(now) {
			break
		}
		k := copy(b[n:], s.data)
		n += k
		p.bytes -= k
		if s.data = s.data[k:]; len(s.data) == 0 {
			p.segments = p.segments[1:]
		}
	}
	if n > 0 {
		p.wakeLocked()
		return n, 0, nil
	}
	if p.failed != nil && !p.failAt.After(now) {
		return 0, 0, p.failed
	}
	var due time.Time // of what comes next: bytes, their end
	switch {
	case p.dir.cut:
	case len(p.segments) > 0:
		due = later(p.segments[0].at, p.dir.clogged)
	case p.ended:
		if due = later(p.last, p.dir.clogged); !due.After(now) {
			return 0, 0, io.EOF
		}
	}
	if p.failed != nil && (due.IsZero() || p.failAt.Before(due)) {
		due = p.failAt
	}
	if !due.IsZero() {
		wait = due.Sub(now)
	}
	return 0, wait, nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// await waits for a change, for the given time, or for the deadline.
func (c *Conn) await(wake, healed chan struct{}, wait time.Duration, d *deadline) error {
	var due <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-wake:
	case <-healed:
	case <-due:
	case <-d.wait():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Write queues the bytes; it blocks while the window is full.
func (c *Conn) Write(b []byte) (int, error) {
	done := 0
	for {
		if c.write.passed() {
			return done, c.opError("write", os.ErrDeadlineExceeded)
		}
		c.net.mu.Lock()
		wait, err := c.lostLocked()
		n := 0
		if err == nil {
			n = c.out.putLocked(b[done:])
		}
		if n > 0 {
			c.net.log.Event(trace.Net, c.host.name+">"+c.peer.name, "stream %d: %d bytes %x", c.stream, n, trace.Sum(b[done:done+n]))
		}
		wake, healed := c.out.wake, c.in.dir.healed
		c.net.mu.Unlock()
		done += n
		if err != nil {
			return done, c.opError("write", err)
		}
		if done == len(b) {
			return done, nil
		}
		if err := c.await(wake, healed, wait, &c.write); err != nil {
			return done, c.opError("write", err)
		}
	}
}

// lostLocked is why this end cannot write any more, if it has learned that: a peer's
// end is known when the news have come, to the writer not before the reader. (A
// library whose writes fail waits for its reader to end; were the news late there, it
// would try again without a pause.) Otherwise it says when to look again, 0 for when
// woken.
func (c *Conn) lostLocked() (wait time.Duration, err error) {
	now, in := time.Now(), c.in
	if c.out.ended {
		return 0, net.ErrClosed
	}
	if in.failed != nil {
		if in.failAt.After(now) {
			return in.failAt.Sub(now), nil
		}
		return 0, in.failed
	}
	if !in.ended || in.dir.cut {
		return 0, nil
	}
	if at := later(in.last, in.dir.clogged); at.After(now) {
		return at.Sub(now), nil
	}
	return 0, os.NewSyscallError("write", syscall.EPIPE)
}

// putLocked queues as much as the window takes, in one or more segments. What follows
// a reset that the writer has not heard of goes nowhere.
func (p *pipe) putLocked(b []byte) (n int) {
	if p.failed != nil {
		return len(b)
	}
	room := min(windowBytes-p.bytes, len(b))
	fragment := room > 1 && p.n.rng.Float64() < p.n.profileLocked(p.dir).Fragment
	for n < room {
		size := min(room-n, segmentBytesMax)
		if fragment {
			size = 1 + p.n.rng.IntN(size)
		}
		at := time.Now().Add(p.n.profileLocked(p.dir).delay(p.n.rng, size))
		if at.Before(p.last) {
			at = p.last
		}
		p.last = at
		p.segments = append(p.segments, segment{data: append([]byte(nil), b[n:n+size]...), at: at})
		n += size
	}
	p.bytes += n
	if n > 0 {
		p.wakeLocked()
	}
	return n
}

// Close ends both directions: the peer reads what is on its way, then EOF.
func (c *Conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.out.ended && c.in.gone {
		return c.opError("close", net.ErrClosed)
	}
	delete(c.net.conns, c.id)
	at := time.Now().Add(c.net.profileLocked(c.out.dir).delay(c.net.rng, 0))
	if at.After(c.out.last) {
		c.out.last = at
	}
	c.out.ended, c.in.gone = true, true
	c.in.segments, c.in.bytes = nil, 0
	c.in.wakeLocked()
	c.out.wakeLocked()
	c.net.log.Event(trace.Net, c.host.name+">"+c.peer.name, "stream %d: close", c.stream)
	return nil
}

// die ends the stream because its host died: with a reset that the peer sees
// after a delay, or in silence.
func (c *Conn) die(silent bool) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.in.gone = true
	if !silent {
		c.out.resetLocked(c.net.rng.IntN(c.out.bytes + 1))
	}
	c.in.wakeLocked()
	c.out.wakeLocked()
}

// resetLocked ends a pipe: keep bytes of what is on its way still arrive.
func (p *pipe) resetLocked(keep int) {
	if p.failed != nil {
		return
	}
	p.failed, p.failAt = os.NewSyscallError("read", syscall.ECONNRESET), time.Now().Add(p.n.profileLocked(p.dir).delay(p.n.rng, 0))
	p.bytes = keep
	for i := range p.segments {
		if len(p.segments[i].data) >= keep {
			p.segments[i].data = p.segments[i].data[:keep]
			p.segments = p.segments[:i+1]
			break
		}
		keep -= len(p.segments[i].data)
	}
	if k := len(p.segments); k > 0 && len(p.segments[k-1].data) == 0 {
		p.segments = p.segments[:k-1]
	}
	if k := len(p.segments); k > 0 && p.failAt.Before(p.segments[k-1].at) {
		p.failAt = p.segments[k-1].at
	}
	p.wakeLocked()
}

// ResetStreams cuts each open stream between two hosts with the given chance, at
// any byte: also within a frame. It returns how many it cut.
func (n *Network) ResetStreams(a, b string, chance float64) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	cut := 0
	for _, id := range sortedKeys(n.conns) {
		c := n.conns[id]
		if c == nil || c.host.name != a || c.peer.name != b || n.rng.Float64() >= chance {
			continue
		}
		c.out.resetLocked(n.rng.IntN(c.out.bytes + 1))
		c.in.resetLocked(n.rng.IntN(c.in.bytes + 1))
		delete(n.conns, id)
		delete(n.conns, id^1)
		n.fault(a+"-"+b, "stream %d reset", c.stream)
		n.hits["stream reset"]++
		cut++
	}
	return cut
}

// LocalAddr returns the near address.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the far address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

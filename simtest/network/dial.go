package network

import (
	"context"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// A Listener accepts streams at one address of a host.
type Listener struct {
	host    *Host
	address string
	queue   chan *Conn
	done    chan struct{}
	closed  bool // guarded by the network's lock
}

// Listen opens a port of the host. The address may be ":9092" or "n1:9092"; port 0
// takes a free one.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	full := h.name + ":" + port
	for free := 32768; port == "0"; free++ {
		full = net.JoinHostPort(h.name, itoa(free))
		if n.listeners[full] == nil {
			break
		}
	}
	if !h.up || n.listeners[full] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &Listener{host: h, address: full, queue: make(chan *Conn, backlogConns), done: make(chan struct{})}
	n.listeners[full] = l
	return l, nil
}

// Accept waits for the next stream.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close stops accepting; accepted streams stay open.
func (l *Listener) Close() error {
	l.host.net.mu.Lock()
	defer l.host.net.mu.Unlock()
	l.closeLocked()
	return nil
}

func (l *Listener) closeLocked() {
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	if l.host.net.listeners[l.address] == l {
		delete(l.host.net.listeners, l.address)
	}
}

// Addr returns the address of the listener.
func (l *Listener) Addr() net.Addr { return l.host.address(portOf(l.address)) }

// Dial opens a stream from the host to an address, named or numeric.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, outcome, err := h.dial(ctx, network, address)
	h.net.log.Event(trace.Net, h.name+">"+address, "dial: %s", outcome)
	return c, err
}

func (h *Host) dial(ctx context.Context, network, address string) (net.Conn, string, error) {
	n := h.net
	fail := func(err error) error { return &net.OpError{Op: "dial", Net: network, Err: err} }
	n.mu.Lock()
	peer, full, err := n.hostOfLocked(address)
	if err != nil {
		n.mu.Unlock()
		return nil, "no such host", fail(err)
	}
	d := n.directionLocked(h.name, peer.name)
	rtt := n.profileLocked(d).delay(n.rng, 0) + n.profileLocked(n.directionLocked(peer.name, h.name)).delay(n.rng, 0)
	n.mu.Unlock()
	if err := sleep(ctx, rtt); err != nil {
		return nil, "given up", fail(err)
	}
	if err := n.reach(ctx, h.name, peer, dialHangMax); err != nil {
		return nil, "hung", fail(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[full]
	if peer.refuse {
		n.hits["dial refused"]++
	}
	if l == nil || peer.refuse || !peer.up || len(l.queue) == cap(l.queue) {
		return nil, "refused", fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	}
	near, far := n.pipeLocked(h, peer, portOf(full))
	l.queue <- far // has room, see above; only this lock's holder adds
	return near, "connected as stream " + itoa(int(near.stream)), nil
}

// reach waits until both directions between two hosts are open and the peer's
// machine is on, as repeated SYNs find out; at most for limit.
func (n *Network) reach(ctx context.Context, from string, peer *Host, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		n.mu.Lock()
		there, back := n.directionLocked(from, peer.name), n.directionLocked(peer.name, from)
		open := !there.cut && !back.cut && !peer.hang && (peer.up || !peer.silent)
		retry := time.Duration(n.rng.Int64N(int64(synRetryMax)))
		n.mu.Unlock()
		if open {
			return nil
		}
		if err := sleep(ctx, retry); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			n.mu.Lock()
			n.hits["dial hung"]++
			n.mu.Unlock()
			return os.NewSyscallError("connect", syscall.ETIMEDOUT)
		}
	}
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

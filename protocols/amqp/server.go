package amqp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("amqp server closed")

// Server speaks AMQP 0-9-1 on the listeners it is given.
type Server struct {
	queues   broker.Queues
	access   Access
	log      *slog.Logger
	limits   Limits
	version  string
	room     *room
	quiet    complaints
	stopping context.Context // ends when Shutdown or Close begins
	stop     context.CancelFunc

	handshakes atomic.Int64 // connections that are not authenticated
	accepted   atomic.Int64
	refused    atomic.Int64
	faults     atomic.Int64
	published  atomic.Int64
	delivered  atomic.Int64

	running sync.WaitGroup // one per connection

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
}

// NewServer makes a server; Serve starts it.
func NewServer(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("amqp server: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Access == nil {
		o.Access = Guest{}
	}
	s := &Server{
		queues: o.Queues, access: o.Access, log: o.Logger, limits: o.Limits.withDefaults(), version: o.Version,
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{},
	}
	s.room = newRoom(s.limits.NodeBytesMax)
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Serve accepts connections until the listener fails or the server is stopped. It may be called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(ErrServerClosed, l.Close())
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	pause := acceptRetryMin
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptRetryMin
			s.start(nc)
		case s.stopping.Err() != nil:
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("amqp server: accept: %w", err)
		default: // out of file descriptors, a peer that gave up: the listener lives
			s.quiet.log(s.log, "accept failed", "error", err)
			select {
			case <-time.After(pause):
			case <-s.stopping.Done():
				return ErrServerClosed
			}
			pause = min(2*pause, acceptRetryMax)
		}
	}
}

// start admits a connection or closes it.
func (s *Server) start(nc net.Conn) {
	s.mu.Lock()
	var why string
	switch {
	case s.closed:
		why = "the server is stopping"
	case len(s.conns) >= s.limits.ConnectionsMax:
		why = "the node has ConnectionsMax connections"
	case s.handshakes.Load() >= int64(s.limits.HandshakesMax):
		why = "the node has HandshakesMax connections that did not authenticate yet"
	}
	if why != "" {
		s.mu.Unlock()
		s.refused.Add(1)
		s.quiet.log(s.log, "connection refused", "peer", peer(nc), "reason", why)
		nc.Close()
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	s.accepted.Add(1)
	s.handshakes.Add(1)
	go c.serve()
}

// forget is a connection's last act.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.running.Done()
}

// Shutdown stops accepting and reading, lets publishes in flight be confirmed, tells every client that its connection ends
// (CONNECTION_FORCED) and closes. When ctx ends first, it closes what is left and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.halt() {
		c.drain()
	}
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.Close()
		<-done
		return ctx.Err()
	}
}

// Close ends all connections at once and returns when all goroutines of the server ended.
func (s *Server) Close() error {
	for _, c := range s.halt() {
		c.kill()
	}
	s.running.Wait()
	return nil
}

// halt closes the listeners and returns the connections there are; none comes after it.
func (s *Server) halt() []*conn {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for l := range s.listeners {
		l.Close()
	}
	cs := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		cs = append(cs, c)
	}
	return cs
}

// Stats are counters since the start and gauges of now.
type Stats struct {
	Connections   int   // open now
	Handshakes    int64 // of them, not authenticated yet
	Accepted      int64 // connections
	Refused       int64 // connections over a limit
	Faults        int64 // connections ended for what the peer sent
	Published     int64 // messages given to the engine
	Delivered     int64 // messages given to clients
	BytesInFlight int64 // of publishes that the engine has not answered, and of staged ones
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	n := len(s.conns)
	s.mu.Unlock()
	return Stats{
		Connections: n, Handshakes: s.handshakes.Load(), Accepted: s.accepted.Load(), Refused: s.refused.Load(), Faults: s.faults.Load(),
		Published: s.published.Load(), Delivered: s.delivered.Load(), BytesInFlight: s.room.held(),
	}
}

// String is the server's state on one line.
func (s *Server) String() string { return fmt.Sprintf("amqp server: %+v", s.Stats()) }

func peer(nc net.Conn) string {
	if a := nc.RemoteAddr(); a != nil {
		return a.String()
	}
	return "unknown"
}

package kafka

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
	"github.com/tallymq/tallymq/protocols/kafka/quota"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("kafka server closed")

// Server speaks Kafka's protocol on the listeners it is given.
type Server struct {
	broker   broker.Broker
	log      *slog.Logger
	limits   Limits
	apis     map[int16]*api
	frames   *budget
	buffers  bufferPool
	sessions *fetchSessions
	meter    quota.Meter
	quiet    complaints
	stopping context.Context // ends when Shutdown or Close begins: long polls return
	stop     context.CancelFunc
	life     context.Context // ends when Close begins: everything returns
	kill     context.CancelFunc

	fetched  atomic.Int64 // bytes of fetch responses that are not sent yet
	accepted atomic.Int64
	refused  atomic.Int64
	requests atomic.Int64
	faults   atomic.Int64
	rests    atomic.Int64

	running sync.WaitGroup // one per connection

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	addresses map[string]int // connections by peer address
}

// NewServer makes a server; Serve starts it.
func NewServer(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("kafka server: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		broker:    o.Broker,
		log:       o.Logger,
		limits:    o.Limits.withDefaults(),
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
		addresses: map[string]int{},
	}
	s.frames = newBudget(s.limits.NodeBytesMax)
	s.sessions = newFetchSessions(s.limits)
	s.apis = newAPIs(s)
	s.life, s.kill = context.WithCancel(context.Background())
	s.stopping, s.stop = context.WithCancel(s.life)
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
			return fmt.Errorf("kafka server: accept: %w", err)
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
	address := peerAddress(nc)
	s.mu.Lock()
	var why string
	switch {
	case s.closed:
		why = "the server is stopping"
	case len(s.conns) >= s.limits.ConnectionsMax:
		why = "the node has ConnectionsMax connections"
	case s.addresses[address] >= s.limits.ConnectionsPerAddressMax:
		why = "the address has ConnectionsPerAddressMax connections"
	}
	if why != "" {
		s.mu.Unlock()
		s.refused.Add(1)
		s.quiet.log(s.log, "connection refused", "peer", peer(nc), "reason", why)
		nc.Close()
		return
	}
	c := newConn(s, nc, address)
	s.conns[c] = struct{}{}
	s.addresses[address]++
	s.running.Add(1)
	s.mu.Unlock()
	s.accepted.Add(1)
	go c.serve()
}

// forget is a connection's last act.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if s.addresses[c.address]--; s.addresses[c.address] == 0 {
		delete(s.addresses, c.address)
	}
	s.mu.Unlock()
	s.running.Done()
}

// Shutdown stops accepting and reading, lets what is in flight finish and its responses leave, and closes. Long polls
// are answered at once. When ctx ends first, it closes what is left and returns the context's error.
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
	s.kill()
	for _, c := range s.halt() {
		c.close()
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
	Accepted      int64 // connections
	Refused       int64 // connections over a limit
	Requests      int64
	Faults        int64 // connections ended for what the peer sent
	RequestBytes  int64 // of requests in flight, charged to NodeBytesMax
	ResponseBytes int64 // fetched and not sent
	Rests         int64 // times that a connection had to rest for a quota

	FetchSessions          int
	FetchSessionPartitions int // in all of them
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	n := len(s.conns)
	s.mu.Unlock()
	sessions, partitions := s.sessions.counts()
	return Stats{
		FetchSessions: sessions, FetchSessionPartitions: partitions,
		Connections: n, Accepted: s.accepted.Load(), Refused: s.refused.Load(), Requests: s.requests.Load(),
		Faults: s.faults.Load(), RequestBytes: s.frames.held(), ResponseBytes: s.fetched.Load(), Rests: s.rests.Load(),
	}
}

// String is the server's state on one line.
func (s *Server) String() string { return fmt.Sprintf("kafka server: %+v", s.Stats()) }

func peer(nc net.Conn) string {
	if a := nc.RemoteAddr(); a != nil {
		return a.String()
	}
	return "unknown"
}

func peerAddress(nc net.Conn) string {
	p := peer(nc)
	if host, _, err := net.SplitHostPort(p); err == nil {
		return host
	}
	return p
}

package rafttcp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
)

// Options are what the transport stands on.
type Options struct {
	Listen func(addr string) (net.Listener, error)
	Dial   func(ctx context.Context, addr string) (net.Conn, error)
	Logger *slog.Logger // nil: discarded
}

// Factory makes the transport of a node host.
type Factory struct{ o Options }

var _ config.TransportFactory = (*Factory)(nil)

// NewFactory returns a factory for dragonboat's Expert.TransportFactory.
func NewFactory(o Options) *Factory {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Factory{o}
}

// Create makes the transport of one node host. dragonboat starts and closes it.
func (f *Factory) Create(c config.NodeHostConfig, messages raftio.MessageHandler, chunks raftio.ChunkHandler) raftio.ITransport {
	return &transport{o: f.o, address: c.GetListenAddress(), messages: messages, chunks: chunks, open: map[net.Conn]struct{}{}}
}

// Validate accepts HOST:PORT.
func (f *Factory) Validate(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	return err == nil && port != ""
}

// transport is one node host's.
type transport struct {
	o        Options
	address  string
	messages raftio.MessageHandler
	chunks   raftio.ChunkHandler

	listener net.Listener
	running  sync.WaitGroup

	mu         sync.Mutex
	open       map[net.Conn]struct{} // incoming
	closed     bool
	complained time.Time
}

var _ raftio.ITransport = (*transport)(nil)

// Name stands in dragonboat's log.
func (t *transport) Name() string { return "tallymq-raft-tcp" }

// Start listens.
func (t *transport) Start() error {
	l, err := t.o.Listen(t.address)
	if err != nil {
		return err
	}
	t.listener = l
	t.running.Add(1)
	go t.accept()
	return nil
}

// Close ends every incoming connection, and returns when nothing runs any more. Outgoing ones are dragonboat's.
func (t *transport) Close() error {
	t.mu.Lock()
	t.closed = true
	for nc := range t.open {
		_ = nc.Close() // its goroutine ends, whatever this says
	}
	t.mu.Unlock()
	if t.listener == nil {
		return nil
	}
	err := t.listener.Close()
	t.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// GetConnection dials a peer for messages.
func (t *transport) GetConnection(ctx context.Context, target string) (raftio.IConnection, error) {
	return t.dial(ctx, target)
}

// GetSnapshotConnection dials a peer for one snapshot.
func (t *transport) GetSnapshotConnection(ctx context.Context, target string) (raftio.ISnapshotConnection, error) {
	return t.dial(ctx, target)
}

func (t *transport) dial(ctx context.Context, target string) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	nc, err := t.o.Dial(ctx, target)
	if err != nil {
		return nil, err
	}
	return &connection{nc: nc}, nil
}

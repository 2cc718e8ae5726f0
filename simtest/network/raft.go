package network

import (
	"context"
	"errors"
	"time"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"

	"github.com/tallymq/tallymq/simtest/trace"
)

// Errors of the Raft transport.
var (
	errRaftDown  = errors.New("network: nobody listens at the Raft address")
	errRaftReset = errors.New("network: snapshot connection reset")
)

// RaftTransport returns the factory for the host's Raft transport.
func (h *Host) RaftTransport() config.TransportFactory { return &raftFactory{h} }

type raftFactory struct{ host *Host }

// Create makes the transport of one node host.
func (f *raftFactory) Create(c config.NodeHostConfig, m raftio.MessageHandler, s raftio.ChunkHandler) raftio.ITransport {
	return &raftTransport{host: f.host, address: c.RaftAddress, end: &raftEnd{f.host, m, s}}
}

// Validate accepts any address: a wrong one is refused when it is dialed.
func (f *raftFactory) Validate(string) bool { return true }

type raftTransport struct {
	host    *Host
	address string
	end     *raftEnd
}

func (t *raftTransport) Name() string { return "simulated" }

func (t *raftTransport) Start() error {
	n := t.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	n.raft[t.address] = t.end
	return nil
}

func (t *raftTransport) Close() error {
	n := t.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.raft[t.address] == t.end {
		delete(n.raft, t.address)
	}
	return nil
}

func (t *raftTransport) GetConnection(ctx context.Context, target string) (raftio.IConnection, error) {
	c := &raftConn{t, target}
	return c, c.connect(ctx)
}

func (t *raftTransport) GetSnapshotConnection(ctx context.Context, target string) (raftio.ISnapshotConnection, error) {
	c := &raftConn{t, target}
	return &snapshotConn{c}, c.connect(ctx)
}

type raftConn struct {
	t      *raftTransport
	target string
}

// connect takes a round trip, and waits while the link is cut.
func (c *raftConn) connect(ctx context.Context) error {
	n := c.t.host.net
	n.mu.Lock()
	peer, _, err := n.hostOfLocked(c.target)
	if err != nil {
		n.mu.Unlock()
		return err
	}
	d, back := n.directionLocked(c.t.host.name, peer.name), n.directionLocked(peer.name, c.t.host.name)
	rtt := n.profileLocked(d).delay(n.rng, 0) + n.profileLocked(back).delay(n.rng, 0)
	n.mu.Unlock()
	if err := sleep(ctx, rtt); err != nil {
		return err
	}
	if err := n.reach(ctx, c.t.host.name, peer, raftDialMax); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.raft[c.target] == nil {
		return errRaftDown
	}
	return nil
}

func (c *raftConn) Close() {}

// SendMessageBatch sends a frame that may be lost, doubled or overtaken.
func (c *raftConn) SendMessageBatch(batch raftpb.MessageBatch) error {
	frame := raftpb.MustMarshalTo(&batch, make([]byte, batch.SizeUpperLimit()))
	n := c.t.host.net
	n.mu.Lock()
	defer n.mu.Unlock()
	from := c.t.host.name
	end := n.raft[c.target]
	if end == nil {
		n.log.Event(trace.Net, from+">"+c.target, "raft %d bytes %x: reset", len(frame), trace.Sum(frame))
		return errRaftDown
	}
	d := n.directionLocked(from, end.host.name)
	p := n.profileLocked(d)
	copies, fate := 1, ""
	switch {
	case d.cut:
		copies, fate = 0, ": cut off"
		n.hits["cut off"]++
	case n.rng.Float64() < p.Loss:
		copies, fate = 0, ": lost"
		n.hits["lost"]++
	case n.rng.Float64() < p.Duplicate:
		copies, fate = 2, ": doubled"
		n.hits["doubled"]++
	}
	n.log.Event(trace.Net, d.from+">"+d.to, "raft %d messages %d bytes %x%s", len(batch.Requests), len(frame), trace.Sum(frame), fate)
	for range copies {
		ordered := n.rng.Float64() >= p.Reorder
		if !ordered {
			n.hits["may overtake"]++
		}
		at := n.arrivalLocked(d, len(frame), ordered)
		outside(func() { time.AfterFunc(time.Until(at), func() { c.arrive(d, frame) }) })
	}
	return nil
}

// arrive hands a frame to whoever holds the address now.
func (c *raftConn) arrive(d *direction, frame []byte) {
	n := c.t.host.net
	n.mu.Lock()
	end := n.raft[c.target]
	if end == nil || d.cut {
		n.hits["lost on the way"]++
		n.mu.Unlock()
		return
	}
	number := end.host.number
	n.mu.Unlock()
	end.host.run(number, func() {
		var batch raftpb.MessageBatch
		if err := batch.Unmarshal(frame); err != nil {
			panic(err) // our own bytes
		}
		end.messages(batch)
	})
}

type snapshotConn struct{ c *raftConn }

func (s *snapshotConn) Close() {}

// SendChunk sends one chunk and waits until the receiver took it: that is the
// back-pressure of a stream, and it keeps the order.
func (s *snapshotConn) SendChunk(chunk raftpb.Chunk) error {
	n := s.c.t.host.net
	frame := raftpb.MustMarshalTo(&chunk, make([]byte, chunk.Size()))
	n.mu.Lock()
	end := n.raft[s.c.target]
	if end == nil {
		n.mu.Unlock()
		return errRaftDown
	}
	d := n.directionLocked(s.c.t.host.name, end.host.name)
	wait := n.profileLocked(d).delay(n.rng, len(frame))
	broken := d.cut || n.rng.Float64() < n.profileLocked(d).Loss
	if broken {
		n.hits["snapshot broken"]++
	}
	n.log.Event(trace.Net, d.from+">"+d.to, "snapshot chunk %d, %d bytes %x, broken %v", chunk.ChunkId, len(frame), trace.Sum(frame), broken)
	number, down := end.host.number, end.host.down
	n.mu.Unlock()
	time.Sleep(wait)
	if broken {
		return errRaftReset
	}
	taken := make(chan bool, 1)
	end.host.run(number, func() {
		var own raftpb.Chunk
		if err := own.Unmarshal(frame); err != nil {
			panic(err) // our own bytes
		}
		taken <- end.chunks(own)
	})
	select {
	case ok := <-taken:
		if !ok {
			return errRaftReset
		}
		return nil
	case <-down:
		return errRaftReset
	}
}

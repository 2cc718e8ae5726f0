package engine

import (
	"context"
	"sync"
)

// gate bounds bytes in memory on this node: one the produced bytes in flight, another the
// fetched bytes that did not leave. Who does not get in waits, in the order of
// arrival, so that a connection's own order is kept and the back-pressure reaches its socket.
type gate struct {
	mu    sync.Mutex
	free  int64
	limit int64
	queue []*entrant
}

type entrant struct {
	bytes int64
	in    chan struct{}
}

func newGate(limit int64) *gate { return &gate{free: limit, limit: limit} }

// enter takes bytes, waiting for room. A batch larger than the whole gate enters
// alone. It fails only with the context's error, and has then taken nothing.
func (g *gate) enter(ctx context.Context, bytes int64) error {
	bytes = min(bytes, g.limit)
	g.mu.Lock()
	if len(g.queue) == 0 && g.free >= bytes {
		g.free -= bytes
		g.mu.Unlock()
		return nil
	}
	e := &entrant{bytes: bytes, in: make(chan struct{})}
	g.queue = append(g.queue, e)
	g.mu.Unlock()
	select {
	case <-e.in:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, q := range g.queue {
		if q == e {
			g.queue = append(g.queue[:i], g.queue[i+1:]...)
			g.admitLocked()
			return ctx.Err()
		}
	}
	// It was let in at the same moment: give the bytes back.
	g.free += bytes
	g.admitLocked()
	return ctx.Err()
}

// leave gives bytes back.
func (g *gate) leave(bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free += min(bytes, g.limit)
	g.admitLocked()
}

func (g *gate) admitLocked() {
	for len(g.queue) > 0 && g.free >= g.queue[0].bytes {
		e := g.queue[0]
		g.queue = g.queue[1:]
		g.free -= e.bytes
		close(e.in)
	}
}

// share is what one may take so that others find room, too: a part of what is free, and
// of all.
func (g *gate) share() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return min(g.free/gateFreeShare, g.limit/gateShare)
}

// inFlight gives the bytes taken now, for metrics.
func (g *gate) inFlight() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limit - g.free
}

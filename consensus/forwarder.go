package consensus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// forwarder sends one shard's commands, in order, to a node that hosts a replica, over one stream at a time. What was
// handed to a stream that broke has an unknown outcome; what was not is tried at the next host.
type forwarder struct {
	host   *Host
	shard  uint64
	window *window

	mu      sync.Mutex
	nextID  uint64
	waiting []forwarded          // not handed to a stream
	out     map[uint64]forwarded // handed to one
	closed  error
	wake    chan struct{}
	// left: the node at the end of the stream says that it hosts no replica any more. It gets no more commands.
	left bool
	// A replica that starts here takes over: retired refuses new commands, and drained is closed when the last old one is
	// answered. Only then may the replica's own proposer, or the next forwarder, send: else what came later would overtake.
	retired  bool
	drained  chan struct{}
	previous *forwarder
}

// forwarded is a command that waits for an answer from afar.
type forwarded struct {
	id   uint64
	wait wait
	cost int64
	body []byte // as appendForward encodes it; nil once sent
}

func newForwarder(h *Host, shard uint64, previous *forwarder) *forwarder {
	return &forwarder{host: h, previous: previous, drained: make(chan struct{}), shard: shard, window: newWindow(h.o.Limits.ShardWindowBytes, h.nodeWindow), out: map[uint64]forwarded{}, wake: make(chan struct{}, 1)}
}

// propose takes p; false if the forwarder is retired, so that the caller must look again for who takes it.
func (f *forwarder) propose(p *Proposal) bool {
	if len(p.Head)+len(p.Payload) > f.host.o.Limits.CommandBytes {
		p.Done(nil, notApplied(ErrTooLarge))
		return true
	}
	ctx := p.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	n := charge(p)
	if err := f.window.acquire(ctx, n); err != nil {
		p.Done(nil, notApplied(err))
		return true
	}
	w := wait{done: p.Done, deadline: math.MaxInt64}
	if ctx.Done() != nil {
		w.ctx = ctx
	}
	f.mu.Lock()
	if f.closed != nil || f.retired {
		atForwarderRetired.Hit()
		closed := f.closed
		f.mu.Unlock()
		f.window.release(n)
		if closed != nil {
			p.Done(nil, notApplied(closed))
		}
		return closed != nil
	}
	f.nextID++
	f.waiting = append(f.waiting, forwarded{id: f.nextID, wait: w, cost: n, body: appendForward(nil, f.nextID, p)})
	f.mu.Unlock()
	f.kick()
	return true
}

// retire takes no more commands.
func (f *forwarder) retire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retired = true
	f.maybeDrainedLocked()
}

func (f *forwarder) maybeDrainedLocked() {
	if f.retired && len(f.waiting)+len(f.out) == 0 && !isClosed(f.drained) {
		close(f.drained)
	}
}

func (f *forwarder) kick() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run serves the shard until ctx ends.
func (f *forwarder) run(ctx context.Context) {
	defer f.shut()
	if f.previous != nil {
		select {
		case <-ctx.Done():
		case <-f.previous.drained:
			atForwarderWaited.Hit()
		}
		f.previous = nil
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case <-f.drained:
			return
		case <-f.wake:
		}
		f.round(ctx)
	}
}

// round offers what waits to one host after the other; when none can be reached, it is certainly not applied.
func (f *forwarder) round(ctx context.Context) {
	errs := []error{ErrNoReplica}
	for _, node := range f.host.leaderFirst(f.shard) {
		if node == f.host.o.Node {
			continue
		}
		used, err := f.session(ctx, node)
		if used || ctx.Err() != nil {
			f.kick()
			return // what still waits begins a new round
		}
		atForwardNextHost.Hit()
		errs = append(errs, err)
	}
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = nil
	f.maybeDrainedLocked()
	f.mu.Unlock()
	atForwardNowhere.Hit()
	why := errors.Join(errs...)
	for _, w := range waiting {
		f.finish(w, nil, notApplied(why))
	}
}

func (f *forwarder) finish(w forwarded, result []byte, err error) {
	f.window.release(w.cost)
	if w.wait.done != nil {
		w.wait.done(result, err)
	}
}

// broken answers everything that was handed to the stream: it may have been applied.
func (f *forwarder) broken(why error) {
	f.mu.Lock()
	out := f.out
	f.out = map[uint64]forwarded{}
	f.maybeDrainedLocked()
	f.mu.Unlock()
	for _, id := range sortedKeys(out) {
		atForwardBroke.Hit()
		f.finish(out[id], nil, unknownOutcome(fmt.Errorf("forwarding broke: %w", why)))
	}
}

// expire answers those whose context ended. Their room stays taken until the outcome is known or the stream breaks.
func (f *forwarder) expire() {
	f.mu.Lock()
	var ended []func([]byte, error)
	for _, id := range sortedKeys(f.out) {
		w := f.out[id]
		if w.wait.done != nil && w.wait.ctx != nil && w.wait.ctx.Err() != nil {
			ended = append(ended, w.wait.done)
			atForwardExpired.Hit()
			w.wait.done = nil
			f.out[id] = w
		}
	}
	f.mu.Unlock()
	for _, done := range ended {
		done(nil, unknownOutcome(context.DeadlineExceeded))
	}
}

func (f *forwarder) shut() {
	f.mu.Lock()
	f.closed, f.retired = ErrClosed, true
	waiting := f.waiting
	f.waiting = nil
	f.maybeDrainedLocked()
	f.mu.Unlock()
	for _, w := range waiting {
		f.finish(w, nil, notApplied(ErrClosed))
	}
	f.broken(ErrClosed)
}

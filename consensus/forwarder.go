package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc"
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
		errs = append(errs, err)
	}
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = nil
	f.maybeDrainedLocked()
	f.mu.Unlock()
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

// session forwards over one stream until it breaks. used is false if nothing was handed to it.
func (f *forwarder) session(ctx context.Context, node NodeID) (used bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := f.host.openForward(ctx, node, f.shard)
	if err != nil {
		return false, err
	}
	received := make(chan error, 1)
	go func() { received <- f.receive(s) }()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	f.kick()
	for {
		select {
		case err = <-received:
		case <-ticker.C:
			f.expire()
			continue
		case <-f.drained:
			cancel()
			err = <-received
		case <-f.wake:
			var batch []byte
			if batch = f.take(); batch == nil {
				continue
			}
			used = true
			if err = s.SendMsg(&frame{batch}); err == nil {
				f.kick()
				continue
			}
			cancel()
			err = errors.Join(err, <-received)
		}
		break
	}
	f.broken(err)
	return used, err
}

// take moves waiting commands to those handed out, up to an entry's worth.
func (f *forwarder) take() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var batch []byte
	n := 0
	for ; n < len(f.waiting); n++ {
		w := &f.waiting[n]
		if n > 0 && len(batch)+len(w.body) > f.host.o.Limits.EntryBytes {
			break
		}
		batch = append(batch, w.body...)
		w.body = nil
		f.out[w.id] = *w
	}
	f.waiting = f.waiting[n:]
	return batch
}

func (f *forwarder) receive(s grpc.ClientStream) error {
	for {
		var in frame
		if err := s.RecvMsg(&in); err != nil {
			return err
		}
		err := eachAnswer(in.b, func(id uint64, result []byte, err error) {
			f.mu.Lock()
			w, ok := f.out[id]
			delete(f.out, id)
			f.maybeDrainedLocked()
			f.mu.Unlock()
			if ok {
				f.finish(w, result, err)
			}
		})
		if err != nil {
			return err
		}
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

// openForward opens a stream and waits until the node says that it hosts the shard.
func (h *Host) openForward(ctx context.Context, node NodeID, shard uint64) (grpc.ClientStream, error) {
	addr, err := h.rpcAddr(node)
	if err != nil {
		return nil, err
	}
	conn, err := h.rpc.conn(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(requestTimeout, cancel)
	s, err := conn.NewStream(h.rpc.outgoing(ctx, ""), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, rpcForward)
	if err == nil {
		err = s.SendMsg(&frame{binary.LittleEndian.AppendUint64(nil, shard)})
	}
	var hello frame
	if err == nil {
		err = s.RecvMsg(&hello)
	}
	if !timer.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err == nil && (len(hello.b) != 1 || hello.b[0] != 0) {
		err = ErrNoReplica
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("forward shard %d to node %d: %w", shard, node, err)
	}
	return s, nil
}

// serveForwarded is the other end: it proposes what arrives, in order, and answers as outcomes become known.
func (h *Host) serveForwarded(s grpc.ServerStream) error {
	var hello frame
	if err := s.RecvMsg(&hello); err != nil {
		return err
	}
	if len(hello.b) != 8 {
		return fmt.Errorf("%w: hello of %d bytes", errMalformed, len(hello.b))
	}
	shard := binary.LittleEndian.Uint64(hello.b)
	if h.replica(shard) == nil {
		return s.SendMsg(&frame{[]byte{1}})
	}
	if err := s.SendMsg(&frame{[]byte{0}}); err != nil {
		return err
	}
	a := &answers{wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		a.send(ctx, s)
	}()
	defer func() { cancel(); <-sent }()
	for {
		var in frame
		if err := s.RecvMsg(&in); err != nil {
			return err
		}
		err := eachForward(in.b, func(id, term uint64, body []byte) {
			r := h.replica(shard)
			if r == nil {
				a.add(id, nil, notApplied(ErrNoReplica))
				return
			}
			r.proposer.propose(&Proposal{Ctx: ctx, Shard: shard, Term: term, Head: body, Done: func(result []byte, err error) { a.add(id, result, err) }})
		})
		if err != nil {
			return err
		}
	}
}

// answers collects outcomes until the stream's sender takes them: Done must not block.
type answers struct {
	mu   sync.Mutex
	buf  []byte
	wake chan struct{}
}

func (a *answers) add(id uint64, result []byte, err error) {
	a.mu.Lock()
	a.buf = appendAnswer(a.buf, id, result, err)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *answers) send(ctx context.Context, s grpc.ServerStream) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		a.mu.Lock()
		buf := a.buf
		a.buf = nil
		a.mu.Unlock()
		if len(buf) > 0 && s.SendMsg(&frame{buf}) != nil {
			return
		}
	}
}

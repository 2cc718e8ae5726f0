package consensus

import (
	"context"
	"math"
	"time"

	"github.com/lni/dragonboat/v4"

	"github.com/tallymq/tallymq/consensus/stream"
)

// packed is an entry from its first command until its outcome is known: the bytes, and who waits for them.
type packed struct {
	buf   []byte
	waits []wait
	bytes int64 // charged to the windows
	// nearest is the earliest deadline of its waiters, so that a tick need not look at each.
	nearest int64
	// sent says that dragonboat took a copy at least once: from then on its commands may be applied.
	sent bool
	// due says that it is to be sent (again). The due ones are always the last of those in flight.
	due     bool
	sentAt  time.Time
	request *dragonboat.RequestState
}

// wait is one command's caller. done is nil once it was called.
type wait struct {
	done     func([]byte, error)
	ctx      context.Context // nil: for ever
	deadline int64           // UnixNano; MaxInt64: none
}

func newPacked(buf []byte) *packed {
	return &packed{buf: stream.Begin(buf), nearest: math.MaxInt64}
}

func (e *packed) add(p *Proposal) {
	e.buf = stream.AppendCommand(e.buf, p.Term, p.Head, p.Payload)
	w := wait{done: p.Done, deadline: math.MaxInt64}
	if p.Ctx != nil && p.Ctx.Done() != nil {
		w.ctx = p.Ctx
		if d, ok := p.Ctx.Deadline(); ok {
			w.deadline = d.UnixNano()
		}
	}
	e.waits = append(e.waits, w)
	e.nearest = min(e.nearest, w.deadline)
	e.bytes += charge(p)
}

// finish calls every waiter that still waits with the same error.
func (e *packed) finish(err error) {
	for i := range e.waits {
		if done := e.waits[i].done; done != nil {
			e.waits[i].done = nil
			done(nil, err)
		}
	}
}

// expired takes out the waiters whose context ended; thorough looks at cancellations too.
func (e *packed) expired(now int64, thorough bool, out []func([]byte, error)) []func([]byte, error) {
	if !thorough && e.nearest > now {
		return out
	}
	e.nearest = math.MaxInt64
	for i := range e.waits {
		w := &e.waits[i]
		if w.done == nil || w.ctx == nil {
			continue
		}
		if w.deadline <= now || (thorough && w.ctx.Err() != nil) {
			out = append(out, w.done)
			w.done = nil
			continue
		}
		e.nearest = min(e.nearest, w.deadline)
	}
	return out
}

package consensus

import (
	"slices"

	"github.com/tallymq/tallymq/consensus/stream"
)

// observe takes the verdict on an own entry, in log order, after its effects were applied. results is called for every
// command of a completed entry.
func (p *proposer) observe(h stream.Header, v stream.Verdict, results func(i int) ([]byte, error)) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	r := p.sender.Observe(h, v)
	finished := p.reactLocked(r)
	p.mu.Unlock()
	if len(finished) > 0 || r.Resend || r.Reopen || r.Opened {
		p.kick()
	}
	for _, e := range finished {
		for i := range e.waits {
			if done := e.waits[i].done; done != nil {
				e.waits[i].done = nil
				done(results(i))
			}
		}
		p.window.release(e.bytes)
	}
}

// installed takes the stream that an installed snapshot shows.
func (p *proposer) installed(t stream.Stream) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	r := p.sender.Installed(t)
	finished := p.reactLocked(r)
	p.mu.Unlock()
	p.kick()
	for _, e := range finished {
		atOutcomeJumpedOver.Hit()
		e.finish(unknownOutcome(errInstalled))
		p.window.release(e.bytes)
	}
}

// reactLocked takes the finished entries out.
func (p *proposer) reactLocked(r stream.Reaction) []*packed {
	n := r.Done + r.Lost
	if r.Reopen {
		p.open = attempt{}
	}
	if n == 0 {
		if r.Resend {
			p.resendLocked()
		}
		return nil
	}
	finished := slices.Clone(p.flight[:n])
	for _, e := range finished {
		p.used = append(p.used, e.buf)
	}
	p.flight = slices.Delete(p.flight, 0, n)
	if r.Resend {
		p.resendLocked()
	}
	return finished
}

// shut ends the loop and answers everyone: what was never sent is certainly not applied, the rest may be.
func (p *proposer) shut(why error) {
	p.mu.Lock()
	if p.closed != nil {
		p.mu.Unlock()
		<-p.done
		return
	}
	p.closed = why
	p.mu.Unlock()
	close(p.stop)
	<-p.done
	p.mu.Lock()
	pending := append(append([]*packed(nil), p.flight...), p.ready...)
	if p.fill != nil {
		pending = append(pending, p.fill)
	}
	p.flight, p.ready, p.fill, p.ended = nil, nil, nil, true
	p.mu.Unlock()
	for _, e := range pending {
		if e.sent {
			atStoppedInFlight.Hit()
			e.finish(unknownOutcome(why))
		} else {
			atStoppedUnsent.Hit()
			e.finish(notApplied(why))
		}
		p.window.release(e.bytes)
	}
}

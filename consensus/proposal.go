package consensus

import "context"

// Proposal is one command on its way. The host owns it, but not the byte slices, from Propose until Done.
type Proposal struct {
	// Ctx bounds the waiting. When it ends before the outcome is known, Done gets ErrUnknownOutcome (the command may still be
	// applied), or ErrNotApplied if the command was still waiting for room. nil: for ever.
	Ctx   context.Context
	Shard uint64
	// Term > 0: only valid while this term leads; apply refuses it afterwards with ErrStaleTerm. 0: at any time.
	Term uint64
	// Head and Payload form the command. They are copied before Propose returns and may be reused then.
	Head, Payload []byte
	// Done is called exactly once, from any goroutine (also from inside Propose), and must not block.
	Done func(result []byte, err error)
}

// Propose sends a command on its way; see Proposal.
func (h *Host) Propose(p *Proposal) {
	for {
		h.mu.RLock()
		r, f, closed := h.replicas[p.Shard], h.forwarders[p.Shard], h.closed
		h.mu.RUnlock()
		switch {
		case closed:
			p.Done(nil, notApplied(ErrClosed))
		case r != nil:
			r.proposer.propose(p)
		case f == nil:
			h.addForwarder(p.Shard)
			continue
		case !f.propose(p):
			continue // retired meanwhile: the shard has a replica here now
		}
		return
	}
}

// addForwarder begins to forward a shard, after an earlier forwarder of it has come to its end.
func (h *Host) addForwarder(shard uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.replicas[shard] != nil || h.forwarders[shard] != nil {
		return
	}
	f := newForwarder(h, shard, h.retiring[shard])
	delete(h.retiring, shard)
	h.forwarders[shard] = f
	h.running.Add(1)
	go func() {
		defer h.running.Done()
		f.run(h.ctx)
	}()
}

// registerLocked puts a replica in the place of the shard's forwarder, if it has one. The replica's proposer may send
// once the returned channel is closed.
func (h *Host) registerLocked(r *replica, c replicaContext) (drained <-chan struct{}) {
	h.replicas[r.shard] = r
	h.contexts[r] = c
	if f := h.forwarders[r.shard]; f != nil {
		delete(h.forwarders, r.shard)
		h.retiring[r.shard] = f
	}
	f := h.retiring[r.shard]
	if f == nil {
		return nil
	}
	f.retire()
	return f.drained
}

package consensus

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"

	"github.com/tallymq/tallymq/consensus/stream"
)

// raftGroup is what a proposer needs of dragonboat.
type raftGroup interface {
	// propose hands over a copy of cmd; it never waits for I/O.
	propose(cmd []byte) (*dragonboat.RequestState, error)
}

// proposer turns the commands of one node for one shard into entries and follows each until its outcome is known.
//
// Propose copies the command into the entry that is being filled; the run loop seals it as soon as a slot is free, so a
// lone command goes at once and many share one entry while others are in flight. The outcome comes from the local apply,
// through applied; dragonboat's own answer only says "dropped", which makes us send again.
type proposer struct {
	node   NodeID
	limits Limits
	log    *slog.Logger
	group  raftGroup
	window *window
	// leadership tells, at any time: the term this node's raft replica leads now (0: none), the greatest term applied, and
	// the replicated clock as this node reads it with the term that gives it the right to (0: none).
	leadership func() (leads, applied uint64, clockTerm, clock uint64)
	// present is the node's stream as the local replica applied it.
	present func() stream.Stream

	mu     sync.Mutex
	sender stream.Sender
	flight []*packed // sealed, in step with sender's
	ready  []*packed // full, waiting for a slot
	fill   *packed   // being filled; nil when empty
	spare  [][]byte
	used   [][]byte // of finished entries; the loop, which alone sends, makes them spare
	closed error
	ended  bool    // everybody was answered; applies that still come, until dragonboat stops the replica, find nobody
	open   attempt // of the open; its number is the nonce
	start  attempt // of the leader-start; its number is the term

	held bool // only the loop's

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

func newProposer(node NodeID, limits Limits, log *slog.Logger, group raftGroup, w *window) *proposer {
	return &proposer{
		node: node, limits: limits, log: log, group: group, window: w,
		sender: stream.NewSender(node),
		wake:   make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// propose packs p; it blocks only while the windows are full.
func (p *proposer) propose(c *Proposal) {
	n := charge(c)
	if len(c.Head)+len(c.Payload) > p.limits.CommandBytes {
		c.Done(nil, notApplied(ErrTooLarge))
		return
	}
	ctx := c.Ctx
	if ctx == nil {
		ctx = context.Background()
	}
	if err := p.window.acquire(ctx, n); err != nil {
		c.Done(nil, notApplied(err))
		return
	}
	p.mu.Lock()
	if err := p.closed; err != nil {
		p.mu.Unlock()
		p.window.release(n)
		c.Done(nil, notApplied(err))
		return
	}
	size := stream.CommandOverhead + len(c.Head) + len(c.Payload)
	if p.fill != nil && (len(p.fill.buf)+size > p.limits.EntryBytes || actEntrySealedEarly.Now()) {
		p.ready = append(p.ready, p.fill)
		p.fill = nil
	}
	if p.fill == nil {
		p.fill = newPacked(p.spareLocked(stream.EntryOverhead + size))
	}
	p.fill.add(c)
	// The loop is woken only when it can do something: it looks again whenever a slot becomes free.
	wake := p.slotLocked()
	p.mu.Unlock()
	if wake {
		p.kick()
	}
}

// kick makes the loop look again.
func (p *proposer) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *proposer) spareLocked(need int) []byte {
	if n := len(p.spare); n > 0 && cap(p.spare[n-1]) >= need {
		b := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return b
	}
	return make([]byte, 0, need)
}

// recycleLocked makes the buffers of finished entries spare. Only the loop calls it, between its sends, so no copy is
// being made of them.
func (p *proposer) recycleLocked() {
	for _, b := range p.used {
		if cap(b) <= 2*p.limits.EntryBytes && len(p.spare) < spareBuffersMax {
			p.spare = append(p.spare, b)
		}
	}
	clear(p.used)
	p.used = p.used[:0]
}

// run is the loop; it ends when stop is closed. Until turn is closed (nil: at once) nothing of commands is sent: a
// forwarder still has earlier ones on their way.
func (p *proposer) run(turn <-chan struct{}) {
	defer close(p.done)
	p.held = turn != nil
	ticker := time.NewTicker(tickEvery)
	ticker.Stop()
	defer ticker.Stop()
	ticking, ticks := false, 0
	for {
		actProposerWaits.Pause(actWaitShort)
		busy := p.step()
		if busy != ticking {
			if ticking = busy; busy {
				ticker.Reset(tickEvery)
			} else {
				ticker.Stop()
			}
		}
		select {
		case <-p.stop:
			return
		case <-turn:
			atForwarderDrained.Hit()
			turn, p.held = nil, false
		case <-p.wake:
		case <-ticker.C:
			ticks++
			p.tick(ticks%10 == 0)
		}
	}
}

// step proposes what may be proposed now and says whether anything is unfinished.
func (p *proposer) step() (busy bool) {
	leads, applied, clockTerm, clock := p.leadership()
	starting := p.maybeStart(leads, applied, clock)
	p.maybeOpen()
	if clockTerm == 0 {
		clock = 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recycleLocked()
	for !p.held && p.sender.IsOpen() && p.slotLocked() {
		e := p.takeLocked()
		if e == nil {
			break
		}
		p.sender.Seal(len(e.waits))
		e.due = true
		p.flight = append(p.flight, e)
	}
	for p.sender.IsOpen() {
		i := slices.IndexFunc(p.flight, func(e *packed) bool { return e.due })
		if i < 0 {
			break
		}
		e, now := p.flight[i], time.Now()
		h := p.sender.Header(i)
		h.ClockTerm, h.Clock, h.Wall = clockTerm, clock, now.UnixMilli()
		stream.PutHeader(e.buf, h)
		e.due, e.sent, e.sentAt = false, true, now
		// Nothing is durable yet. From here on its commands may be applied whatever else happens; the entry stays in flight
		// until the local apply has spoken. The apply, and callers that fill the next entry, need not wait for the copy.
		p.mu.Unlock()
		var rs *dragonboat.RequestState
		var err error
		if !actEntryLost.Now() {
			rs, err = p.group.propose(e.buf)
		}
		p.mu.Lock()
		e.request = rs
		if err != nil {
			atProposeRefused.Hit()
			e.due = true // at the next tick; what follows would only be refused as a gap, and is due as well
			break
		}
	}
	return len(p.flight) > 0 || len(p.ready) > 0 || p.fill != nil || !p.sender.IsOpen() || starting
}

// slotLocked says whether the next entry may go. The first goes at once, however small. While one is on its way a small one
// waits for company: several small entries in flight cost each replica a write and a sync each, and end no earlier. One
// that is worth a write of its own goes along, up to EntriesInFlight.
func (p *proposer) slotLocked() bool {
	n := p.sender.InFlight()
	if n == 0 || n >= p.limits.EntriesInFlight {
		return n == 0
	}
	return len(p.ready) > 0 || p.fill != nil && len(p.fill.buf) >= p.limits.CompanyBytes
}

// takeLocked is the next entry to seal: the oldest full one, or what has been filled so far.
func (p *proposer) takeLocked() *packed {
	if len(p.ready) > 0 {
		e := p.ready[0]
		p.ready[0] = nil
		p.ready = p.ready[1:]
		return e
	}
	e := p.fill
	p.fill = nil
	return e
}

// tick looks for what nobody tells us: ended contexts, drops, entries that are late.
func (p *proposer) tick(thorough bool) {
	now := time.Now()
	var ended []func([]byte, error)
	p.mu.Lock()
	for _, list := range [][]*packed{p.flight, p.ready, {p.fill}} {
		for _, e := range list {
			if e != nil {
				ended = e.expired(now.UnixNano(), thorough, ended)
			}
		}
	}
	if len(p.flight) > 0 && !p.flight[0].due {
		oldest := p.flight[0]
		if dropped(oldest.request) || now.Sub(oldest.sentAt) >= p.limits.ResendAfter || actEntrySentAgain.Now() {
			atEntrySentAgain.Hit()
			p.againLocked()
		}
	}
	p.mu.Unlock()
	for _, done := range ended {
		atOutcomeLate.Hit()
		done(nil, unknownOutcome(context.DeadlineExceeded))
	}
}

func (p *proposer) againLocked() {
	p.sender.Again()
	p.resendLocked()
}

func (p *proposer) resendLocked() {
	for _, e := range p.flight {
		e.due = true
	}
}

// again sends everything in flight once more: a new leader may never have heard of it.
func (p *proposer) again() {
	p.mu.Lock()
	if len(p.flight) > 0 {
		atLeaderChangedInFlight.Hit()
		p.againLocked()
	}
	p.open.at, p.start.at = time.Time{}, time.Time{}
	p.mu.Unlock()
	p.kick()
}

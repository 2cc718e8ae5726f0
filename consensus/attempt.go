package consensus

import (
	"math/rand/v2"
	"time"

	"github.com/lni/dragonboat/v4"

	"github.com/tallymq/tallymq/consensus/stream"
)

// attempt is a small entry that is proposed until its effect is seen.
type attempt struct {
	number  uint64
	at      time.Time
	request *dragonboat.RequestState
}

// due says whether to propose (again).
func (a *attempt) due(after time.Duration) bool {
	return a.at.IsZero() || time.Since(a.at) >= after || dropped(a.request)
}

// maybeOpen opens the stream, or asks again when no answer came: with the same nonce, so that either copy will do.
func (p *proposer) maybeOpen() {
	present := p.present()
	p.mu.Lock()
	if p.sender.IsOpen() || !p.open.due(min(attemptAgainAfter, p.limits.ResendAfter)) {
		p.mu.Unlock()
		return
	}
	if p.open.number == 0 {
		p.open.number = rand.Uint64() | 1
	}
	atStreamOpened.Hit()
	h := p.sender.Open(p.open.number, present)
	p.open.at = time.Now()
	p.mu.Unlock()
	rs, _ := p.group.propose(stream.AppendEntry(nil, &stream.Entry{Header: h}))
	p.mu.Lock()
	p.open.request = rs
	p.mu.Unlock()
}

// maybeStart proposes the leader-start of a term that this node leads and nobody began.
func (p *proposer) maybeStart(leads, applied, clock uint64) (starting bool) {
	if leads == 0 || applied >= leads {
		return false
	}
	p.mu.Lock()
	if p.start.number != leads {
		p.start = attempt{number: leads}
	}
	if !p.start.due(min(attemptAgainAfter, p.limits.ResendAfter)) {
		p.mu.Unlock()
		return true
	}
	atLeaderStartSent.Hit()
	p.start.at = time.Now()
	p.mu.Unlock()
	h := stream.Header{Kind: stream.KindLeaderStart, Node: p.node, ClockTerm: leads, Clock: clock, Wall: time.Now().UnixMilli()}
	rs, _ := p.group.propose(stream.AppendEntry(nil, &stream.Entry{Header: h}))
	p.mu.Lock()
	p.start.request = rs
	p.mu.Unlock()
	return true
}

// dropped says whether dragonboat never took the request, or gave it up.
func dropped(rs *dragonboat.RequestState) bool {
	if rs == nil {
		return true
	}
	select {
	case r := <-rs.ResultC():
		return !r.Completed()
	default:
		return false
	}
}

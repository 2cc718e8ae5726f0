package network

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// A Profile says how one direction of a link behaves while it is not cut.
type Profile struct {
	DelayMin  time.Duration // one way
	DelayMean time.Duration // of the exponential part that is added
	Loss      float64       // share of Raft messages that vanish
	Duplicate float64       // share of Raft messages that arrive twice
	Reorder   float64       // share of Raft messages that may overtake
	Fragment  float64       // share of writes that arrive in pieces of random sizes
	BytesPerS int64         // 0: no bound
}

// LAN is a quiet network in one room.
var LAN = Profile{DelayMin: 100 * time.Microsecond, DelayMean: 100 * time.Microsecond}

// String is one line.
func (p Profile) String() string {
	return fmt.Sprintf("delay %v+exp(%v) loss %.3f duplicate %.3f reorder %.3f fragment %.3f rate %d B/s",
		p.DelayMin, p.DelayMean, p.Loss, p.Duplicate, p.Reorder, p.Fragment, p.BytesPerS)
}

// direction is one way between two hosts.
type direction struct {
	from, to string
	profile  *Profile // nil: the network's default
	cut      bool
	clogged  time.Time // nothing arrives before it
	last     time.Time // when the last ordered frame arrives
	healed   chan struct{}
}

// delay draws how long a frame of this size takes.
func (p *Profile) delay(rng *rand.Rand, size int) time.Duration {
	d := p.DelayMin + time.Duration(rng.ExpFloat64()*float64(p.DelayMean))
	if p.BytesPerS > 0 {
		d += time.Duration(int64(size) * int64(time.Second) / p.BytesPerS)
	}
	return min(d, raftFrameDelayMax)
}

// arrival draws when a frame sent now arrives. Ordered frames never overtake.
func (n *Network) arrivalLocked(d *direction, size int, ordered bool) time.Time {
	p := n.profileLocked(d)
	at := time.Now().Add(p.delay(n.rng, size))
	if at.Before(d.clogged) {
		at = d.clogged
	}
	if !ordered {
		return at
	}
	if !at.After(d.last) {
		at = d.last.Add(time.Nanosecond) // timers of one instant fire in any order
	}
	d.last = at
	return at
}

func (n *Network) profileLocked(d *direction) *Profile {
	if d.profile != nil {
		return d.profile
	}
	return &n.base
}

func (n *Network) directionLocked(from, to string) *direction {
	key := [2]string{from, to}
	d := n.links[key]
	if d == nil {
		d = &direction{from: from, to: to, healed: make(chan struct{})}
		n.links[key] = d
	}
	return d
}

// SetBase sets the profile of every link that has none of its own.
func (n *Network) SetBase(p Profile) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.base = p
	n.fault("all", "profile %v", p)
}

// SetProfile sets the profile of one direction; nil gives it back to the base.
func (n *Network) SetProfile(from, to string, p *Profile) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.directionLocked(from, to).profile = p
	if p == nil {
		n.fault(from+">"+to, "profile of the base")
		return
	}
	n.fault(from+">"+to, "profile %v", *p)
}

// Cut stops one direction: Raft messages vanish, streams hold their bytes back,
// dials hang.
func (n *Network) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.directionLocked(from, to).cut = true
	n.fault(from+">"+to, "cut")
}

// Heal ends a cut of one direction.
func (n *Network) Heal(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.healLocked(n.directionLocked(from, to))
	n.fault(from+">"+to, "healed")
}

func (n *Network) healLocked(d *direction) {
	d.cut, d.clogged = false, time.Time{}
	close(d.healed)
	d.healed = make(chan struct{})
}

// Clog holds everything in one direction back for a while, then lets it all arrive. A
// clog does not end an earlier one that is longer.
func (n *Network) Clog(from, to string, length time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.directionLocked(from, to)
	d.clogged = later(d.clogged, time.Now().Add(length))
	n.fault(from+">"+to, "clogged for %v", length)
}

// HealAll ends every cut and clog and every profile of a link's own.
func (n *Network) HealAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, key := range sortedKeys(n.links) {
		d := n.links[key]
		d.profile = nil
		n.healLocked(d)
	}
	n.fault("all", "healed")
}

// Reachable says whether the direction is open now.
func (n *Network) Reachable(from, to string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.directionLocked(from, to).cut
}

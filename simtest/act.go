package simtest

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/tallymq/tallymq/internal/point"
	"github.com/tallymq/tallymq/simtest/internal/hook"
	"github.com/tallymq/tallymq/simtest/trace"
)

// Of each place that may act the seed decides whether it does at all, and how often.
const (
	actingPlaces    = 0.4   // the share of places that act in a world
	actingChanceMin = 0.002 // per time that such a place is reached; drawn evenly by order of magnitude
	actingChanceMax = 0.2
)

// actors is the world's director of the places that may act (internal/point, Act).
// Each place has its own stream of chance, so that a new place does not shift what the
// others do.
type actors struct {
	w      *World
	mu     sync.Mutex
	on     bool
	places map[string]*actor
}

// actor is one place in this world.
type actor struct {
	rng    *rand.Rand
	chance float64 // 0: it never acts
}

var _ point.Director = (*actors)(nil)

// Acts implements point.Director. Only what belongs to a process acts: not the world itself.
func (a *actors) Acts(name string) bool {
	number := hook.Node()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.on || number <= bodyNumber {
		return false
	}
	p := a.placeLocked(name)
	if p.chance == 0 || p.rng.Float64() >= p.chance {
		return false
	}
	a.w.Trace.Event(trace.Fault, a.w.nameOf(number), "acts: %s", name)
	return true
}

// Draw implements point.Director.
func (a *actors) Draw(name string, n int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.placeLocked(name).rng.Int64N(n)
}

func (a *actors) placeLocked(name string) *actor {
	p := a.places[name]
	if p == nil {
		p = &actor{rng: a.w.Rand("act " + name)}
		if p.rng.Float64() < actingPlaces {
			p.chance = actingChanceMin * math.Pow(actingChanceMax/actingChanceMin, p.rng.Float64())
		}
		a.places[name] = p
	}
	return p
}

// Buggify lets the places of the production code that may act do so, or ends it. A
// world begins without.
func (w *World) Buggify(on bool) {
	w.actors.mu.Lock()
	changed := w.actors.on != on
	w.actors.on = on
	w.actors.mu.Unlock()
	if changed {
		w.Trace.Event(trace.World, "acts", "on: %v", on)
	}
}

// nameOf is the name of the process with a number.
func (w *World) nameOf(number uint32) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.byNumber[number]; p != nil {
		return p.name
	}
	return "nobody"
}

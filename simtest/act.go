package simtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
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
	// A favoured place acts in each world, and more often.
	favouredChanceMin = 0.02
	favouredChanceMax = 0.5
)

// ActSetting begins the name of the setting that says how often a place acts.
const ActSetting = "act:"

// actors is the world's director of the places that may act (internal/point, Act).
// Each place has its own stream of chance, so that a new place does not shift what the
// others do.
type actors struct {
	w      *World
	mu     sync.Mutex
	on     bool
	drawn  bool
	places map[string]*actor

	favoured []string
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
		a.places[name] = p
	}
	return p
}

// drawLocked gives every place its chance, each as a setting of the world: so the plan
// says it, and a shorter plan is one in which fewer places act.
func (a *actors) drawLocked() {
	for _, name := range point.DeclaredActs() {
		a.placeLocked(name).chance = a.w.actingChance(name, slices.Contains(a.favoured, name))
	}
}

// actingChance is drawn from the seed, or taken from the plan that the world was given.
// A place that never acts has no line in the plan.
func (w *World) actingChance(name string, favoured bool) float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var value string
	if w.given != nil {
		value, _ = w.given.Setting(ActSetting + name)
	} else if rng := w.Rand("setting " + ActSetting + name); rng.Float64() < actingPlaces || favoured {
		least, most := actingChanceMin, actingChanceMax
		if favoured {
			least, most = favouredChanceMin, favouredChanceMax
		}
		value = strconv.FormatFloat(least*math.Pow(most/least, rng.Float64()), 'g', 3, 64)
	}
	if value == "" {
		return 0
	}
	w.settings = append(w.settings, Setting{ActSetting + name, value})
	chance, err := strconv.ParseFloat(value, 64)
	w.must(ActSetting+name, err)
	return chance
}

// Favour lets the places of these names act often in every world that lets places act.
// Call it before Buggify. A world that presses on one promise favours what a breach needs.
func (w *World) Favour(names ...string) {
	w.actors.mu.Lock()
	defer w.actors.mu.Unlock()
	for _, name := range names {
		if !slices.Contains(point.DeclaredActs(), name) {
			w.T.Fatalf("no place %q may act", name)
		}
	}
	w.actors.favoured = append(w.actors.favoured, names...)
}

// Buggify lets the places of the production code that may act do so, or ends it. A
// world begins without. Call it before Plan, which then has how often each place acts.
func (w *World) Buggify(on bool) {
	w.actors.mu.Lock()
	if on && !w.actors.drawn {
		w.actors.drawn = true
		w.actors.drawLocked()
	}
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

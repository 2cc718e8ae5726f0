package simtest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallymq/tallymq/internal/point"
)

// A Setting is something of a world that is drawn beside its faults: how many
// clients, how small a limit.
type Setting struct{ Name, Value string }

// Settings with a meaning of their own. They stand first in a plan that a world
// has drawn, so that the plan alone repeats it.
const (
	SeedSetting  = "seed"  // of everything the plan does not fix
	WorldSetting = "world" // the name of the test
)

// Int is a setting between least and most, both included. Like the others, it is
// drawn from the seed, each from a stream of its own, or taken from the plan that
// the world was given; that plan may leave it out, which means its least value: so
// a plan is made smaller by leaving lines out.
func (w *World) Int(name string, least, most int) int {
	text := w.setting(name, strconv.Itoa(least), func() string {
		return strconv.Itoa(least + w.Rand("setting "+name).IntN(most-least+1))
	})
	n, err := strconv.Atoi(text)
	w.must(name, err)
	return n
}

// Bool is a setting that is off or on; off is its least value.
func (w *World) Bool(name string) bool {
	text := w.OneOf(name, "false", "true")
	on, err := strconv.ParseBool(text)
	w.must(name, err)
	return on
}

// Duration is a setting between least and most, in whole milliseconds.
func (w *World) Duration(name string, least, most time.Duration) time.Duration {
	text := w.setting(name, least.String(), func() string {
		d := least + time.Duration(w.Rand("setting "+name).Int64N(int64(most-least)+1))
		return max(d.Truncate(time.Millisecond), least).String()
	})
	d, err := time.ParseDuration(text)
	w.must(name, err)
	return d
}

// OneOf is a setting with one of the values, none of which has spaces; the first is
// its least.
func (w *World) OneOf(name string, values ...string) string {
	return w.setting(name, values[0], func() string { return values[w.Rand("setting "+name).IntN(len(values))] })
}

// setting finds or draws the value, once.
func (w *World) setting(name, least string, draw func() string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.settings {
		if s.Name == name {
			return s.Value
		}
	}
	value := draw() // also when it is given: drawing takes from the runtime's own stream of random numbers
	if w.given != nil {
		var ok bool
		if value, ok = w.given.Setting(name); !ok {
			value = least
		}
	}
	w.settings = append(w.settings, Setting{name, value})
	return value
}

// must ends the test: the plan's text is wrong.
func (w *World) must(name string, err error) {
	if err != nil {
		w.T.Fatalf("plan: set %s: %v", name, err)
	}
}

// Plan draws the world's plan, or takes the one that TALLYMQ_SIM_PLAN names. It
// holds the settings that were asked for so far. The world's result has its text.
func (w *World) Plan(c PlanConfig) Plan {
	return w.DrawPlan(func(rng *rand.Rand) Plan { return NewPlan(rng, c) })
}

// DrawPlan is Plan for worlds whose plan one configuration does not describe.
func (w *World) DrawPlan(draw func(rng *rand.Rand) Plan) Plan {
	plan := draw(w.Rand("plan")) // in any case, see setting
	if w.given != nil {
		plan = *w.given
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	plan.Settings = slices.Clone(w.settings)
	w.plan = plan
	return plan
}

// planText is the whole plan, with every setting of the world.
func (w *World) planText() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	plan := w.plan
	plan.Settings = w.settings
	return plan.String()
}

// unknownSettings are what the given plan sets and the world has never asked for. How
// often a place acts is known also to a world that lets nothing act.
func (w *World) unknownSettings() []string {
	if w.given == nil {
		return nil
	}
	var unknown []string
	for _, s := range w.given.Settings {
		if act, ok := strings.CutPrefix(s.Name, ActSetting); ok && slices.Contains(point.DeclaredActs(), act) {
			continue
		}
		if _, ok := (Plan{Settings: w.settings}).Setting(s.Name); !ok {
			unknown = append(unknown, s.Name)
		}
	}
	return unknown
}

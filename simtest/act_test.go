package simtest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/tallymq/tallymq/internal/point"
)

var testActs = func() (acts []point.Act) {
	for i := range 20 {
		acts = append(acts, point.NewAct(fmt.Sprintf("simtest/test-act-%d", i)))
	}
	return acts
}()

// TestActsAreDirectedByTheSeed: some places act now and then, others never; nothing
// acts before it is switched on, outside of a process, or after it is switched off; and
// what one place draws does not depend on the others.
func TestActsAreDirectedByTheSeed(t *testing.T) {
	SkipWithoutOverlay(t)
	count := func(w *World, acts []point.Act) (hits []int) {
		p := w.Process("n1")
		err := p.Await(p.Start(func() error {
			for _, a := range acts {
				n := 0
				for range 5000 {
					if a.Now() {
						n++
					}
				}
				hits = append(hits, n)
			}
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
		p.Kill()
		return hits
	}
	Run(t, 1, func(w *World) {
		for _, n := range count(w, testActs) {
			if n > 0 {
				t.Error("a place acts before it is on")
			}
		}
		w.Buggify(true)
		for _, a := range testActs {
			if a.Now() {
				t.Error("the world itself acts")
			}
		}
		acting := 0
		all := count(w, testActs)
		for _, n := range all {
			if n > 0 {
				acting++
			}
			if n > 5000/4 {
				t.Errorf("a place acts %d times of 5000", n)
			}
		}
		if acting < 3 || acting > 17 {
			t.Errorf("%d of 20 places act: %v", acting, all)
		}
		w.Buggify(false)
		for _, n := range count(w, testActs) {
			if n > 0 {
				t.Error("a place acts after it is off")
			}
		}
	})
	Run(t, 2, func(w *World) {
		w.Buggify(true)
		all := count(w, testActs)
		for i, a := range testActs {
			value, ok := Plan{Settings: w.settings}.Setting(ActSetting + a.String())
			if chance, _ := strconv.ParseFloat(value, 64); ok != (all[i] > 0) && (!ok || chance*5000 > 20) {
				t.Errorf("%v: the plan says %q, %d hits", a, value, all[i])
			}
		}
		start := w.Now()
		p := w.Process("n1")
		if err := p.Await(p.Start(func() error {
			for _, a := range testActs {
				for range 1000 {
					a.Pause(time.Second)
				}
			}
			return nil
		})); err != nil {
			t.Error(err)
		}
		if w.Now() == start {
			t.Error("nobody paused")
		}
	})
}

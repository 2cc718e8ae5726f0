package tallysim

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// TestFaultsHitWhomTheyName: what is only in Yours never hits a broker, and the other
// way round; all is over at the end; each verb is drawn by some seed.
func TestFaultsHitWhomTheyName(t *testing.T) {
	brokers, yours := []string{"n1", "n2", "n3"}, []string{"consumer", "producer"}
	f := Faults{Brokers: []simtest.Verb{simtest.Kill, simtest.Cut}, Yours: []simtest.Verb{simtest.Power, simtest.Slow}, Length: time.Minute, Every: time.Second}
	seen := map[simtest.Verb]int{}
	for seed := range uint64(100) {
		plan := f.draw(rand.New(rand.NewPCG(seed, 0)), brokers, yours)
		again := f.draw(rand.New(rand.NewPCG(seed, 0)), brokers, yours)
		if plan.String() != again.String() {
			t.Fatalf("seed %d draws two plans", seed)
		}
		for i, x := range plan.Faults {
			seen[x.Verb]++
			hits := []string{x.A, x.B}
			ofBrokers := x.Verb == simtest.Kill || x.Verb == simtest.Cut
			if ofBrokers && !anyOf(brokers, hits) || !ofBrokers && !anyOf(yours, hits) {
				t.Errorf("seed %d: %v", seed, x)
			}
			if x.At+x.For > plan.Quiet || i > 0 && x.At < plan.Faults[i-1].At {
				t.Errorf("seed %d: %v", seed, plan)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("drawn: %v", seen)
	}
}

func anyOf(of, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(of, n) })
}

// TestFaultsHappenAndEnd: Everything, over some seeds; afterwards the store answers,
// brokers and programs run.
func TestFaultsHappenAndEnd(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Options{Seeds: 3}.Run(t, func(c *Cluster) {
		store := c.Store("s")
		c.Go("program", func(p *Process) error { <-p.Context().Done(); return nil })
		c.Faults(Faults{Brokers: []simtest.Verb{simtest.Kill}, Yours: []simtest.Verb{simtest.Kill}, Store: true})
		c.Quiet()
		if starts := c.Starts("program"); starts < 2 {
			t.Errorf("the program was started %d times: nothing killed it", starts)
		}
		for range 200 {
			if err := store.Update(func(tx *Tx) error { tx.Set("k", "v"); return nil }); err != nil {
				t.Error(err)
			}
		}
		c.Topic("t", 1) // asks the brokers
	})
}

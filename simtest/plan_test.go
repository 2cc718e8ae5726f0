package simtest

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

func planConfig() PlanConfig {
	return PlanConfig{
		Nodes: []string{"n1", "n2", "n3"}, Clients: []string{"c1"}, Mortals: []string{"c1"}, Length: time.Minute, Every: time.Second,
		Verbs: slices.Concat(ProcessVerbs, NetworkVerbs, DiskVerbs, DamageVerbs, CrowdVerbs, []Verb{Swap}), BrokenMax: 1,
	}
}

func TestPlanIsAFunctionOfTheSeed(t *testing.T) {
	for seed := uint64(0); seed < 200; seed++ {
		a := NewPlan(rand.New(rand.NewPCG(seed, 0)), planConfig())
		b := NewPlan(rand.New(rand.NewPCG(seed, 0)), planConfig())
		if a.String() != b.String() {
			t.Fatalf("seed %d draws two plans", seed)
		}
		back, err := ParsePlan(a.String())
		if err != nil || !reflect.DeepEqual(a, back) {
			t.Fatalf("seed %d: printed and parsed: %v\n%v\n%v", seed, err, a, back)
		}
	}
}

// TestPlanKeepsWithinTheBudget: at no time are two nodes broken, and only one is
// ever damaged; every verb is drawn by some seed.
func TestPlanKeepsWithinTheBudget(t *testing.T) {
	seen := map[Verb]int{}
	for seed := uint64(0); seed < 200; seed++ {
		plan := NewPlan(rand.New(rand.NewPCG(seed, 0)), planConfig())
		damaged := map[string]bool{}
		for i, f := range plan.Faults {
			seen[f.Verb]++
			if slices.Contains(DamageVerbs, f.Verb) {
				damaged[f.A] = true
			}
			for _, g := range plan.Faults[:i] {
				if f.Verb == Swap && g.Verb == Swap && g.At+g.For > f.At {
					t.Errorf("seed %d: two swaps at once: %v; %v", seed, g, f)
				}
				if f.breaks() && g.breaks() && f.A != g.A && g.At+g.For > f.At {
					t.Errorf("seed %d: two broken at once: %v; %v", seed, g, f)
				}
			}
			if f.At+f.For > plan.Quiet {
				t.Errorf("seed %d: a fault outlives the quiet: %v", seed, f)
			}
		}
		if len(damaged) > 1 {
			t.Errorf("seed %d: %d nodes damaged", seed, len(damaged))
		}
	}
	for _, v := range planConfig().Verbs {
		if seen[v] == 0 {
			t.Errorf("no seed draws %s", v)
		}
	}
}

// TestAllMayBeDamaged: where it is asked for, plans damage more than one disk.
func TestAllMayBeDamaged(t *testing.T) {
	c := planConfig()
	c.AllDamaged, c.Verbs, c.BrokenMax = true, []Verb{Rot}, len(c.Nodes)
	damaged := map[string]bool{}
	for _, f := range NewPlan(rand.New(rand.NewPCG(1, 0)), c).Faults {
		damaged[f.A] = true
	}
	if len(damaged) != len(c.Nodes) {
		t.Errorf("damaged are %v", damaged)
	}
}

// TestKillClientNeedsSomebody: a plan without clients that may die kills none.
func TestKillClientNeedsSomebody(t *testing.T) {
	c := planConfig()
	c.Mortals, c.Verbs = nil, []Verb{KillClient, Slow}
	for seed := uint64(0); seed < 50; seed++ {
		for _, f := range NewPlan(rand.New(rand.NewPCG(seed, 0)), c).Faults {
			if f.Verb == KillClient {
				t.Fatalf("seed %d: %v", seed, f)
			}
		}
	}
}

func TestParsePlanRefuses(t *testing.T) {
	for _, text := range []string{"1s kill n1", "x kill n1 for 1s amount 1", "1s kill n1 for x amount 1", "1s kill n1 for 1s amount x"} {
		if _, err := ParsePlan(text); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}

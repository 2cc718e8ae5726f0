package tallysim

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// Faults say what goes wrong while they are on. The seed draws a subset of the verbs
// for each world, and when and whom each fault hits; at most one broker of three is
// down, cut off or without its disk at a time, so that a correct consumer can go on.
type Faults struct {
	Brokers []simtest.Verb // what happens to brokers and their links
	Yours   []simtest.Verb // what happens to the processes of Go and their links
	// Store lets a share of the transactions of every Store fail, drawn from the seed, at
	// most 5 of 100: half of them were stored all the same.
	Store  bool
	Length time.Duration // until everything is healed; 30 s when 0
	Every  time.Duration // mean time between faults of brokers, and of yours; 2 s when 0
}

// The presets. A copy may be changed before it is used.
var (
	// None is a cluster on a good day: schedules and delays vary, nothing fails.
	None = Faults{}
	// Network cuts, delays, resets and refuses connections.
	Network = Faults{Brokers: simtest.NetworkVerbs, Yours: simtest.NetworkVerbs}
	// Crashes kills, cuts the power and pauses processes.
	Crashes = Faults{Brokers: crashVerbs, Yours: crashVerbs}
	// Everything is both, with slow and stuck disks, wrong wall clocks of your processes,
	// and stores that fail.
	Everything = Faults{
		Brokers: slices.Concat(crashVerbs, simtest.NetworkVerbs, simtest.DiskVerbs),
		Yours:   slices.Concat(crashVerbs, simtest.NetworkVerbs, []simtest.Verb{simtest.Skew, simtest.SlowDisk}),
		Store:   true,
	}

	crashVerbs = []simtest.Verb{simtest.Kill, simtest.Power, simtest.Pause}
)

const (
	lengthDefault = 30 * time.Second
	everyDefault  = 2 * time.Second
	// yoursShorter is by how much faults of the user's processes are shorter than those of
	// brokers: a program that is down most of the time does little that can go wrong.
	yoursShorter = 4
)

// Faults draws the world's plan and lets it happen in the background. It is called
// once, after Go: processes that are started later are spared.
func (c *Cluster) Faults(f Faults) {
	c.T.Helper()
	if c.planned != "" {
		c.T.Fatal("tallysim: Faults was called twice; the plan of a world is one")
	}
	f.Length, f.Every = cmp.Or(f.Length, lengthDefault), cmp.Or(f.Every, everyDefault)
	if f.Store {
		c.failing.Store(int32(c.World.Int("store-failures-per-thousand", 0, storeFailuresMax)))
	}
	plan := c.World.DrawPlan(func(rng *rand.Rand) simtest.Plan { return f.draw(rng, c.nodes.Names, c.names()) })
	c.planned = plan.String()
	quiet := make(chan struct{})
	c.quiet = quiet
	go func() {
		c.nodes.Apply(plan)
		c.failing.Store(0)
		close(quiet)
	}()
}

// draw makes one plan of what hits brokers and what hits the user's processes.
func (f Faults) draw(rng *rand.Rand, brokers, yours []string) simtest.Plan {
	plan := simtest.NewPlan(rng, simtest.PlanConfig{
		Nodes: brokers, Clients: yours, Length: f.Length, Every: f.Every, Verbs: f.Brokers, BrokenMax: (len(brokers) - 1) / 2,
	})
	if len(yours) > 0 {
		more := simtest.NewPlan(rng, simtest.PlanConfig{
			Nodes: yours, Clients: brokers, Length: f.Length, Every: f.Every, Verbs: f.Yours, BrokenMax: len(yours),
		})
		for i := range more.Faults {
			more.Faults[i].For = (more.Faults[i].For / yoursShorter).Truncate(time.Millisecond)
		}
		plan.Faults = append(plan.Faults, more.Faults...)
	}
	slices.SortStableFunc(plan.Faults, func(a, b simtest.Fault) int { return cmp.Compare(a.At, b.At) })
	return plan
}

// Quiet waits until the plan is over: every link healed, every process started.
func (c *Cluster) Quiet() { <-c.quiet }

func (c *Cluster) names() []string {
	var names []string
	for _, e := range c.processes {
		names = append(names, e.sim.Name())
	}
	return names
}

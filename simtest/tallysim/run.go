package tallysim

import (
	"testing"

	"github.com/tallymq/tallymq/simtest"
)

// Options say which worlds are run. The zero value is a good default.
type Options struct {
	// Seeds is how many seeds are run, 1..Seeds; 10 when 0. TALLYMQ_SIM_SEEDS overrides it.
	Seeds int
	// Keep are seeds that once failed; they run first, always.
	Keep []uint64
	// Nodes is the size of the cluster; 3 when 0. With fewer than 3 the brokers keep one
	// replica of everything, and a plan that kills one stops its shards for that time.
	Nodes int
}

// Run runs body in one world per seed, with the default options. The test fails at
// the first seed that fails.
func Run(t *testing.T, body func(c *Cluster)) {
	t.Helper()
	Options{}.Run(t, body)
}

// Run is Run with options.
func (o Options) Run(t *testing.T, body func(c *Cluster)) {
	t.Helper()
	simtest.RequireOverlay(t)
	if seed, one := oneSeed(t); one {
		o.world(t, seed, body)
		return
	}
	seeds := o.seeds(t)
	total := &tally{}
	for i, seed := range seeds {
		r := runChild(t, seed)
		if !r.held {
			t.Fatalf("seed %d fails, after %d of %d seeds held\n%s", seed, i, len(seeds), r.output)
		}
		total.add(r.world)
		if i == 0 {
			compare(t, seed, r)
		}
	}
	t.Logf("held: %v", total)
}

// Find runs seeds until one breaks the assertion of that name, given to Check or
// Eventually, and returns it with its report. The test fails when none does, or when
// one fails for another reason alone. It is how a test shows that it would catch a bug:
// an assertion that never failed is not trusted.
func (o Options) Find(t *testing.T, assertion string, body func(c *Cluster)) (seed uint64, report string) {
	t.Helper()
	simtest.RequireOverlay(t)
	if seed, one := oneSeed(t); one {
		o.world(t, seed, body)
		t.SkipNow() // what the test does with Find's results is for the process that looks for a seed
	}
	seeds := o.seeds(t)
	total := &tally{}
	for _, seed := range seeds {
		r := runChild(t, seed)
		if r.broke(assertion) {
			t.Logf("seed %d breaks %q, as it should; before it held: %v", seed, assertion, total)
			return seed, r.output
		}
		if !r.held {
			t.Fatalf("seed %d fails, but it does not break %q\n%s", seed, assertion, r.output)
		}
		total.add(r.world)
	}
	t.Fatalf("none of %d seeds breaks %q: %v", len(seeds), assertion, total)
	return 0, ""
}

// world runs one world in this process.
func (o Options) world(t *testing.T, seed uint64, body func(c *Cluster)) {
	log := brokersLog(t)
	simtest.Run(t, seed, func(w *simtest.World) {
		c := newCluster(w, o, log)
		w.Report = c.report
		body(c)
		c.finish()
	})
}

// compare runs a seed again, which must give the same world.
func compare(t *testing.T, seed uint64, first childResult) {
	t.Helper()
	second := runChild(t, seed)
	if second.held && second.world.Hash == first.world.Hash {
		return
	}
	hash := "none"
	if second.world != nil {
		hash = second.world.Hash
	}
	t.Errorf("seed %d is not one world: two runs of it have the hashes %s and %s. Something in the code under test does not come from "+
		"the simulator: a file or socket of the machine, a goroutine of a package variable, state kept between runs.\n%s",
		seed, first.world.Hash, hash, simtest.CompareRuns(t, testPattern(t.Name()), seed))
}

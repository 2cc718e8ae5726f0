package simtest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/lni/goutils/random"

	"github.com/tallymq/tallymq/internal/point"
	"github.com/tallymq/tallymq/simtest/internal/hook"
	"github.com/tallymq/tallymq/simtest/network"
	coverages "github.com/tallymq/tallymq/simtest/point"
	"github.com/tallymq/tallymq/simtest/trace"
)

// howTo is said to who runs a world without the overlay.
const howTo = "the simulator needs its build overlay; run\n" +
	"\tgo test -overlay=$(tallymq sim overlay) ./...\n" +
	"or, inside the tallymq repository,\n" +
	"\tgo test -overlay=$(go run ./simtest/internal/overlaypath) ./simtest/..."

// coverage counts the rare places that the worlds of this binary reach.
var coverage = coverages.New()

// Coverage returns what all worlds of this process together have reached.
func Coverage() *coverages.Coverage { return coverage }

// Active says whether this binary was built with the overlay, that is, whether
// Run works.
func Active() bool { return hook.Active() }

// SkipWithoutOverlay skips a test of the simulator's own when the binary was
// built without the overlay, and says which command runs it. A user's test calls
// Run, which fails instead: a test that did not run has shown nothing.
func SkipWithoutOverlay(t testing.TB) {
	t.Helper()
	if !Active() {
		t.Skip(howTo)
	}
}

// RequireOverlay fails a test whose binary was built without the overlay, and says
// what to do.
func RequireOverlay(t testing.TB) {
	t.Helper()
	if !Active() {
		t.Fatal(howTo)
	}
}

// Run makes a world from the seed and runs body in it as the world's first
// goroutine. When body returns all processes are killed and Run returns.
//
// TALLYMQ_SIM_RESULT names a file for the world's Result, TALLYMQ_SIM_PLAN one with
// a plan: its seed, when it sets one, is used in place of the argument.
func Run(t *testing.T, seed uint64, body func(w *World)) {
	t.Helper()
	RequireOverlay(t)
	given, seed, err := givenPlan(t.Name(), seed)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	litter(t)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryMax))
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 0
	// What was before is forgotten: pools hold what was put in them through one collection, and how many there have been by
	// now depends on the size of the heap and on real time.
	runtime.GC()
	runtime.GC()
	cryptotest.SetGlobalRandom(t, seed)
	full, done := traceFile(t)
	defer done()
	real := time.Now()
	reached := coverages.New()
	stopCounting := reached.Start(seed)
	garbage := newCollector()
	defer garbage.stop()
	var w *World
	// Deferred: a test that failed inside the bubble ends with it.
	defer func() {
		if w == nil {
			stopCounting()
			return
		}
		elapsed := time.Since(real)
		stopCounting()
		coverage.Merge(reached)
		if unknown := w.unknownSettings(); len(unknown) > 0 {
			t.Errorf("the plan sets what this world does not know: %v", unknown)
		}
		if err := w.writeResult(reached, elapsed); err != nil {
			t.Error(err)
		}
		t.Logf("seed %d: %d events, hash %016x, simulated %v in %v (%.0f times real time)",
			seed, w.Trace.Count(), w.Trace.Hash(), w.lasted.Round(time.Millisecond), elapsed.Round(time.Millisecond),
			float64(w.lasted)/float64(elapsed))
		if n := garbage.outOfTurn(); n > 0 {
			t.Logf("garbage was collected %d times out of turn, at %d bytes: two runs of this seed may differ", n, int64(memoryMax))
		}
		if t.Failed() {
			t.Log(w.report())
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		hook.Begin(seed)
		defer hook.End()
		// Its package-level state is seeded from the clock and the host's name.
		random.LockGuardedRand = random.NewLockedRand()
		w = newWorld(t, seed, full, garbage)
		w.given = given
		hook.OnPanic(w.panicked)
		hook.Share(&finalizeLock)
		defer point.Direct(w.actors)()
		w.run(body)
		w.close()
	})
}

// newTrace hands the trace a writer only when there is one.
func newTrace(full *bufio.Writer) *trace.Log {
	if full == nil {
		return trace.New(nil, hook.Steps)
	}
	return trace.New(full, hook.Steps)
}

func newWorld(t *testing.T, seed uint64, full *bufio.Writer, garbage *collector) *World {
	w := &World{
		T: t, Seed: seed, Trace: newTrace(full), garbage: garbage,
		processes: map[string]*Process{}, byNumber: map[uint32]*Process{}, numbers: bodyNumber, stopped: make(chan struct{}),
		name: t.Name(), faults: map[string]int{}, operations: map[string]int{},
		settings: []Setting{{WorldSetting, t.Name()}, {SeedSetting, strconv.FormatUint(seed, 10)}},
	}
	w.actors = &actors{w: w, places: map[string]*actor{}}
	w.Net = network.New(w.Trace, w.Rand("network"), network.LAN)
	w.watchDone = make(chan struct{})
	go w.watch()
	return w
}

// childEnv is the strictest form, see doc.go.
var childEnv = []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}

// ChildEnv is what the process of a world has in its environment.
func ChildEnv() []string { return slices.Clone(childEnv) }

var hashOf = regexp.MustCompile(`seed \d+: .*hash ([0-9a-f]{16})`)

// outputBytesMax is how much of a failing child's output is shown.
const outputBytesMax = 8000

// RunChild runs one test of this binary in a process of its own, with one seed
// (TALLYMQ_SIM_SEED) and its whole trace in a file, and returns the world's hash.
func RunChild(t *testing.T, test string, seed uint64, traceFile string, env ...string) (hash string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v", "-test.timeout=0")
	cmd.Env = slices.Concat(os.Environ(), childEnv, []string{
		fmt.Sprintf("TALLYMQ_SIM_SEED=%d", seed), "TALLYMQ_SIM_TRACE=" + traceFile}, env)
	out, err := cmd.CombinedOutput()
	m := hashOf.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("seed %d of %s: %v\n%s", seed, test, err, out[max(0, len(out)-outputBytesMax):])
	}
	return string(m[1])
}

// CompareRuns runs a seed of a test twice, each in a process of its own, and
// describes the first event in which the two worlds differ; "" when they are equal.
// env is added to the second one's environment.
func CompareRuns(t *testing.T, test string, seed uint64, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	files := [2]string{filepath.Join(dir, "first"), filepath.Join(dir, "second")}
	a := RunChild(t, test, seed, files[0])
	b := RunChild(t, test, seed, files[1], append([]string{litterEnv + "=1"}, env...)...)
	var in [2]*os.File
	for i, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		in[i] = f
	}
	diff, err := trace.Diff(in[0], in[1], diffContext)
	if err != nil {
		t.Fatal(err)
	}
	if (a == b) != (diff == "") {
		t.Errorf("seed %d: the hashes %s, %s and the traces disagree on whether the runs are equal", seed, a, b)
	}
	return diff
}

package tallysim

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/simtest"
)

// Names in the environment. All that begin with the prefix choose worlds, and what
// is read and written beside them; package simtest reads the others.
const (
	prefixEnv = "TALLYMQ_SIM_"
	seedEnv   = prefixEnv + "SEED"   // this seed alone, in this process
	seedsEnv  = prefixEnv + "SEEDS"  // FIRST..LAST in place of 1..Options.Seeds
	planEnv   = prefixEnv + "PLAN"   // a file that replaces the plan of one world, and may name its seed
	resultEnv = prefixEnv + "RESULT" // a file for what the world came to
	logEnv    = prefixEnv + "LOG"    // a file that the brokers log to
)

// oneSeed says whether this process is to run one world, and which.
func oneSeed(t *testing.T) (seed uint64, one bool) {
	t.Helper()
	text := os.Getenv(seedEnv)
	if text == "" {
		return 1, os.Getenv(planEnv) != ""
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", seedEnv, err)
	}
	return seed, true
}

// seeds lists what is to be run.
func (o Options) seeds(t *testing.T) []uint64 {
	t.Helper()
	first, last := uint64(1), uint64(seedsDefault)
	if o.Seeds > 0 {
		last = uint64(o.Seeds)
	}
	if text := os.Getenv(seedsEnv); text != "" {
		if _, err := fmt.Sscanf(text, "%d..%d", &first, &last); err != nil || last < first {
			t.Fatalf("%s=%q: want FIRST..LAST", seedsEnv, text)
		}
	}
	seeds := slices.Clone(o.Keep)
	for seed := first; seed <= last; seed++ {
		if !slices.Contains(o.Keep, seed) {
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

// brokersLog opens the file that the brokers of one world log to, nil when none is asked for.
func brokersLog(t *testing.T) slog.Handler {
	t.Helper()
	file := os.Getenv(logEnv)
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatalf("%s: %v", logEnv, err)
	}
	t.Cleanup(func() { f.Close() })
	return slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug})
}

// childEnvironment is that of the process of one world: ours, without what chose
// worlds for this process.
func childEnvironment(seed uint64, resultFile string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, prefixEnv) })
	env = append(env, simtest.ChildEnv()...)
	return append(env, fmt.Sprintf("%s=%d", seedEnv, seed), resultEnv+"="+resultFile)
}

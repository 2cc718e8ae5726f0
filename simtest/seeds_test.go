package simtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/simtest/trace"
)

// seedFromEnv is the seed of a test that replays what another one found.
func seedFromEnv(t *testing.T, otherwise uint64) uint64 {
	s := os.Getenv("TALLYMQ_SIM_SEED")
	if s == "" {
		return otherwise
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// seedsFromEnv is a range of seeds, "1..20".
func seedsFromEnv(t *testing.T, otherwise string) (first, last uint64) {
	s := os.Getenv("TALLYMQ_SIM_SEEDS")
	if s == "" {
		s = otherwise
	}
	if _, err := fmt.Sscanf(s, "%d..%d", &first, &last); err != nil || last < first {
		t.Fatalf("TALLYMQ_SIM_SEEDS=%q: want FIRST..LAST", s)
	}
	return first, last
}

// childEnv is the strictest form, see doc.go.
var childEnv = []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}

var hashOf = regexp.MustCompile(`seed \d+: .*hash ([0-9a-f]{16})`)

// runChild runs one test of this binary in a process of its own, with one seed and
// its whole trace in a file.
func runChild(t *testing.T, test string, seed uint64, traceFile string, more ...string) (hash string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v", "-test.timeout=0")
	cmd.Env = append(os.Environ(), childEnv...)
	cmd.Env = append(cmd.Env, fmt.Sprintf("TALLYMQ_SIM_SEED=%d", seed), "TALLYMQ_SIM_TRACE="+traceFile)
	cmd.Env = append(cmd.Env, more...)
	out, err := cmd.CombinedOutput()
	m := hashOf.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("seed %d of %s: %v\n%s", seed, test, err, last(string(out), 8000))
	}
	return string(m[1])
}

func last(s string, n int) string { return s[max(0, len(s)-n):] }

// compareRuns runs a seed twice and says where the runs differ, or "".
func compareRuns(t *testing.T, test string, seed uint64, second ...string) string {
	dir := t.TempDir()
	files := [2]string{filepath.Join(dir, "first"), filepath.Join(dir, "second")}
	a := runChild(t, test, seed, files[0])
	b := runChild(t, test, seed, files[1], second...)
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

// TestSeedsAreEqual: the same seed in two processes gives the same world, event by
// event and turn by turn.
func TestSeedsAreEqual(t *testing.T) {
	SkipWithoutOverlay(t)
	first, last := seedsFromEnv(t, "1..3")
	for _, test := range []string{"TestRaftSurvivesThePlan", "TestStreamClientsAndServer"} {
		for seed := first; seed <= last; seed++ {
			if diff := compareRuns(t, test, seed); diff != "" {
				t.Errorf("%s, seed %d: %s", test, seed, diff)
			}
		}
	}
	t.Logf("%d seeds of each world, each twice, equal", last-first+1)
}

// TestDifferenceIsFound: the comparison finds a world that differs in one draw, and
// shows where.
func TestDifferenceIsFound(t *testing.T) {
	SkipWithoutOverlay(t)
	diff := compareRuns(t, "TestStreamClientsAndServer", 1, "TALLYMQ_SIM_PLANT=1")
	for _, want := range []string{"differ first at event", "> first", "> second", "planted"} {
		if !strings.Contains(diff, want) {
			t.Fatalf("missing %q in:\n%s", want, diff)
		}
	}
}

// TestSeedsDiffer: other seeds are other worlds.
func TestSeedsDiffer(t *testing.T) {
	SkipWithoutOverlay(t)
	seen := map[string]uint64{}
	for seed := uint64(1); seed <= 3; seed++ {
		hash := runChild(t, "TestStreamClientsAndServer", seed, filepath.Join(t.TempDir(), "trace"))
		if other, ok := seen[hash]; ok {
			t.Errorf("seeds %d and %d are one world", other, seed)
		}
		seen[hash] = seed
	}
}

// TestRunRefusesWithoutOverlay: a user's test that was built without the overlay
// must fail and say what to do; it must not pass, nor be skipped.
func TestRunRefusesWithoutOverlay(t *testing.T) {
	if os.Getenv("TALLYMQ_SIM_REFUSE") != "" {
		Run(t, 1, func(*World) {})
		return
	}
	if Active() {
		t.Skip("built with the overlay")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRunRefusesWithoutOverlay$")
	cmd.Env = append(os.Environ(), "TALLYMQ_SIM_REFUSE=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(string(out), "go test -overlay=") {
		t.Fatalf("want a failure that names the command, got %v\n%s", err, out)
	}
}

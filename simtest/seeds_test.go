package simtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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

// TestSeedsAreEqual: the same seed in two processes gives the same world, event by
// event and turn by turn.
func TestSeedsAreEqual(t *testing.T) {
	SkipWithoutOverlay(t)
	first, last := seedsFromEnv(t, "1..3")
	for _, test := range []string{"TestRaftSurvivesThePlan", "TestStreamClientsAndServer", "TestAddressesDecideNothing"} {
		for seed := first; seed <= last; seed++ {
			if diff := CompareRuns(t, test, seed); diff != "" {
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
	diff := CompareRuns(t, "TestStreamClientsAndServer", 1, "TALLYMQ_SIM_PLANT=1")
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
		hash := RunChild(t, "TestStreamClientsAndServer", seed, filepath.Join(t.TempDir(), "trace"))
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

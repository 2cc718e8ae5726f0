package tallysim

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tallymq/tallymq/simtest"
)

// roleEnv makes a test of this file be the failing test that its other process, which
// started it, judges.
const roleEnv = "TALLYSIM_TEST_ROLE"

// fails runs the calling test again in its role of one that fails, and returns what
// it prints.
func fails(t *testing.T, role string, flags ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-test.run=^" + t.Name() + "$", "-test.v"}, flags...)...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--- FAIL: "+t.Name()) {
		t.Fatalf("it does not fail: %v\n%s", err, out)
	}
	return string(out)
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("missing: %q\nin: %s", part, text)
		}
	}
}

// TestRunFailsWithoutTheOverlay: it neither passes nor skips, and says how to build.
func TestRunFailsWithoutTheOverlay(t *testing.T) {
	if os.Getenv(roleEnv) != "" {
		Run(t, func(*Cluster) { t.Error("the body was called") })
		return
	}
	if simtest.Active() {
		t.Skip("this binary has the overlay; without it this test runs")
	}
	out := fails(t, "any")
	wants(t, out, "go test -overlay=$(tallymq sim overlay) ./...")
	if strings.Contains(out, "the body was called") {
		t.Error(out)
	}
}

// TestRunRunsTheSeedsItIsAskedFor: each in a process of its own, kept ones first, the
// first one twice; and it stops at the first that fails.
func TestRunRunsTheSeedsItIsAskedFor(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	file := os.Getenv(roleEnv)
	if file != "" {
		Options{Seeds: 5, Keep: []uint64{70}, Nodes: 1}.Run(t, func(c *Cluster) {
			appendLine(t, file, fmt.Sprint(c.World.Seed))
			if c.World.Seed == 3 {
				t.Error("seed three is bad")
			}
		})
		return
	}
	file = t.TempDir() + "/seeds"
	out := fails(t, file)
	wants(t, out, "seed 3 fails, after 3 of 6 seeds held", "seed three is bad", "TALLYMQ_SIM_SEED=3 go test")
	if b, err := os.ReadFile(file); err != nil || string(b) != "70\n70\n1\n2\n3\n" {
		t.Errorf("seeds run: %q, %v", b, err)
	}
}

// TestRunFailsOnWhatIsNotSimulated: two runs of a seed that differ are a failure, and
// the first difference is shown.
func TestRunFailsOnWhatIsNotSimulated(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	file := os.Getenv(roleEnv)
	if file != "" {
		Options{Seeds: 1, Nodes: 1}.Run(t, func(c *Cluster) {
			appendLine(t, file, "x")
			b, _ := os.ReadFile(file)
			c.World.Result("body", "the machine's file has %d bytes", len(b))
		})
		return
	}
	wants(t, fails(t, t.TempDir()+"/count"), "seed 1 is not one world", "the machine's file has")
}

// TestALoopThatNeverBlocksIsShown: it stops simulated time; go test's limit ends it
// with the stack of the loop.
func TestALoopThatNeverBlocksIsShown(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	if os.Getenv(roleEnv) != "" {
		Options{Seeds: 1, Nodes: 1}.Run(t, spin)
		return
	}
	limit := deadlineReserve + time.Second
	out := fails(t, "any", "-test.timeout="+limit.String())
	wants(t, out, "the time limit of go test came while this seed ran", "tallysim.spin", "TALLYMQ_SIM_SEED=1 go test")
}

func spin(c *Cluster) {
	for n := 0; ; n++ {
		c.World.Seed ^= uint64(n)
	}
}

// TestABodyThatNeverEndsFails: within a bounded simulated time.
func TestABodyThatNeverEndsFails(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	_, report := Options{Seeds: 1, Nodes: 1}.Find(t, "panic", func(*Cluster) { select {} })
	wants(t, report, "the body did not end within 1h0m0s")
}

// TestFindWantsTheAssertionItWasGiven: a world that fails for another reason shows
// nothing of that assertion.
func TestFindWantsTheAssertionItWasGiven(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	find := func(t *testing.T, assertion string) string {
		_, report := Options{Seeds: 2, Nodes: 1}.Find(t, assertion, func(c *Cluster) {
			c.Check("this", func() error { return fmt.Errorf("is broken") })
		})
		return report
	}
	if os.Getenv(roleEnv) != "" {
		find(t, "that")
		return
	}
	wants(t, fails(t, "any"), `seed 1 fails, but it does not break "that"`, "this: is broken")
	wants(t, find(t, "this"), "this: is broken")
}

// TestFindFailsWhenNothingIsFound: an assertion that cannot fail is found out.
func TestFindFailsWhenNothingIsFound(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	if os.Getenv(roleEnv) != "" {
		Options{Seeds: 2, Nodes: 1}.Find(t, "this", func(c *Cluster) { c.Check("this", func() error { return nil }) })
		return
	}
	wants(t, fails(t, "any"), `none of 2 seeds breaks "this"`)
}

func appendLine(t *testing.T, file, line string) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Fatal(err)
	}
}

package tallysim

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tallymq/tallymq/simtest/result"
)

// A childResult is what the process of one world came to.
type childResult struct {
	held   bool
	output string         // what it printed, when it did not
	world  *result.Result // nil when it died without one
}

// broke says whether an assertion did not hold.
func (r childResult) broke(assertion string) bool {
	return r.world != nil && slices.ContainsFunc(r.world.Violations, func(v result.Violation) bool { return v.Anomaly == assertion })
}

// runChild runs the calling test again, in a process of its own, with one seed.
func runChild(t *testing.T, seed uint64) childResult {
	t.Helper()
	ctx, cancel := untilDeadline(t)
	defer cancel()
	file := filepath.Join(t.TempDir(), "result.json")
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+testPattern(t.Name())+"$", "-test.v", "-test.timeout=0")
	cmd.Env = childEnvironment(seed, file)
	// So it says what it was doing: a loop that never blocks stops simulated time, and
	// with it everything that would end the world.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	cmd.WaitDelay = dumpMax
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited && ctx.Err() == nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	r := childResult{}
	if r.world, _ = result.Read(file); r.world != nil {
		r.held = err == nil && !r.world.Failed
	}
	switch {
	case r.held:
	case ctx.Err() != nil:
		r.output = fmt.Sprintf("the time limit of go test came while this seed ran; -timeout sets it. It was here:\n%s\nAgain: %s", dump(out), again(t.Name(), seed))
	case r.world == nil:
		r.output = fmt.Sprintf("%s\nthe process of this seed died without a result: %v\nAgain: %s", shown(out), err, again(t.Name(), seed))
	default:
		r.output = shown(out)
	}
	return r
}

// untilDeadline ends a while before go test's time limit, in time to report.
func untilDeadline(t *testing.T) (context.Context, context.CancelFunc) {
	deadline, ok := t.Deadline()
	if !ok {
		return context.WithCancel(t.Context())
	}
	return context.WithDeadline(t.Context(), deadline.Add(-deadlineReserve))
}

// again is the command that repeats a world.
func again(test string, seed uint64) string {
	return fmt.Sprintf("%s=%d go test -overlay=$(tallymq sim overlay) -run '^%s$' .    (in the package's folder)", seedEnv, seed, testPattern(test))
}

// testPattern is the -run pattern of a test, without ^ and $ at its ends.
func testPattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return strings.Join(parts, "$/^")
}

// shown is the end of a child's output, without what go test says of its progress.
func shown(out []byte) string {
	var b strings.Builder
	for line := range bytes.Lines(out) {
		if !bytes.HasPrefix(line, []byte("=== ")) {
			b.Write(line)
		}
	}
	s := b.String()
	if cut := len(s) - outputBytesMax; cut > 0 {
		s = fmt.Sprintf("(%d bytes left out)\n%s", cut, s[cut:])
	}
	return strings.TrimSpace(s)
}

// dump is the beginning of the stacks that a child printed when it was ended: the
// goroutine that ran stands first.
func dump(out []byte) string {
	at := max(0, bytes.Index(out, []byte("SIGQUIT")))
	return string(out[at:min(len(out), at+dumpBytesMax)])
}

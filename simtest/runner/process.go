package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/simtest/result"
)

// Bounds are those of one process.
type Bounds struct {
	MemoryKiB int           // of address space; MemoryKiB when 0
	Time      time.Duration // WorldTime when 0
}

// A Job is one world to run.
type Job struct {
	Binary *Binary
	Seed   uint64
	Plan   string   // file; "" when the seed draws it
	Trace  string   // file; "" for none
	Env    []string // added
	Bounds
}

// An Outcome is what came of a job.
type Outcome struct {
	Job
	Result     *result.Result // nil when the process wrote none
	Violations []result.Violation
	Output     string // the end of what the process printed
	Took       time.Duration
	Twin       *Outcome // the second run, of a world that ran twice
}

// Failed says whether anything is wrong with the world.
func (o *Outcome) Failed() bool { return len(o.Violations) > 0 }

// Kinds of failures that a process did not report itself.
const (
	Died       = "process-died" // by a fatal error or a panic outside any simulated process
	TimedOut   = "timed-out"    // the bound of real time
	TestFailed = "test-failed"  // without a violation
	NoWorld    = "no-world"     // the test passed and ran no world
	Unequal    = "two-runs-differ"
)

// strict is the strictest form of a world's process, see simtest's doc.go.
var strict = []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}

// Run runs a job to its end. The error is the machine's or the context's; what is
// wrong with the world is in the outcome.
func (j Job) Run(ctx context.Context) (*Outcome, error) {
	dir, err := os.MkdirTemp("", "tallymq-sim-")
	if err != nil {
		return nil, fmt.Errorf("run: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "result.json")
	limit := j.Time
	if limit == 0 {
		limit = WorldTime
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := j.command(bounded, file)
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	failure := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	o := &Outcome{Job: j, Output: string(out.b), Took: time.Since(began)}
	if o.Result, err = result.Read(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	o.judge(failure, bounded.Err() != nil, limit)
	return o, nil
}

// command is the process: a shell that bounds its memory and becomes the binary.
func (j Job) command(ctx context.Context, resultFile string) *exec.Cmd {
	memory := j.MemoryKiB
	if memory == 0 {
		memory = MemoryKiB
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -v "$0" && exec "$@"`, strconv.Itoa(memory),
		j.Binary.Path, "-test.v", "-test.timeout=0", "-test.run=^"+j.Binary.Test+"$")
	cmd.Dir, cmd.WaitDelay = j.Binary.Dir, killDelay
	// A group of its own: Ctrl-C reaches this program, which ends its processes.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = slices.Concat(os.Environ(), strict, []string{
		fmt.Sprintf("TALLYMQ_SIM_SEED=%d", j.Seed), "TALLYMQ_SIM_RESULT=" + resultFile,
		"TALLYMQ_SIM_PLAN=" + j.Plan, "TALLYMQ_SIM_TRACE=" + j.Trace}, j.Env)
	return cmd
}

var fatal = regexp.MustCompile(`(?m)^(panic: |fatal error: |.*BUG: ).*$`)

// judge says what is wrong beside what the world said itself.
func (o *Outcome) judge(failure error, late bool, limit time.Duration) {
	if o.Result != nil {
		o.Violations = o.Result.Violations
	}
	add := func(kind, format string, args ...any) {
		o.Violations = append(o.Violations, result.Violation{Anomaly: kind, Where: o.Binary.Test, Text: fmt.Sprintf(format, args...)})
	}
	switch {
	case late:
		add(TimedOut, "the process was ended after %v of real time", limit)
	case o.Result == nil && failure == nil:
		add(NoWorld, "no test of that name ran a world: it must call simtest.Run, and not be skipped")
	case o.Result == nil:
		add(Died, "%v: %s", failure, strings.TrimSpace(fatal.FindString(o.Output)))
	case failure != nil && len(o.Violations) == 0:
		add(TestFailed, "%v: %s", failure, firstComplaint(o.Output))
	}
}

var complaint = regexp.MustCompile(`(?m)^ +[a-z_0-9]+_test\.go:\d+: (.*)$`)

// firstComplaint finds what a failed test said last before it failed; worlds log
// what they drew, so that the last line of a test is the telling one.
func firstComplaint(output string) string {
	all := complaint.FindAllStringSubmatch(output, -1)
	if len(all) == 0 {
		return "see its output"
	}
	return all[len(all)-1][1]
}

// Again is the command that repeats the world.
func (o *Outcome) Again() string {
	c := "tallymq sim run"
	if known := slices.Contains(Own, o.Binary.World); known {
		c += " --world " + o.Binary.Name
	} else {
		c += " --package " + o.Binary.Package + " --test " + o.Binary.Test
	}
	if o.Plan != "" {
		return c + " --plan " + o.Plan
	}
	return fmt.Sprintf("%s --seed %d", c, o.Seed)
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 2*outputBytesMax {
		t.b = bytes.Clone(t.b[len(t.b)-outputBytesMax:])
	}
	return len(p), nil
}

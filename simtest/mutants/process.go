package mutants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A Finding is what a world's process found wrong; Anomaly "" is nothing.
type Finding struct {
	Anomaly string
	Text    string // the first violation, one line
}

// Anomalies that are no checker's.
const (
	// Crashed: the process ended without a verdict.
	Crashed = "crash"
	// NoEnd: the world did not end within seedTimeMax.
	NoEnd = "no-end"
	// Failed: the test failed without naming an anomaly.
	Failed = "failure"
)

// build makes the test binary of a package with an overlay.
func build(ctx context.Context, root, overlay, pkg, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay="+overlay, "-o", binary, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, tail(out))
	}
	return nil
}

// seed runs one seed of a world in a process of its own, bounded in memory and time.
func seed(ctx context.Context, root, binary string, w World, seed int, dir string) (Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, seedTimeMax)
	defer cancel()
	result := filepath.Join(dir, "result.json")
	if err := os.Remove(result); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Finding{}, err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -v "$0" && exec "$@"`, fmt.Sprint(memoryKiBMax),
		binary, "-test.v", "-test.timeout=0", "-test.run", "^"+w.Test+"$")
	cmd.Dir = filepath.Join(root, filepath.FromSlash(w.Package))
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1",
		fmt.Sprintf("TALLYMQ_SIM_SEED=%d", seed), "TALLYMQ_SIM_RESULT="+result)
	out, err := cmd.CombinedOutput()
	if werr := os.WriteFile(filepath.Join(dir, "last.log"), out, 0o644); werr != nil {
		return Finding{}, werr
	}
	return judge(ctx, out, err, result, w)
}

// judge says what a process that ended found.
func judge(ctx context.Context, out []byte, err error, result string, w World) (Finding, error) {
	text := string(out)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Finding{NoEnd, "the world did not end within " + seedTimeMax.String()}, nil
	case ctx.Err() != nil:
		return Finding{}, ctx.Err()
	case err == nil && strings.Contains(text, "\n--- PASS: "+w.Test+" "):
		return Finding{}, nil
	case err == nil:
		return Finding{}, fmt.Errorf("%v did not run: a mutant may not survive that way\n%s", w, tail(out))
	case errors.As(err, new(*exec.ExitError)):
		if f, ok := fromResult(result); ok {
			return f, nil
		}
		return fromOutput(text), nil
	}
	return Finding{}, err
}

// fromResult reads the first violation from the world's result file.
func fromResult(path string) (Finding, bool) {
	var r struct {
		Violations []struct{ Anomaly, Where, Text string }
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &r) != nil || len(r.Violations) == 0 {
		return Finding{}, false
	}
	v := r.Violations[0]
	if v.Anomaly == "" {
		v.Anomaly = Failed
	}
	return Finding{v.Anomaly, summary(v.Where + ": " + v.Text)}, true
}

var (
	violationLine = regexp.MustCompile(`(?m)seed \d+ at [0-9a-zµ.]+: (.*)$`)
	anomalyLine   = regexp.MustCompile(`^([A-Za-z0-9-]+) in (\S+: .*)$`)
	testLine      = regexp.MustCompile(`(?m)^ +\w+_test\.go:\d+: (.*)$`)
)

// fromOutput finds the first violation in a test's output, for a process that could
// not write its result.
func fromOutput(out string) Finding {
	if m := violationLine.FindStringSubmatch(out); m != nil {
		if a := anomalyLine.FindStringSubmatch(m[1]); a != nil {
			return Finding{a[1], summary(a[2])}
		}
		return Finding{Failed, summary(m[1])}
	}
	if at := strings.Index(out, "panic: "); at >= 0 {
		line, _, _ := strings.Cut(out[at:], "\n")
		return Finding{Crashed, summary(line)}
	}
	if m := testLine.FindAllStringSubmatch(out, -1); m != nil {
		return Finding{Failed, summary(m[len(m)-1][1])}
	}
	return Finding{Crashed, "the process ended without a word"}
}

func summary(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > summaryBytesMax {
		s = strings.ToValidUTF8(s[:summaryBytesMax], "") + "…"
	}
	return s
}

func tail(out []byte) []byte { return out[max(0, len(out)-outputBytesMax):] }

package simtest

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	coverages "github.com/tallymq/tallymq/simtest/point"
)

// The contract between the process of a world and whoever starts it: a name in the
// environment for each file that Run reads or writes, all outside the world.
const (
	traceEnv  = "TALLYMQ_SIM_TRACE"  // every event is written there
	resultEnv = "TALLYMQ_SIM_RESULT" // the Result is written there
	planEnv   = "TALLYMQ_SIM_PLAN"   // the plan in place of the drawn one
)

// traceFile opens the file for the whole trace, when one is asked for.
func traceFile(t *testing.T) (*bufio.Writer, func()) {
	path := os.Getenv(traceEnv)
	if path == "" {
		return nil, func() {}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	return out, func() {
		if err := out.Flush(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// givenPlan reads the plan that the environment names, nil when there is none. Its
// seed, when it has one, is the world's.
func givenPlan(world string, seed uint64) (*Plan, uint64, error) {
	file := os.Getenv(planEnv)
	if file == "" {
		return nil, seed, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, 0, fmt.Errorf("plan: %w", err)
	}
	plan, err := ParsePlan(string(text))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", file, err)
	}
	if name, ok := plan.Setting(WorldSetting); ok && name != world {
		return nil, 0, fmt.Errorf("%s is a plan of %s, not of %s", file, name, world)
	}
	if s, ok := plan.Setting(SeedSetting); ok {
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			return nil, 0, fmt.Errorf("%s: set seed: %w", file, err)
		}
	}
	return &plan, seed, nil
}

// writeResult writes the result to the file that the environment names, if any.
func (w *World) writeResult(reached *coverages.Coverage, real time.Duration) error {
	file := os.Getenv(resultEnv)
	if file == "" {
		return nil
	}
	return w.result(reached, real).Write(file)
}

package runner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/tallymq/tallymq/simtest/result"
	"github.com/tallymq/tallymq/simtest/trace"
)

// litter is simtest's, see its doc.go.
const litter = "TALLYMQ_SIM_LITTER=1"

// again runs a world a second time and compares what both came to. When they differ
// both run once more with their traces, to tell the first event that does.
func (o *Outcome) again(ctx context.Context) error {
	twin, err := o.Job.littered().Run(ctx)
	if err != nil {
		return err
	}
	o.Twin = twin
	if twin.Result != nil && twin.Result.Hash == o.Result.Hash {
		return nil
	}
	text := "one run passed and one did not"
	if twin.Result != nil {
		text = fmt.Sprintf("hashes %s and %s", o.Result.Hash, twin.Result.Hash)
	}
	diff, err := o.firstDifference(ctx)
	if err != nil {
		return err
	}
	o.Violations = append(o.Violations, result.Violation{Anomaly: Unequal, Where: o.Binary.Test, Text: text + "\n" + diff})
	return nil
}

// littered is the same world in a process that differs in what must not count: where objects lie, and what goroutines
// outside the world do.
func (j Job) littered() Job {
	j.Env = append(slices.Clone(j.Env), litter)
	return j
}

func (o *Outcome) firstDifference(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "tallymq-sim-")
	if err != nil {
		return "", fmt.Errorf("compare: %w", err)
	}
	defer os.RemoveAll(dir)
	var files [2]*os.File
	for i := range files {
		j := o.Job
		if i == 1 {
			j = j.littered()
		}
		j.Trace = filepath.Join(dir, fmt.Sprint(i))
		if _, err := j.Run(ctx); err != nil {
			return "", err
		}
		if files[i], err = os.Open(j.Trace); err != nil {
			return "", fmt.Errorf("compare: %w", err)
		}
		defer files[i].Close()
	}
	diff, err := trace.Diff(files[0], files[1], diffContext)
	if diff == "" && err == nil {
		diff = "two more runs were equal"
	}
	return diff, err
}

package main

import (
	"fmt"
	"os"

	"github.com/tallymq/tallymq/simtest/runner"
)

// simShrink makes a failing plan small.
type simShrink struct {
	simWorld
	Seed  uint64 `required:"" help:"The seed that fails."`
	Tries int    `help:"How many worlds to run at most." default:"200"`
	Out   string `help:"File for the plan." default:"failing.plan" type:"path"`
}

// Run shrinks it.
func (c simShrink) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	b, err := c.binary(ctx)
	if err != nil {
		return err
	}
	o, err := runner.Job{Binary: b, Seed: c.Seed}.Run(ctx)
	if err != nil {
		return err
	}
	if !o.Failed() || o.Result == nil {
		return fmt.Errorf("seed %d does not fail with a plan that could be shrunk", c.Seed)
	}
	fmt.Printf("%v\n", o.Violations[0])
	s := &runner.Shrinker{Binary: b, Seed: c.Seed, Anomaly: o.Violations[0].Anomaly, Tries: c.Tries,
		Say: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	plan, err := s.Shrink(ctx, o.Result.Plan)
	if err != nil {
		return err
	}
	plan = fmt.Sprintf("# %s\n", o.Violations[0].Anomaly) + plan
	if err := os.WriteFile(c.Out, []byte(plan), 0o644); err != nil {
		return err
	}
	fmt.Printf("%swritten to %s; again: tallymq sim run --plan %s\n", plan, c.Out, c.Out)
	return nil
}

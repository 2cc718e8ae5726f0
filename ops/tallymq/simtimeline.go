package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallymq/tallymq/simtest/result"
	"github.com/tallymq/tallymq/simtest/runner"
	"github.com/tallymq/tallymq/simtest/timeline"
	"github.com/tallymq/tallymq/simtest/trace"
)

// simTimeline draws a world.
type simTimeline struct {
	simWorld
	Seed   *uint64 `help:"Run the world of this seed."`
	Plan   string  `help:"Run the plan in this file instead of what the seed draws." type:"existingfile" placeholder:"FILE"`
	Trace  string  `help:"Draw what TALLYMQ_SIM_TRACE named, and run nothing." type:"existingfile" placeholder:"FILE"`
	Result string  `help:"With it, what TALLYMQ_SIM_RESULT named: seed, hash and violations." type:"existingfile" placeholder:"FILE"`
	Out    string  `default:"timeline.html" help:"The page." type:"path"`
}

// Help is shown by --help.
func (simTimeline) Help() string {
	return "Draws one simulated world as a page with a lane for every node and client over simulated time: faults, messages, " +
		"what clients saw, what was violated. The page is one file and needs no network.\n\n" +
		"  tallymq sim timeline --world kafka --seed 7"
}

// Run writes the page.
func (c simTimeline) Run() (err error) {
	switch {
	case c.Trace != "":
		var r *result.Result
		if c.Result != "" {
			if r, err = result.Read(c.Result); err != nil {
				return err
			}
		}
		return c.draw(c.Trace, r, "")
	case c.Seed == nil && c.Plan == "":
		return errors.New("give --seed, --plan or --trace")
	}
	ctx, stop := untilInterrupted()
	defer stop()
	b, err := c.binary(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tallymq-sim-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	j := runner.Job{Binary: b, Plan: c.Plan, Trace: filepath.Join(dir, "trace")}
	if c.Seed != nil {
		j.Seed = *c.Seed
	}
	o, err := j.Run(ctx)
	if err != nil {
		return err
	}
	r := o.Result
	if r != nil {
		r.Violations = o.Violations
	}
	return c.draw(o.Trace, r, o.Again())
}

func (c simTimeline) draw(file string, r *result.Result, again string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	events, err := trace.ReadAll(in)
	if err != nil {
		return err
	}
	page, err := timeline.New(events, r, again)
	if err != nil {
		return err
	}
	out, err := os.Create(c.Out)
	if err != nil {
		return err
	}
	if err := errors.Join(page.Write(out), out.Close()); err != nil {
		return err
	}
	fmt.Printf("%s: %d events, %d of them by themselves, %d violations\n", c.Out, page.Events, len(page.Details), page.Violated)
	return nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tallymq/tallymq/simtest/runner"
)

// simRun runs seeds.
type simRun struct {
	simWorld
	Seeds seedRange     `help:"Seeds A..B. Default: fresh ones, see --fresh." placeholder:"A..B"`
	Seed  *uint64       `help:"One seed."`
	Fresh uint64        `help:"How many seeds that nobody has run, when none are given." default:"6"`
	Plan  string        `help:"Run the plan in this file instead of what a seed draws." type:"existingfile" placeholder:"FILE"`
	Jobs  int           `help:"Processes at a time." default:"1"`
	Twice int           `help:"Run every so-many-th seed twice and compare the hashes; 0: none." default:"3"`
	Trace string        `help:"Write every event of the one seed to this file." placeholder:"FILE"`
	Keep  string        `help:"Folder for output, plan and trace of failures." default:".cache/sim/failures" type:"path"`
	Limit time.Duration `help:"Real time that one world may take." default:"2m"`
	JUnit string        `name:"junit" help:"Write a JUnit report." placeholder:"FILE"`
	JSON  string        `name:"json-file" help:"Write the totals as JSON." placeholder:"FILE"`
}

// Help is shown by --help.
func (simRun) Help() string {
	return "Each seed is one world: its hosts, clients, faults and schedule are decided by the seed alone. A failing seed is reported with " +
		"what was violated, the faults and events before, and the command that repeats it; the exit code is 1 then.\n\n" +
		"  tallymq sim run --seeds 1..100 --jobs 2\n" +
		"  tallymq sim run --package ./payments --test TestPayments --seeds 1..1000"
}

// Run runs them.
func (c simRun) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	binaries, err := c.binaries(ctx)
	if err != nil {
		return err
	}
	if c.Seed != nil {
		c.Seeds = seedRange{*c.Seed, *c.Seed}
	}
	if c.Plan != "" || c.Trace != "" {
		return c.one(binaries)
	}
	if c.Seeds.last == 0 {
		c.Seeds = freshSeeds(max(c.Fresh, 1))
		fmt.Printf("fresh seeds %d..%d; again: tallymq sim run --seeds %d..%d\n", c.Seeds.first, c.Seeds.last, c.Seeds.first, c.Seeds.last)
	}
	var seen []*runner.Outcome
	campaign := &runner.Campaign{Binaries: binaries, First: c.Seeds.first, Last: c.Seeds.last, Jobs: c.Jobs, TwiceEvery: c.Twice, Keep: c.Keep,
		Bounds: runner.Bounds{Time: c.Limit},
		Seen: func(o *runner.Outcome) {
			if c.JUnit != "" {
				seen = append(seen, o)
			}
			if o.Failed() {
				c.report(o)
			}
		},
		Progress: func(t *runner.Totals) { fmt.Println(t.Progress()) },
	}
	totals, err := campaign.Run(ctx)
	fmt.Print(totals)
	if c.JUnit != "" {
		err = errors.Join(err, runner.WriteJUnit(c.JUnit, seen))
	}
	if c.JSON != "" {
		err = errors.Join(err, writeJSON(c.JSON, totals))
	}
	fmt.Printf("%d passed, %d failed\n", totals.Worlds-totals.Failed, totals.Failed)
	if err == nil && totals.Failed > 0 {
		err = fmt.Errorf("%d worlds failed", totals.Failed)
	}
	return err
}

// one runs a single world with its trace, or with a plan of its own.
func (c simRun) one(binaries []*runner.Binary) error {
	ctx, stop := untilInterrupted()
	defer stop()
	if len(binaries) != 1 || c.Plan == "" && c.Seeds.first != c.Seeds.last {
		return errors.New("--trace and --plan are for one world: give --world, or --package and --test, and one --seed")
	}
	o, err := runner.Job{Binary: binaries[0], Seed: c.Seeds.first, Plan: c.Plan, Trace: c.Trace, Bounds: runner.Bounds{Time: c.Limit}}.Run(ctx)
	if err != nil {
		return err
	}
	if o.Failed() {
		c.report(o)
		fmt.Println("0 passed, 1 failed")
		return errors.New("1 world failed")
	}
	fmt.Printf("hash %s, %d events, %v simulated in %v\n", o.Result.Hash, o.Result.Events, o.Result.Simulated().Round(time.Millisecond), o.Result.Real().Round(time.Millisecond))
	fmt.Println("1 passed, 0 failed")
	return nil
}

func (c simRun) report(o *runner.Outcome) {
	text, err := o.Report()
	if err != nil {
		text = fmt.Sprintf("FAILED  world %s, seed %d, and no report: %v\n", o.Binary.Name, o.Seed, err)
	}
	fmt.Print(text)
}

func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

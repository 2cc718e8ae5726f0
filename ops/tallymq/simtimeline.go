package main

import (
	"fmt"
	"os"

	"github.com/tallymq/tallymq/simtest/result"
	"github.com/tallymq/tallymq/simtest/timeline"
	"github.com/tallymq/tallymq/simtest/trace"
)

// simTimeline draws the trace of a world.
type simTimeline struct {
	Trace  string `required:"" type:"existingfile" help:"What TALLYMQ_SIM_TRACE named: every event of the world."`
	Result string `type:"existingfile" help:"What TALLYMQ_SIM_RESULT named: its seed, hash and violations."`
	Out    string `default:"timeline.html" help:"The page."`
}

// Help is shown by --help.
func (simTimeline) Help() string {
	return "Draws one simulated world as a page with a lane for every node and client over simulated time: faults, messages, " +
		"what clients saw, what was violated. The page is one file and needs no network. Run the world with TALLYMQ_SIM_TRACE " +
		"and TALLYMQ_SIM_RESULT naming files first."
}

// Run writes the page.
func (c simTimeline) Run() error {
	in, err := os.Open(c.Trace)
	if err != nil {
		return err
	}
	defer in.Close()
	events, err := trace.ReadAll(in)
	if err != nil {
		return err
	}
	var r *result.Result
	if c.Result != "" {
		if r, err = result.Read(c.Result); err != nil {
			return err
		}
	}
	page, err := timeline.New(events, r, "")
	if err != nil {
		return err
	}
	out, err := os.Create(c.Out)
	if err != nil {
		return err
	}
	if err := page.Write(out); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: %d events, %d of them by themselves, %d violations\n", c.Out, page.Events, len(page.Details), page.Violated)
	return nil
}

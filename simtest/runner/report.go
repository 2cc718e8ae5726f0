package runner

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// Report is what a person reads of a failed world: what is wrong, the command that
// repeats it, and, when its trace was kept, what happened around the first violation.
func (o *Outcome) Report() (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "FAILED  world %s, seed %d\n", o.Binary.Name, o.Seed)
	for i, v := range o.Violations {
		if i == reportViolationsMax {
			fmt.Fprintf(&b, "  and %d more\n", len(o.Violations)-i)
			break
		}
		lines := strings.Split(strings.TrimSpace(v.String()), "\n")
		if n := len(lines); n > violationLinesMax {
			lines = append(lines[:violationLinesMax], fmt.Sprintf("(%d more lines in the output)", n-violationLinesMax))
		}
		fmt.Fprintf(&b, "  %s\n", strings.Join(lines, "\n    "))
	}
	fmt.Fprintf(&b, "  again:  %s\n", o.Again())
	if o.Trace == "" {
		return b.String(), nil
	}
	f, err := os.Open(o.Trace)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	events, err := trace.ReadAll(f)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	fmt.Fprintf(&b, "  trace:  %s\n", o.Trace)
	o.story(&b, events)
	return b.String(), nil
}

// story prints the faults that were going on, then the last events before the first
// violation: frames and disk operations are counted, the rest is told.
func (o *Outcome) story(b *strings.Builder, events []trace.Event) {
	at := moment(o, events)
	fmt.Fprintf(b, "  faults until %v:\n", at.Round(time.Millisecond))
	for _, e := range events {
		if e.At <= at && e.Kind == trace.Fault && e.Where == "plan" {
			fmt.Fprintf(b, "    %12v  %s\n", e.At.Round(time.Microsecond), e.What)
		}
	}
	fmt.Fprintln(b, "  before it was noticed:")
	for _, line := range lastLines(events, at) {
		fmt.Fprintln(b, "    "+line)
	}
}

// moment is when the first violation was noticed; violations that a process did not
// report itself have no time, they are noticed at the end.
func moment(o *Outcome, events []trace.Event) time.Duration {
	at := time.Duration(0)
	if len(events) > 0 {
		at = events[len(events)-1].At
	}
	if ns := o.Violations[0].AtNS; ns > 0 {
		at = min(at, time.Duration(ns))
	}
	return at
}

// lastLines are the last events until a moment, a run of frames and disk operations as one line.
func lastLines(events []trace.Event, at time.Duration) []string {
	var lines []string
	frames, operations := 0, 0
	flush := func() {
		if frames+operations > 0 {
			lines = append(lines, fmt.Sprintf("%14s  %d frames, %d disk operations", "", frames, operations))
		}
		frames, operations = 0, 0
	}
	for _, e := range events {
		if e.At > at {
			break
		}
		switch e.Kind {
		case trace.Net:
			frames++
			continue
		case trace.Disk:
			operations++
			continue
		}
		flush()
		lines = append(lines, fmt.Sprintf("%14v  %-7s %-10s %s", e.At.Round(time.Microsecond), e.Kind, e.Where, clip(e.What)))
	}
	flush()
	return lines[max(0, len(lines)-reportLinesMax):]
}

func clip(s string) string {
	if len(s) > lineBytes {
		return s[:lineBytes] + "…"
	}
	return s
}

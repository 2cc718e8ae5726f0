package tallysim

import (
	"fmt"
	"strings"
	"time"
)

// report is what a person needs of a world that failed.
func (c *Cluster) report() string {
	var b strings.Builder
	w := c.World
	fmt.Fprintf(&b, "seed %d failed. What did not hold:\n", w.Seed)
	for _, v := range w.Violations() {
		fmt.Fprintf(&b, "  at %v  %v\n", time.Duration(v.AtNS).Round(time.Millisecond), v)
	}
	c.mu.Lock()
	fmt.Fprintf(&b, "The plan of faults (TALLYMQ_SIM_PLAN=file runs an edited one):\n%s", indent(c.planned))
	fmt.Fprintf(&b, "Your processes at the end:\n")
	for _, e := range c.processes {
		fmt.Fprintf(&b, "  %s\n", e.state())
	}
	c.mu.Unlock()
	story := c.story
	if story == nil {
		story = w.Trace.Story()
	}
	fmt.Fprintf(&b, "The last events before that, but those of network and disks (TALLYMQ_SIM_TRACE=file writes all):\n")
	for _, e := range story[max(0, len(story)-storyEvents):] {
		fmt.Fprintf(&b, "  %-10v %-6s %-12s %s\n", e.At.Round(time.Millisecond), e.Kind, e.Where, e.What)
	}
	fmt.Fprintf(&b, "Again: %s\n", again(w.T.Name(), w.Seed))
	return b.String()
}

// anomaly records that an assertion does not hold. The first one keeps the events
// that led to it: a world goes on, and may be long.
func (c *Cluster) anomaly(kind, format string, args ...any) {
	c.mu.Lock()
	if c.story == nil {
		c.story = c.World.Trace.Story()
	}
	c.mu.Unlock()
	c.World.Anomaly(kind, "", format, args...)
}

func indent(text string) string {
	if text == "" {
		return "  none\n"
	}
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

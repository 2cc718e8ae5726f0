package mutants

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// String is the report as a line of the table.
func (r Report) String() string {
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", r.Name, r.Breaks, r.World.Test, r.outcome(), r.anomaly(), r.Took.Round(100*time.Millisecond))
}

func (r Report) outcome() string {
	if !r.Killed {
		return fmt.Sprintf("survived %d", r.Tried)
	}
	return fmt.Sprint(r.Tried)
}

func (r Report) anomaly() string {
	switch {
	case !r.Killed:
		return "–"
	case !r.Expected:
		return r.Finding.Anomaly + " (expected " + strings.Join(r.Anomalies, ", ") + ")"
	}
	return r.Finding.Anomaly
}

// Head is the head of the table whose lines Report.String gives.
const Head = "| mutant | what is broken | world | seeds until found | anomaly | time |\n|---|---|---|---|---|---|"

// Summary says how many were found, within how many seeds.
func Summary(all []Report) string {
	var taken []int
	var survived []string
	for _, r := range all {
		if r.Killed {
			taken = append(taken, r.Tried)
		} else {
			survived = append(survived, r.Name)
		}
	}
	return summarise(taken, survived)
}

func summarise(taken []int, survived []string) string {
	slices.Sort(taken)
	s := fmt.Sprintf("%d of %d planted bugs found", len(taken), len(taken)+len(survived))
	if len(taken) > 0 {
		s += fmt.Sprintf("; seeds until found: median %d, most %d", taken[(len(taken)-1)/2], taken[len(taken)-1])
	}
	if len(survived) > 0 {
		s += "; NOT found: " + strings.Join(survived, ", ")
	}
	return s
}

package main

import (
	"fmt"
	"os"
	"text/tabwriter"
)

// report gathers the figures of one run.
type report struct {
	lines  []line
	failed int
}

type line struct{ what, value, bound, verdict string }

// say adds a figure that nothing bounds.
func (r *report) say(what, format string, args ...any) {
	r.add(line{what: what, value: fmt.Sprintf(format, args...)})
}

// judge adds a figure with its bound.
func (r *report) judge(what string, v, bound float64, show func(float64) string) {
	l := line{what, show(v), show(bound), "ok"}
	if v > bound {
		l.verdict = "EXCEEDED"
		r.failed++
	}
	r.add(l)
}

func (r *report) add(l line) {
	r.lines = append(r.lines, l)
	fmt.Fprintf(os.Stderr, "  %s: %s %s\n", l.what, l.value, l.verdict) // progress
}

// print writes the table.
func (r *report) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tMEASURED\tBOUND\t")
	for _, l := range r.lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.what, l.value, l.bound, l.verdict)
	}
	_ = w.Flush()
}

func size(v float64) string {
	switch {
	case v >= 10*mib || v <= -10*mib:
		return fmt.Sprintf("%.0f MiB", v/mib)
	case v >= 10*kib || v <= -10*kib:
		return fmt.Sprintf("%.1f KiB", v/kib)
	}
	return fmt.Sprintf("%.0f B", v)
}

func share(v float64) string { return fmt.Sprintf("%.1f %% of a core", 100*v) }

func number(v float64) string { return fmt.Sprintf("%.2f", v) }

// top is the largest of what a figure is on each node.
func top(vs []float64) float64 {
	m := vs[0]
	for _, v := range vs {
		m = max(m, v)
	}
	return m
}

// growth is the largest difference over all nodes, per piece.
func growth(before, after []sample, of func(sample) float64, pieces int) float64 {
	d := make([]float64, len(before))
	for i := range before {
		d[i] = (of(after[i]) - of(before[i])) / float64(pieces)
	}
	return top(d)
}

func heapOf(s sample) float64     { return s.heap }
func rssOf(s sample) float64      { return s.rss }
func memoryOf(s sample) float64   { return s.heap + s.stacks }
func routinesOf(s sample) float64 { return s.goroutines }

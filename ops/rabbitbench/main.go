package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// target is one system under measurement.
type target struct {
	name  string
	start func(dir string) (urls []string, stop func(), err error)
	args  map[string]any // of its queues
}

func main() {
	bin := flag.String("bin", "bin/tallymq", "the program to measure")
	rounds := flag.Int("rounds", 2, "how often each target is measured, in turns")
	duration := flag.Duration("duration", 6*time.Second, "time of one measurement; a third of it goes before and does not count")
	flag.Parse()
	if err := run(*bin, *rounds, *duration); err != nil {
		fmt.Fprintln(os.Stderr, "rabbitbench:", err)
		os.Exit(1)
	}
}

func run(bin string, rounds int, duration time.Duration) error {
	targets := []target{ours(bin)}
	if installed() {
		targets = append(targets, rabbit())
	} else {
		fmt.Println("RabbitMQ is left out: it is not installed")
	}
	all := map[string]map[string][]result{}
	for round := range rounds {
		fmt.Printf("round %d of %d\n", round+1, rounds)
		for _, t := range targets {
			rs, err := measure(t, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			if all[t.name] == nil {
				all[t.name] = map[string][]result{}
			}
			for work, r := range rs { //lint:sorted each on its own
				all[t.name][work] = append(all[t.name][work], r)
			}
		}
	}
	report(all)
	return nil
}

func measure(t target, duration time.Duration) (map[string]result, error) {
	dir, err := os.MkdirTemp("", "tallymq-rabbitbench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	urls, stop, err := t.start(dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	out := map[string]result{}
	for _, w := range works {
		r, err := w.run(t, urls, duration)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		fmt.Printf("  %-10s %-9s %9.0f per s  consumed %9.0f per s  p50 %7.2f ms  p99 %7.2f ms\n", t.name, w.name, r.rate, r.consumed, r.p50, r.p99)
		out[w.name] = r
	}
	return out, nil
}

// report prints medians and ratios.
func report(all map[string]map[string][]result) {
	median := func(name, work string, f func(result) float64) float64 {
		var vs []float64
		for _, r := range all[name][work] {
			vs = append(vs, f(r))
		}
		if len(vs) == 0 {
			return 0
		}
		slices.Sort(vs)
		return vs[len(vs)/2]
	}
	fmt.Println("\nmedians, and tallymq / RabbitMQ")
	for _, w := range works {
		for _, f := range []struct {
			what string
			of   func(result) float64
		}{{"per s", func(r result) float64 { return r.rate }}, {"consumed per s", func(r result) float64 { return r.consumed }},
			{"p50 ms", func(r result) float64 { return r.p50 }}, {"p99 ms", func(r result) float64 { return r.p99 }}} {
			a, b := median("tallymq", w.name, f.of), median("rabbitmq", w.name, f.of)
			if a == 0 && b == 0 {
				continue
			}
			ratio := "-"
			if b > 0 {
				ratio = fmt.Sprintf("%.2f", a/b)
			}
			fmt.Printf("%-9s %-15s %12.2f %12.2f %8s\n", w.name, f.what, a, b, ratio)
		}
	}
}

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus/rawbench"
	"github.com/tallymq/tallymq/internal/freeport"
	"github.com/tallymq/tallymq/ops/bench"
)

// options are the command line.
type options struct {
	bin, kafka, dir, out string
	rounds               int
	seconds              time.Duration
	partitions           int
}

// target is one system under measurement.
type target struct {
	name  string
	start func(dir string) (bootstrap []string, stop func(), err error)
	topic []string // extra flags for the topic
	kafka bool
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/tallymq", "the program to measure and to measure with")
	flag.StringVar(&o.kafka, "kafka", "", "folder with Apache Kafka's jars; empty: Kafka is left out")
	flag.StringVar(&o.dir, "dir", "", "folder for data; default: a temporary one")
	flag.StringVar(&o.out, "out", "", "file for all results as JSON")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each target is measured, in turns")
	flag.DurationVar(&o.seconds, "duration", 6*time.Second, "time of one measurement")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions of the topic")
	only := flag.String("work", "", "only what matches this regular expression")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchmark: -work:", err)
		os.Exit(2)
	}
	works = slices.DeleteFunc(works, func(w string) bool { return !match.MatchString(w) })
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "benchmark:", err)
		os.Exit(1)
	}
}

// consumeCold is consume after the page cache was emptied.
const consumeCold = "consume-cold"

var works = []string{"produce", "single", "single64", "consume", consumeCold, "plain1-one", "txn1-one", "plain10-one", "txn10-one", "plain100-one", "txn100-one",
	"plain1-shard", "txn1-shard", "plain10-shard", "txn10-shard", "plain100-shard", "txn100-shard",
	"plain1", "txn1", "plain10", "txn10", "plain100", "txn100", "read-process-write"}

func run(o options) error {
	if o.dir == "" {
		d, err := os.MkdirTemp("", "tallymq-bench-")
		if err != nil {
			return err
		}
		o.dir = d
		defer os.RemoveAll(d)
	}
	targets := []target{ours(o, 3), ours(o, 1)}
	if o.kafka != "" {
		targets = append(targets, kafka(o, "kafka-3", nil), kafka(o, "kafka-3-flushed", []string{"--config", "flush.messages=1"}))
	}
	all := map[string]map[string][]bench.Result{}
	note := func(name string, r bench.Result) {
		if all[name] == nil {
			all[name] = map[string][]bench.Result{}
		}
		all[name][r.Work] = append(all[name][r.Work], r)
		fmt.Printf("  %-16s %-12s %9.0f per s %8.1f MB/s  p50 %7.2f ms  p99 %7.2f ms  errors %d\n", name, r.Work, r.Rate, r.MBps, r.P50ms, r.P99ms, r.Errors)
	}
	for round := range o.rounds {
		fmt.Printf("round %d of %d\n", round+1, o.rounds)
		for _, t := range targets {
			if err := measure(o, t, note); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
		if err := raw(o, note); err != nil {
			return fmt.Errorf("raw dragonboat: %w", err)
		}
	}
	report(all)
	if o.out != "" {
		b, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(o.out, b, 0o644)
	}
	return nil
}

// measure starts a target on an empty disk, measures everything, and stops it.
func measure(o options, t target, note func(string, bench.Result)) error {
	dir := filepath.Join(o.dir, t.name)
	defer os.RemoveAll(dir)
	bootstrap, stop, err := t.start(dir)
	if err != nil {
		return err
	}
	defer stop()
	for _, w := range works {
		if t.kafka && strings.HasSuffix(w, "-shard") {
			continue // a partition of Kafka's is a shard of its own
		}
		command := w
		if w == consumeCold {
			command = "consume"
			if err := evict(dir); err != nil {
				return err
			}
		}
		args := append([]string{"bench", command, "--json", "--bootstrap", strings.Join(bootstrap, ","), "--partitions", fmt.Sprint(o.partitions), "--duration", o.seconds.String(),
			"--warmup", (o.seconds / 3).String()}, t.topic...)
		cmd := exec.Command(o.bin, args...)
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
		var rs []bench.Result
		if err := json.Unmarshal(out, &rs); err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
		rs[0].Work = w
		note(t.name, rs[0])
	}
	return nil
}

// raw measures dragonboat alone with the same bytes.
func raw(o options, note func(string, bench.Result)) error {
	for _, nodes := range []int{3, 1} {
		for _, w := range []struct {
			work           string
			size, inFlight int
		}{{"produce", 512 << 10, 16}, {"single", 1 << 10, 2}, {"single64", 1 << 10, 64}} {
			if !slices.Contains(works, w.work) {
				continue
			}
			dir := filepath.Join(o.dir, "raw")
			addresses, err := freeport.Addresses(nodes)
			if err != nil {
				return err
			}
			r, err := rawbench.Run(rawbench.Options{FS: vfs.Default, Dir: dir, Addresses: addresses, Store: "journal", Shards: 4, Size: w.size, InFlight: w.inFlight, Warmup: o.seconds / 3, Duration: o.seconds})
			_ = os.RemoveAll(dir)
			if err != nil {
				return err
			}
			note(fmt.Sprintf("raw-%d", nodes), bench.Result{Work: w.work, Clients: w.inFlight, Size: w.size, Rate: r.MBps * 1e6 / 1024, MBps: r.MBps, P50ms: r.P50ms, P99ms: r.P99ms})
		}
	}
	return nil
}

// report prints medians and how they compare.
func report(all map[string]map[string][]bench.Result) {
	median := func(name, work string, f func(bench.Result) float64) float64 {
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
	rate := func(r bench.Result) float64 { return r.Rate }
	p50 := func(r bench.Result) float64 { return r.P50ms }
	fmt.Println("\nmedians over the rounds, and ratios to tallymq of the same size (above 1: tallymq has the greater figure)")
	fmt.Printf("%-14s %-16s %12s %10s %12s %12s\n", "work", "target", "per s", "p50 ms", "rate ratio", "p50 ratio")
	for _, w := range works {
		for _, name := range []string{"tallymq-3", "kafka-3", "kafka-3-flushed", "raw-3", "tallymq-1", "raw-1"} {
			r := median(name, w, rate)
			if r == 0 {
				continue
			}
			own := "tallymq-3"
			if strings.HasSuffix(name, "-1") {
				own = "tallymq-1"
			}
			p50Ratio := "-"
			if l := median(name, w, p50); l > 0 {
				p50Ratio = fmt.Sprintf("%.2f", median(own, w, p50)/l)
			}
			fmt.Printf("%-14s %-16s %12.0f %10.2f %12.2f %12s\n", w, name, r, median(name, w, p50), median(own, w, rate)/r, p50Ratio)
		}
	}
	fmt.Println("\nmedian latency of a transaction, over that of the same records written plainly and waited for")
	for _, w := range works {
		n, isTransaction := strings.CutPrefix(w, "txn")
		for _, name := range []string{"tallymq-3", "kafka-3", "kafka-3-flushed", "tallymq-1"} {
			if plain := median(name, "plain"+n, p50); isTransaction && plain > 0 {
				fmt.Printf("%-14s %-16s %12.2f\n", w, name, median(name, w, p50)/plain)
			}
		}
	}
}

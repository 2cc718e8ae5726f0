package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tallymq/tallymq/ops/local"
)

// options are the command line.
type options struct {
	bin, dir    string
	partitions  int
	connections int
	backlog     int64
}

// work is one thing to show.
type work struct {
	name  string
	nodes int
	extra []string // flags of the nodes
	run   func(*soak) error
}

var works = []work{
	{"partitions1", 1, nil, partitions},
	{"partitions3", 3, nil, partitions},
	{"connections", 1, nil, connections},
	{"backlog1", 1, small, backlog},
	{"backlog3", 3, small, backlog},
}

// small are the flags of a node that must do with memoryLimit.
var small = []string{"--memory-limit", fmt.Sprint(memoryLimit), "--journal-cache-bytes", "64MiB", "--row-cache-bytes", "32MiB",
	"--row-memtable-bytes", "16MiB", "--inflight-bytes", "64MiB", "--max-request-bytes", "32MiB", "--reading-bytes", "64MiB", "--journal-segment-bytes", "64MiB"}

// soak is one work that goes on.
type soak struct {
	options
	*report
	name    string
	cluster *local.Cluster
	ctx     context.Context
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/tallymq", "the program to run")
	flag.StringVar(&o.dir, "dir", "", "folder for data; default: a temporary one, removed at the end")
	flag.IntVar(&o.partitions, "partitions", 10_000, "partitions to make")
	flag.IntVar(&o.connections, "connections", 10_000, "idle connections to open; two file descriptors each")
	flag.Int64Var(&o.backlog, "backlog", 10*memoryLimit, "bytes to produce; each node keeps them, the disk needs a tenth more")
	only := flag.String("work", "", "comma-separated: partitions1, partitions3, connections, backlog1, backlog3; default: all")
	flag.Parse()
	r := &report{}
	began := time.Now()
	err := run(o, r, *only)
	r.print()
	fmt.Printf("%v\n", time.Since(began).Round(time.Second))
	if err == nil && r.failed > 0 {
		err = fmt.Errorf("%d bounds exceeded", r.failed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		fmt.Println("0 passed, 1 failed")
		os.Exit(1)
	}
	fmt.Println("1 passed, 0 failed")
}

func run(o options, r *report, only string) error {
	wanted := func(w work) bool { return only == "" || slices.Contains(strings.Split(only, ","), w.name) }
	if !slices.ContainsFunc(works, wanted) {
		return fmt.Errorf("work %q: none of that name", only)
	}
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "tallymq-soak-")
		if err != nil {
			return err
		}
		o.dir = dir
		defer os.RemoveAll(dir)
	}
	for _, w := range works {
		if !wanted(w) {
			continue
		}
		if err := one(o, r, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// one runs a work on nodes of its own, whose data it removes.
func one(o options, r *report, w work) (err error) {
	fmt.Fprintf(os.Stderr, "%s\n", w.name)
	dir := filepath.Join(o.dir, w.name)
	c, err := local.New(o.bin, dir, w.nodes, w.extra...)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, c.Each((*local.Process).Kill))
		if err == nil {
			err = os.RemoveAll(dir)
		}
	}()
	if err := c.Each((*local.Process).Start); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		return err
	}
	return w.run(&soak{options: o, report: r, name: w.name, cluster: c, ctx: ctx})
}

package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Campaign is many worlds to run.
type Campaign struct {
	Binaries    []*Binary
	First, Last uint64 // seeds, both included
	Jobs        int    // processes at a time; 1 when 0
	TwiceEvery  int    // every so-many-th seed of a world runs twice; 0: none
	Keep        string // folder for what is kept of failures: output, trace, plan; "" for none
	Bounds
	// Seen is told of every world that ended, one at a time; nil for nobody.
	Seen func(*Outcome)
	// Progress is told how far it is, now and then; nil for nobody.
	Progress func(*Totals)
}

// Run runs the worlds. When ctx ends early the totals are of what was seen until then,
// and the error says so.
func (c *Campaign) Run(ctx context.Context) (*Totals, error) {
	totals := newTotals(int(c.Last-c.First+1) * len(c.Binaries))
	jobs := make(chan Job)
	ended := make(chan *Outcome)
	failures := make(chan error, max(c.Jobs, 1))
	var workers sync.WaitGroup
	for range max(c.Jobs, 1) {
		workers.Go(func() {
			for j := range jobs {
				o, err := c.world(ctx, j)
				if err != nil {
					failures <- err
					return
				}
				ended <- o
			}
		})
	}
	go func() { workers.Wait(); close(ended) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go c.feed(ctx, jobs)
	err := c.collect(totals, ended, failures, stop)
	if err == nil || errors.Is(err, context.Canceled) {
		err = ctx.Err()
	}
	totals.end()
	return totals, err
}

// feed hands out the jobs, seed by seed.
func (c *Campaign) feed(ctx context.Context, jobs chan<- Job) {
	defer close(jobs)
	for seed := c.First; seed <= c.Last; seed++ {
		for _, b := range c.Binaries {
			select {
			case jobs <- Job{Binary: b, Seed: seed, Bounds: c.Bounds}:
			case <-ctx.Done():
				return
			}
		}
	}
}

// collect adds up what ends until nothing runs.
func (c *Campaign) collect(totals *Totals, ended <-chan *Outcome, failures <-chan error, stop func()) (err error) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case o, more := <-ended:
			if !more {
				select {
				case err = <-failures:
				default:
				}
				return err
			}
			totals.add(o)
			if c.Seen != nil {
				c.Seen(o)
			}
		case err = <-failures:
			stop()
			for range ended {
			}
			return err
		case <-tick.C:
			if c.Progress != nil {
				totals.end()
				c.Progress(totals)
			}
		}
	}
}

// world runs one, a second time if it is its turn, and keeps what a failure left.
func (c *Campaign) world(ctx context.Context, j Job) (*Outcome, error) {
	o, err := j.Run(ctx)
	if err != nil {
		return nil, err
	}
	if c.TwiceEvery > 0 && (j.Seed-c.First)%uint64(c.TwiceEvery) == 0 && !o.Failed() {
		if err := o.again(ctx); err != nil {
			return nil, err
		}
	}
	if !o.Failed() {
		return o, nil
	}
	return o, c.keep(ctx, o)
}

// keep writes what a person needs to look at a failure: its output, its plan, and, from
// another run of it, its trace.
func (c *Campaign) keep(ctx context.Context, o *Outcome) error {
	if c.Keep == "" {
		return nil
	}
	dir, err := filepath.Abs(c.Keep)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keep a failure: %w", err)
	}
	base := filepath.Join(dir, fmt.Sprintf("%s-%d", o.Binary.Name, o.Seed))
	errs := []error{os.WriteFile(base+".log", []byte(o.Output), 0o644)}
	if o.Result != nil {
		errs = append(errs, os.WriteFile(base+".plan", []byte(o.Result.Plan), 0o644))
	}
	if o.Twin == nil {
		j := o.Job
		j.Trace = base + ".trace"
		if _, err := j.Run(ctx); err != nil {
			return err
		}
		o.Trace = j.Trace
	}
	return errors.Join(errs...)
}

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tallymq/tallymq/ops/local"
)

// recovery is one recovery with the producers' figures around it.
type recovery struct {
	node, other *local.Process
	log         int64 // length of the node's log before
	started     time.Time
	acked       int64 // bytes, when the node was killed
}

// recovery measures, kills a node that leads nothing, and lets it come back.
func (r *run) recovery(name string, back func(*recovery) error) error {
	x := &recovery{}
	time.Sleep(settleTime)
	if err := r.follower(x); err != nil {
		return err
	}
	r.load.cut()
	time.Sleep(settleTime)
	before := r.load.cut()
	fmt.Printf("%s: node %d\n  before         %v\n", name, x.node.ID, &before)
	x.acked = r.load.bytes()
	if err := x.node.Kill(); err != nil {
		return err
	}
	if info, err := os.Stat(x.node.Log()); err == nil {
		x.log = info.Size()
	}
	time.Sleep(r.away)
	away := r.load.cut()
	fmt.Printf("  while away     %v\n", &away)
	x.started = time.Now()
	if err := back(x); err != nil {
		return err
	}
	during := r.load.cut()
	fmt.Printf("  while it comes back %v\n  ratio of the rates %.2f, of p99 %.2f\n", &during, during.rate()/before.rate(), during.percentile(0.99)/before.percentile(0.99))
	return r.load.err()
}

// follower chooses a node that leads nothing, and one that leads the data shard.
func (r *run) follower(x *recovery) error {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		leads := map[int]bool{}
		c, err := ask(r.cluster.Nodes[0])
		if err != nil {
			return err
		}
		for _, s := range c.Shards {
			leads[s.Leader] = true
			for _, p := range r.cluster.Nodes {
				if p.ID == s.Leader && s.ID != 1 {
					x.other = p
				}
			}
		}
		for _, p := range r.cluster.Nodes {
			if !leads[p.ID] && x.other != nil && r.caughtUp(p, x.other) {
				x.node = p
				return nil
			}
		}
		time.Sleep(pollEvery)
	}
	return errors.New("no node that leads nothing and is caught up")
}

// until watches the node until a condition holds, and gives what it wrote and read last.
func (r *run) until(x *recovery, what string, done func(wrote int64) bool) (wrote, read int64, err error) {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if err := x.node.Died(); err != nil {
			return wrote, read, err
		}
		if err := r.load.err(); err != nil {
			return wrote, read, err
		}
		if n, ok := written(x.node); ok {
			wrote, read = n, received(x.node)
		}
		if done(wrote) {
			return wrote, read, nil
		}
		time.Sleep(pollEvery)
	}
	return wrote, read, fmt.Errorf("not %s within %v", what, patience)
}

// caughtUpAfter starts the node and waits until it is level; it gives what that cost.
func (r *run) caughtUpAfter(x *recovery) (wrote, pulled int64, err error) {
	if err := x.node.Start(); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	wrote, read, err := r.until(x, "caught up", func(int64) bool { return r.caughtUp(x.node, x.other) })
	if err != nil {
		return 0, 0, err
	}
	if n, ok := written(x.node); ok {
		wrote = n
	}
	if pulled, err = r.pulled(x.node, x.log); err != nil {
		return 0, 0, err
	}
	fmt.Printf("  level after %.1f s: %s written to its journal, of them %s pulled; %s read from sockets and files\n",
		time.Since(began).Seconds(), bytesOf(wrote), bytesOf(pulled), bytesOf(read))
	return wrote, pulled, nil
}

// follows judges that what was written follows the gap.
func (r *run) follows(x *recovery, wrote int64) {
	gap := r.load.bytes() - x.acked
	fmt.Printf("  gap: %s acknowledged since it was killed, in a shard of %s; written for it %.2f of the gap\n", bytesOf(gap), bytesOf(r.load.bytes()), float64(wrote)/float64(gap))
	if float64(wrote) > writtenMax*float64(gap)+writtenSlack {
		r.fail("%s written for a gap of %s", bytesOf(wrote), bytesOf(gap))
	}
}

func (r *run) byLog(x *recovery) error {
	wrote, pulled, err := r.caughtUpAfter(x)
	if err != nil {
		return err
	}
	r.follows(x, wrote)
	if pulled > 0 {
		r.fail("%s pulled: the log did not reach back", bytesOf(pulled))
	}
	return nil
}

func (r *run) bySnapshot(x *recovery) error {
	wrote, pulled, err := r.caughtUpAfter(x)
	if err != nil {
		return err
	}
	r.follows(x, wrote)
	if pulled == 0 {
		r.fail("nothing pulled: the log reached back, no snapshot was needed")
	}
	return nil
}

// lostDisk rebuilds the node from nothing and kills it half-way.
func (r *run) lostDisk(x *recovery) error {
	if err := os.RemoveAll(x.node.Dir()); err != nil {
		return err
	}
	if err := x.node.Start(); err != nil {
		return err
	}
	began, half := time.Now(), r.load.bytes()/2
	first, _, err := r.until(x, "half-way", func(wrote int64) bool { return wrote > half })
	if err != nil {
		return err
	}
	if err := x.node.Kill(); err != nil {
		return err
	}
	fmt.Printf("  killed after %.1f s with %s written\n", time.Since(began).Seconds(), bytesOf(first))
	second, pulled, err := r.caughtUpAfter(x)
	if err != nil {
		return err
	}
	total := r.load.bytes()
	fmt.Printf("  %s in the shard; written in both lives %s, %.2f of it\n", bytesOf(total), bytesOf(first+second), float64(first+second)/float64(total))
	if float64(first+second) > rebuiltMax*float64(total)+writtenSlack {
		r.fail("%s written to rebuild %s: the second start began again", bytesOf(first+second), bytesOf(total))
	}
	if pulled == 0 {
		r.fail("nothing pulled after the kill")
	}
	return nil
}

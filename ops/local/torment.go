package local

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"
)

// readyWait bounds the start of a cluster.
const readyWait = 2 * time.Minute

// Begin starts n nodes with new data in a temporary folder. stop kills them and removes the folder.
func Begin(bin, name string, n int, extra ...string) (c *Cluster, stop func(), err error) {
	dir, err := os.MkdirTemp("", "tallymq-"+name+"-")
	if err != nil {
		return nil, nil, err
	}
	if c, err = New(bin, dir, n, extra...); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() {
		_ = c.Each((*Process).Kill)
		_ = os.RemoveAll(dir)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyWait)
	defer cancel()
	if err = c.Each((*Process).Start); err == nil {
		err = c.Ready(ctx)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	return c, stop, nil
}

// Torment kills one node, or in one case of four all of them, with SIGKILL, after a pause of at least least and less than most, starts
// them again within 1.5 s, and goes on like this in the background until a time. killed hears of each. wait returns when nothing is
// killed or started any more; it ends the torment earlier.
func (c *Cluster) Torment(until time.Time, least, most time.Duration, r *rand.Rand, killed func()) (wait func() error) {
	end, done := make(chan struct{}), make(chan struct{})
	var failed error
	go func() {
		defer close(done)
		for time.Now().Before(until) {
			select {
			case <-end:
				return
			case <-time.After(least + time.Duration(r.Int64N(int64(most-least)))):
			}
			victims := []*Process{c.Nodes[r.IntN(len(c.Nodes))]}
			if r.IntN(4) == 0 {
				victims = c.Nodes
			}
			for _, p := range victims {
				failed = errors.Join(failed, p.Kill())
				killed()
			}
			time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
			for _, p := range victims {
				failed = errors.Join(failed, p.Start())
			}
		}
	}()
	return func() error {
		close(end)
		<-done
		return failed
	}
}

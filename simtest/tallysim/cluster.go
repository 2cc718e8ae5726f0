package tallysim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/cluster"
	"github.com/tallymq/tallymq/simtest/trace"
)

// harnessName is the process from which Topic and Produce work. No fault hits it.
const harnessName = "harness"

// A Cluster is one simulated cluster with what the test runs beside it. Its methods
// are called by the body, not by processes.
type Cluster struct {
	// T is the test of this world. Its Fatal ends the world.
	T *testing.T
	// World is for what this package has no word for: single faults, links, disks.
	World *simtest.World

	nodes   *cluster.Cluster
	harness *simtest.Process
	client  *kgo.Client

	mu        sync.Mutex
	processes []*entry
	stores    []*Store
	checks    []check
	story     []trace.Event // before the first assertion that did not hold
	quiet     chan struct{} // closed when no fault is on, or none was asked for
	planned   string        // the plan's text
	failing   atomic.Int32  // thousandths of the transactions of stores, while faults are on
}

func newCluster(w *simtest.World, o Options, log slog.Handler) *Cluster {
	c := &Cluster{T: w.T, World: w, nodes: cluster.New(w, cluster.Options{Nodes: o.Nodes, Log: log}), harness: w.Process(harnessName)}
	c.quiet = make(chan struct{})
	close(c.quiet)
	c.harness.Start(func() error { return nil })
	go func() {
		time.Sleep(bodyMax)
		panic(fmt.Sprintf("the body did not end within %v of simulated time", bodyMax))
	}()
	go c.watch()
	return c
}

// Brokers are the names of the cluster's nodes: "n1", "n2", ...
func (c *Cluster) Brokers() []string { return append([]string(nil), c.nodes.Names...) }

// Topic makes a topic, replicated on all nodes up to three, and returns when every
// node knows it. The test fails when that is not possible.
func (c *Cluster) Topic(name string, partitions int) {
	replicas := int16(min(3, len(c.nodes.Names)))
	if replicas < 3 {
		replicas = 1
	}
	c.do("topic "+name, func(ctx context.Context, cl *kgo.Client) error {
		_, err := kadm.NewClient(cl).CreateTopic(ctx, int32(partitions), replicas, nil, name)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			return nil // by an attempt whose answer was lost
		}
		return err
	})
}

// Produce sends records, which name their topic, and returns when each of them is
// acknowledged: durable on a majority. The producer is idempotent and tries again for
// as long as it takes, so each record is in the topic once.
func (c *Cluster) Produce(records ...*kgo.Record) {
	err := c.harness.Do(func() error {
		cl, err := c.harnessClient()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), harnessTry*harnessTries)
		defer cancel()
		return cl.ProduceSync(ctx, records...).FirstErr()
	})
	if err != nil {
		c.anomaly("produce", "the harness could not produce: %v", err)
		c.T.FailNow()
	}
	c.World.Count(producedCount, len(records))
}

// harnessClient is made once, by the harness's own goroutine.
func (c *Cluster) harnessClient() (*kgo.Client, error) {
	if c.client != nil {
		return c.client, nil
	}
	cl, err := kgo.NewClient(c.reach(c.harness)...)
	c.client = cl
	return cl, err
}

// do tries a request of the harness until it works.
func (c *Cluster) do(what string, f func(ctx context.Context, cl *kgo.Client) error) {
	var err error
	for range harnessTries {
		err = c.harness.Do(func() error {
			cl, err := c.harnessClient()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(context.Background(), harnessTry)
			defer cancel()
			return f(ctx, cl)
		})
		if err == nil {
			return
		}
		time.Sleep(time.Second)
	}
	c.anomaly("harness", "%s: %v", what, err)
	c.T.FailNow()
}

// finish is the end of a body that returned.
func (c *Cluster) finish() {
	c.Quiet()
	for i := range c.checks {
		c.look(i)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.processes {
		c.World.Count(startsCount, e.starts)
	}
	for _, s := range c.stores {
		c.World.Count(commitsCount, int(s.version))
	}
}

// errNoProcess is a mistake of the test.
var errNoProcess = errors.New("tallysim: no process of that name; Go makes one")

package narrow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
	"github.com/tallymq/tallymq/simtest/cluster"
)

const (
	topic      = "payments"
	partitions = 4
	// patience bounds, in simulated time, what must come to pass once the faults are over.
	patience = 2 * time.Minute
)

// narrow is a world of some nodes, and what its clients saw.
type narrow struct {
	*testing.T
	w *simtest.World
	c *cluster.Cluster

	damaged bool // a disk was: replicas may be replaced
	first   map[held]uint64

	mu      sync.Mutex
	h       check.History
	acks    int
	clients int
	asked   int
	id      [16]byte               // of the topic
	views   map[int32]string       // of each generation, its members
	terms   map[term]int32         // who led
	since   map[term]time.Duration // when that was first told
	epochOf map[string]int32       // of the records read, by value
	spans   map[term]span          // of the records read
}

// world runs body in a world of the seed from the environment. Of the places of the code
// that may act, those that favour names do so often.
func world(t *testing.T, tune func(*config.Config), body func(x *narrow), favour ...string) {
	simtest.SkipWithoutOverlay(t)
	seed := uint64(1)
	if s := os.Getenv("TALLYMQ_SIM_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	simtest.Run(t, seed, func(w *simtest.World) {
		o := cluster.Options{Config: tune, Favour: favour}
		if os.Getenv("TALLYMQ_SIM_LOG") != "" {
			o.Log = slog.NewTextHandler(os.Stderr, nil)
		}
		x := &narrow{T: t, w: w, c: cluster.New(w, o), terms: map[term]int32{}, spans: map[term]span{}, since: map[term]time.Duration{}, epochOf: map[string]int32{}, views: map[int32]string{}}
		x.h.Dense = true
		x.create(topic, partitions)
		x.first = x.replicaIDs()
		body(x)
		w.Count("sends", len(x.h.Sends))
		w.Count("acknowledged", x.acks)
		w.Count("reads", len(x.h.Reads))
		w.Count("ends", len(x.h.Ends))
		w.Count("commits", len(x.h.Commits))
		w.Count("assignments", len(x.h.Assignments))
		w.Count("terms", len(x.terms))
		for _, v := range check.Kafka(&x.h) {
			w.Anomaly(v.Anomaly, v.Where, "%s", v.Text)
		}
	})
}

// small makes snapshots and a short log, so that a restart depends on the rows.
func small(c *config.Config) { c.SnapshotBytes, c.LogKeepBytes = 16<<10, 16<<10 }

func where(t string, p int32) string { return t + "/" + strconv.Itoa(int(p)) }

// faults draws what goes wrong, and lets it.
func (x *narrow) faults(length time.Duration, draw func(f *faults)) {
	plan := x.w.DrawPlan(func(rng *rand.Rand) simtest.Plan {
		f := &faults{rng: rng, nodes: x.c.Names, length: length}
		for f.at < length {
			draw(f)
		}
		return simtest.Plan{Faults: f.drawn, Quiet: f.at}
	})
	x.Logf("plan:\n%v", plan)
	x.c.Apply(plan)
}

// begin starts a client process that runs f with a client of its own.
func (x *narrow) begin(name string, f func(p *simtest.Process, cl *kgo.Client) error, opts ...kgo.Opt) (*simtest.Process, <-chan error) {
	x.mu.Lock()
	x.clients++
	p := x.w.Process(fmt.Sprintf("%s%d", name, x.clients))
	x.mu.Unlock()
	return p, p.Start(func() error {
		cl, err := kgo.NewClient(append([]kgo.Opt{
			kgo.BrokerMaxWriteBytes(cluster.RequestBytesMax), kgo.SeedBrokers(x.c.Seeds()...), kgo.Dialer(p.Host.Dial), kgo.ClientID(p.Name()),
			kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }), kgo.UnknownTopicRetries(-1),
			kgo.RequestTimeoutOverhead(3 * time.Second), kgo.DialTimeout(3 * time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
		}, opts...)...)
		if err != nil {
			return err
		}
		defer cl.Close()
		return f(p, cl)
	})
}

// as is begin, and waits; an error is a violation.
func (x *narrow) as(name string, f func(cl *kgo.Client) error, opts ...kgo.Opt) bool {
	p, done := x.begin(name, func(_ *simtest.Process, cl *kgo.Client) error { return f(cl) }, opts...)
	return p.Await(done) == nil
}

// settled waits for clients that were told to stop.
func (x *narrow) settled(done ...<-chan error) {
	for i, d := range done {
		select {
		case err := <-d:
			if err != nil {
				x.w.Anomaly("process-failed", fmt.Sprintf("client %d", i+1), "%v", err)
			}
		case <-time.After(patience):
			x.w.Anomaly("no-progress", fmt.Sprintf("client %d", i+1), "it has not ended %v after the faults did", patience)
		}
	}
}

// create makes a topic, however long that takes.
func (x *narrow) create(name string, n int32) {
	x.as("admin", func(cl *kgo.Client) error {
		return insist(func(ctx context.Context) error {
			_, err := kadm.NewClient(cl).CreateTopic(ctx, n, int16(min(3, len(x.c.Names))), nil, name)
			if errors.Is(err, kerr.TopicAlreadyExists) {
				return nil // an attempt before had no answer
			}
			return err
		})
	})
}

// insist repeats f for as long as patience lasts.
func insist(f func(ctx context.Context) error) error {
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := f(ctx)
		cancel()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// stopped says whether a channel is closed, after a wait.
func stopped(stop <-chan struct{}, wait time.Duration) bool {
	select {
	case <-stop:
		return true
	case <-time.After(wait):
		return false
	}
}

func timeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

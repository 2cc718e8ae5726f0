package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

const (
	topic   = "payments" // nothing of it is ever deleted
	trimmed = "audit"    // its oldest records are, on request
	group   = "posting"
	// Of balances each key's older records are deleted, by compaction, and tombstones when they have told so for a while.
	balances = "balances"

	trimmedPartitions  = 2
	balancesPartitions = 2
	balanceKeys        = 20
	tombstoneRetention = 15 * time.Second
	// tombstonesStay is that, less what an answer may be on its way.
	tombstonesStay = 8 * time.Second
	// patience bounds, in simulated time, what must come to pass once the faults are over.
	patience = 2 * time.Minute
)

// workload is what the clients of a world share: the history.
type workload struct {
	settings
	w *simtest.World
	c *Cluster

	stop    chan struct{} // closed: clients finish what they have begun
	clients []string
	topicID [16]byte
	mortals []string // clients that a plan may kill
	running []client

	mu         sync.Mutex
	h          check.History
	acks       int
	epochs     map[term]span             // of the records read
	positions  map[string]int64          // of the group, the highest that was committed
	covered    map[string]map[int64]bool // by the group's members
	partitions map[string]int32          // of each topic
}

// client is one that has to end when it is told to stop.
type client struct {
	name string
	done chan struct{}
}

// term is a leadership of a partition.
type term struct {
	place string
	epoch int32
}

// span is from the first to the last offset.
type span struct{ first, last int64 }

func place(t string, p int32) string { return t + "/" + strconv.Itoa(int(p)) }

// options are what all clients have in common.
func (l *workload) options(p *simtest.Process, more ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.BrokerMaxWriteBytes(RequestBytesMax), kgo.SeedBrokers(l.c.Seeds()...), kgo.Dialer(p.Host.Dial), kgo.ClientID(p.Name()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }), kgo.UnknownTopicRetries(-1),
		kgo.RequestTimeoutOverhead(3 * time.Second), kgo.DialTimeout(3 * time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
	}, more...)
}

// keep runs a client that is started again whenever it dies, each time under another
// name for the history, until main says that its work is done.
func (l *workload) keep(name string, main func(p *simtest.Process, incarnation string) error) {
	p := l.w.Process(name)
	c := client{name, make(chan struct{})}
	lives := 0
	var once sync.Once
	l.clients, l.mortals, l.running = append(l.clients, name), append(l.mortals, name), append(l.running, c)
	l.c.Keep(p, func(p *simtest.Process) error {
		lives++
		err := main(p, fmt.Sprintf("%s.%d", name, lives))
		if err == nil {
			once.Do(func() { close(c.done) })
		}
		return err
	})
}

// ended waits until a client has ended, or until an instant; who has ended by then has, also when both are so.
func (c client) ended(until time.Time) bool {
	select {
	case <-c.done:
	case <-time.After(time.Until(until)):
		select {
		case <-c.done:
		default:
			return false
		}
	}
	return true
}

// settled waits for all clients.
func (l *workload) settled() {
	end := time.Now().Add(patience)
	for _, c := range l.running {
		if !c.ended(end) {
			l.w.Anomaly("no-progress", c.name, "it has not ended %v after the faults did", patience)
		}
	}
}

// giveUp waits for the clients as long as they may take where all is well, and takes what
// the replicas hold then. Where most disks are damaged nobody promises more.
func (l *workload) giveUp() {
	const wait = 20 * time.Second
	end := time.Now().Add(wait)
	for _, c := range l.running {
		if !c.ended(end) {
			l.w.Result(c.name, "has not ended after %v", wait)
		}
	}
	ds := l.digests()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, shard := range slices.Sorted(maps.Keys(ds)) {
		l.h.Digests = append(l.h.Digests, ds[shard]...)
	}
}

// stopped says whether the clients were told to stop, after a wait.
func (l *workload) stopped(wait time.Duration) bool {
	select {
	case <-l.stop:
		return true
	case <-time.After(wait):
		return false
	}
}

// as runs f in a process of its own with a client of its own, and waits; an error is a
// violation.
func (l *workload) as(name string, f func(cl *kgo.Client) error, opts ...kgo.Opt) bool {
	p := l.w.Process(name)
	err := p.Await(p.Start(func() error {
		cl, err := kgo.NewClient(l.options(p, opts...)...)
		if err != nil {
			return err
		}
		defer cl.Close()
		return f(cl)
	}))
	p.Kill()
	return err == nil
}

// topics are those that are read whole.
func (l *workload) topics() []string {
	all := []string{topic, trimmed}
	if l.compacted {
		all = append(all, balances)
	}
	if l.tellers > 0 {
		all = append(all, posted)
	}
	return all
}

// createBalances makes the compacted topic, in worlds that have one.
func (l *workload) createBalances() {
	if !l.compacted {
		return
	}
	configs := map[string]*string{}
	for k, v := range map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.2", "delete.retention.ms": strconv.FormatInt(tombstoneRetention.Milliseconds(), 10)} {
		configs[k] = &v
	}
	l.create(balances, balancesPartitions, configs)
	for p := range int32(balancesPartitions) {
		l.h.Compacted = append(l.h.Compacted, place(balances, p))
	}
	l.h.TombstonesStay = tombstonesStay
}

// create waits until the cluster makes a topic. It may have done so when nobody was told.
func (l *workload) create(name string, n int32, configs map[string]*string) {
	l.partitions[name] = n
	if !l.as("creator", func(cl *kgo.Client) error {
		return insist(func(ctx context.Context) error {
			_, err := kadm.NewClient(cl).CreateTopic(ctx, n, 3, configs, name)
			if errors.Is(err, kerr.TopicAlreadyExists) {
				return nil
			}
			return err
		})
	}) {
		l.w.T.Fatalf("topic %s was not made", name)
	}
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

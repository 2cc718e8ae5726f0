package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

const (
	topic      = "payments"
	partitions = 2
	producers  = 3
)

// workload is what the clients of a world share: the history.
type workload struct {
	w    *simtest.World
	c    *Cluster
	mu   sync.Mutex
	h    check.History
	acks int
}

func where(p int32) string { return topic + "/" + strconv.Itoa(int(p)) }

func (l *workload) client(p *simtest.Process, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(l.c.Seeds()...), kgo.Dialer(p.Host.Dial), kgo.ClientID(p.Name()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }), kgo.UnknownTopicRetries(-1),
		kgo.RequestTimeoutOverhead(3 * time.Second), kgo.DialTimeout(3 * time.Second), kgo.MetadataMinAge(100 * time.Millisecond),
	}, opts...)...)
}

// produce sends numbered records until stop is closed. It is main of a client.
func (l *workload) produce(p *simtest.Process, stop chan struct{}) error {
	cl, err := l.client(p, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return cl.Flush(context.Background())
		case <-time.After(20 * time.Millisecond):
		}
		s := check.Send{Producer: p.Name(), Sequence: n, Partition: where(int32(n % partitions)),
			Value: fmt.Sprintf("%s-%d", p.Name(), n), Outcome: check.Unknown, Offset: -1}
		s.Call, s.Return = l.w.Now(), 1<<62
		l.mu.Lock()
		l.h.Sends = append(l.h.Sends, s)
		at := len(l.h.Sends) - 1
		l.mu.Unlock()
		cl.Produce(context.Background(), &kgo.Record{Topic: topic, Partition: int32(n % partitions), Value: []byte(s.Value)}, func(r *kgo.Record, err error) {
			l.w.Result(p.Name(), "%s: offset %d, %v", s.Value, r.Offset, err)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.h.Sends[at].Return = l.w.Now()
			if err == nil {
				l.h.Sends[at].Outcome, l.h.Sends[at].Offset = check.OK, r.Offset
				l.acks++
			}
		})
	}
}

// consume reads everything from the start for ever. It is main of a client.
func (l *workload) consume(p *simtest.Process, final bool, seen map[int32]int64) error {
	at := map[int32]kgo.Offset{}
	for i := range int32(partitions) {
		at[i] = kgo.NewOffset().AtStart()
	}
	cl, err := l.client(p, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return err
	}
	for {
		cl.PollFetches(context.Background()).EachRecord(func(r *kgo.Record) {
			l.w.Result(p.Name(), "%d/%d %s", r.Partition, r.Offset, r.Value)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.h.Reads = append(l.h.Reads, check.Read{At: l.w.Now(), Consumer: p.Name(), Partition: where(r.Partition), Offset: r.Offset, Value: string(r.Value), Final: final})
			seen[r.Partition] = r.Offset + 1
		})
	}
}

// TestKafkaSurvivesThePlan: three real nodes, real clients, faults; then everything
// that was acknowledged is there, once, in order, the same for all.
func TestKafkaSurvivesThePlan(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	seed := uint64(1)
	if s := os.Getenv("TALLYMQ_SIM_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	verbs := slices.Concat([]simtest.Verb{simtest.Kill, simtest.Power, simtest.Pause}, simtest.NetworkVerbs, simtest.DiskVerbs)
	simtest.Run(t, seed, func(w *simtest.World) {
		o := Options{}
		if os.Getenv("TALLYMQ_SIM_LOG") != "" {
			o.Log = slog.NewTextHandler(os.Stderr, nil)
		}
		l := &workload{w: w, c: New(w, o)}
		l.h.Dense = true
		l.createTopic(t)
		stop := make(chan struct{})
		var running []<-chan error
		clients := []string{"reader"}
		for i := range producers {
			p := w.Process(fmt.Sprintf("p%d", i+1))
			clients = append(clients, p.Name())
			running = append(running, p.Start(func() error { return l.produce(p, stop) }))
		}
		reader := w.Process("reader")
		reader.Start(func() error { return l.consume(reader, false, map[int32]int64{}) })
		plan := w.Plan(simtest.PlanConfig{
			Nodes: l.c.Names, Clients: clients, Length: 30 * time.Second, Every: 2 * time.Second, Verbs: verbs, BrokenMax: 1,
		})
		t.Logf("plan:\n%v", plan)
		l.c.Apply(plan)
		time.Sleep(10 * time.Second) // of quiet, under load
		close(stop)
		for i, done := range running {
			select {
			case err := <-done:
				if err != nil {
					w.Anomaly("process-failed", fmt.Sprintf("p%d", i+1), "%v", err)
				}
			case <-time.After(2 * time.Minute):
				w.Anomaly("no-progress", fmt.Sprintf("p%d", i+1), "unanswered records two minutes after the faults ended")
			}
		}
		l.readAll(t)
		w.Count("sends", len(l.h.Sends))
		w.Count("acknowledged", l.acks)
		w.Count("reads", len(l.h.Reads))
		for _, v := range check.Kafka(&l.h) {
			w.Anomaly(v.Anomaly, v.Where, "%s", v.Text)
		}
		if l.acks == 0 {
			t.Error("nothing was acknowledged: the test shows nothing")
		}
		t.Logf("%d sends, %d acknowledged, %d reads", len(l.h.Sends), l.acks, len(l.h.Reads))
	})
}

// TestSeedsAreEqual: the whole cluster, its clients and their faults, twice.
func TestSeedsAreEqual(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	for seed := uint64(1); seed <= 2; seed++ {
		if diff := simtest.CompareRuns(t, "TestKafkaSurvivesThePlan", seed); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// createTopic waits until the cluster makes the topic.
func (l *workload) createTopic(t *testing.T) {
	admin := l.w.Process("admin")
	err := admin.Await(admin.Start(func() error {
		cl, err := l.client(admin)
		if err != nil {
			return err
		}
		defer cl.Close()
		for try := 0; ; try++ {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			_, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 3, nil, topic)
			cancel()
			if err == nil || try == 20 {
				return err
			}
			time.Sleep(time.Second)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// readAll reads every partition to its end after everything.
func (l *workload) readAll(t *testing.T) {
	p := l.w.Process("final")
	seen := map[int32]int64{}
	ends := map[int32]int64{}
	err := p.Await(p.Start(func() error {
		cl, err := l.client(p)
		if err != nil {
			return err
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		listed, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
		if err != nil {
			return err
		}
		listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset; err = o.Err })
		go func() { _ = l.consume(p, true, seen) }()
		return err
	}))
	if err != nil {
		return
	}
	for i := range int32(partitions) {
		for try := 0; ; try++ {
			l.mu.Lock()
			got := seen[i]
			l.mu.Unlock()
			if got >= ends[i] {
				break
			}
			if try == 600 {
				l.w.Anomaly("unread", where(i), "read to %d of %d", got, ends[i])
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		l.h.Drained = append(l.h.Drained, where(i))
	}
}

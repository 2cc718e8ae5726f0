package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/client"
)

// Bench is the bench command.
type Bench struct {
	Work       []string          `arg:"" optional:"" help:"What to measure: produce, single, single64, consume; transactions of 1, 10 or 100 records over all partitions (txn1, txn10, txn100), one (txn1-one, ...), or all of a topic on one shard with their coordinator (txn1-shard, ...); the same records without a transaction (plain1, plain1-one, plain1-shard, ...); and read-process-write: of these, transactions, or rounds, are counted. Default: the first four."`
	Topic      string            `default:"tallymq-bench" help:"Topic to use; it is made if it is not there."`
	Partitions int32             `default:"8" help:"Partitions of a topic that is made."`
	Replicas   int16             `default:"-1" help:"Replication factor of a topic that is made; -1: the cluster's."`
	Config     map[string]string `help:"Configuration of a topic that is made, key=value."`
	Size       int               `default:"1024" help:"Bytes of a record's value."`
	Clients    int               `default:"2" help:"Producing clients (produce), or clients that wait (single)."`
	Duration   time.Duration     `default:"10s" help:"Time that counts."`
	Warmup     time.Duration     `default:"2s" help:"Time before, that does not count."`
}

// Result is one measurement.
type Result struct {
	Work    string  `json:"work"`
	Clients int     `json:"clients"`
	Size    int     `json:"size"`
	Seconds float64 `json:"seconds"`
	Records int64   `json:"records"`
	Rate    float64 `json:"records_per_second"`
	MBps    float64 `json:"megabytes_per_second"`
	P50ms   float64 `json:"p50_ms"`
	P99ms   float64 `json:"p99_ms"`
	Errors  int64   `json:"errors"`
}

// Run measures and prints.
func (b *Bench) Run(g *client.Globals) error {
	ctx, cancel := client.Interruptible()
	defer cancel()
	if err := b.prepare(ctx, g); err != nil {
		return err
	}
	work := b.Work
	if len(work) == 0 {
		work = []string{"produce", "single", "single64", "consume"}
	}
	var out []Result
	var rows [][]string
	for _, w := range work {
		var r Result
		var err error
		switch w {
		case "produce":
			r, err = b.produce(ctx, g, b.Clients)
		case "single":
			r, err = b.single(ctx, g, b.Clients)
		case "single64":
			r, err = b.single(ctx, g, 64)
		case "consume":
			r, err = b.consume(ctx, g)
		case readProcessWrite:
			r, err = b.process(ctx, g)
		default:
			x, known := rounds[w]
			if !known {
				return fmt.Errorf("work %q: see --help", w)
			}
			r, err = b.transact(ctx, g, x)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w, err)
		}
		r.Work = w
		out = append(out, r)
		rows = append(rows, []string{w, fmt.Sprint(r.Clients), fmt.Sprint(r.Size), fmt.Sprintf("%.0f", r.Rate), fmt.Sprintf("%.1f", r.MBps), fmt.Sprintf("%.2f", r.P50ms), fmt.Sprintf("%.2f", r.P99ms), fmt.Sprint(r.Errors)})
	}
	return g.Print(out, []string{"WORK", "CLIENTS", "BYTES", "PER S", "MB/S", "P50 MS", "P99 MS", "ERRORS"}, rows)
}

func (b *Bench) prepare(ctx context.Context, g *client.Globals) error {
	return b.create(ctx, g, b.Topic, b.Config)
}

// create makes a topic, if it is not there.
func (b *Bench) create(ctx context.Context, g *client.Globals, topic string, config map[string]string) error {
	adm, done, err := g.Admin()
	if err != nil {
		return err
	}
	defer done()
	configs := map[string]*string{}
	for k, v := range config {
		configs[k] = &v
	}
	_, err = adm.CreateTopic(ctx, b.Partitions, b.Replicas, configs, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// meter counts what is acknowledged while it counts.
type meter struct {
	counting atomic.Bool
	records  atomic.Int64
	errors   atomic.Int64
	mu       sync.Mutex
	lat      []time.Duration
}

func (m *meter) add(d time.Duration, err error) {
	switch {
	case !m.counting.Load():
	case err != nil:
		m.errors.Add(1)
	default:
		m.records.Add(1)
		if d > 0 {
			m.mu.Lock()
			m.lat = append(m.lat, d)
			m.mu.Unlock()
		}
	}
}

// run counts for the duration after the warm-up, showing progress.
func (b *Bench) run(ctx context.Context, g *client.Globals, m *meter, clients int) Result {
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	wait(b.Warmup)
	m.counting.Store(true)
	began := time.Now()
	for left := b.Duration; left > 0 && ctx.Err() == nil; left = b.Duration - time.Since(began) {
		wait(min(left, 2*time.Second))
		fmt.Fprintf(progress(g), "  %6.1f s  %d records\n", time.Since(began).Seconds(), m.records.Load())
	}
	m.counting.Store(false)
	took := time.Since(began).Seconds()
	n := m.records.Load()
	r := Result{Clients: clients, Size: b.Size, Seconds: took, Records: n, Rate: float64(n) / took, MBps: float64(n) * float64(b.Size) / 1e6 / took, Errors: m.errors.Load()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.lat) > 0 {
		slices.Sort(m.lat)
		r.P50ms = float64(m.lat[len(m.lat)/2].Microseconds()) / 1e3
		r.P99ms = float64(m.lat[len(m.lat)*99/100].Microseconds()) / 1e3
	}
	return r
}

func (b *Bench) value() []byte {
	v := make([]byte, b.Size)
	_, _ = rand.Read(v) // never fails (crypto/rand)
	return v
}

func (b *Bench) produce(ctx context.Context, g *client.Globals, clients int) (Result, error) {
	c, cancel := context.WithCancel(ctx)
	defer cancel()
	var m meter
	var wg sync.WaitGroup
	for range clients {
		cl, err := g.Client(kgo.DefaultProduceTopic(b.Topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
			kgo.MaxBufferedRecords(maxBuffered), kgo.ProducerLinger(produceLinger), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
		if err != nil {
			return Result{}, err
		}
		defer cl.Close()
		value := b.value()
		wg.Add(1)
		go func() {
			defer wg.Done()
			for c.Err() == nil {
				cl.Produce(c, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) { m.add(0, err) })
			}
		}()
	}
	r := b.run(ctx, g, &m, clients)
	cancel()
	wg.Wait()
	return r, nil
}

// What a throughput client of Kafka is usually told: a linger of some milliseconds and
// room for a few batches per partition.
const (
	maxBuffered   = 20_000
	produceLinger = 5 * time.Millisecond
)

func (b *Bench) single(ctx context.Context, g *client.Globals, clients int) (Result, error) {
	c, cancel := context.WithCancel(ctx)
	defer cancel()
	var m meter
	var wg sync.WaitGroup
	for i := range clients {
		cl, err := g.Client(kgo.DefaultProduceTopic(b.Topic), kgo.ProducerBatchCompression(kgo.NoCompression()),
			kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return Result{}, err
		}
		defer cl.Close()
		r := &kgo.Record{Value: b.value(), Partition: int32(i) % b.Partitions}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for c.Err() == nil {
				began := time.Now()
				x := *r
				err := cl.ProduceSync(c, &x).FirstErr()
				m.add(time.Since(began), err)
			}
		}()
	}
	r := b.run(ctx, g, &m, clients)
	cancel()
	wg.Wait()
	return r, nil
}

func (b *Bench) consume(ctx context.Context, g *client.Globals) (Result, error) {
	cl, err := g.Client(kgo.ConsumeTopics(b.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(time.Second))
	if err != nil {
		return Result{}, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, b.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return Result{}, fmt.Errorf("list end offsets: %w", err)
	}
	var total int64
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	if total == 0 {
		return Result{}, errors.New("the topic is empty: measure produce first")
	}
	c, cancel := context.WithTimeout(ctx, b.Warmup+b.Duration)
	defer cancel()
	var n, bytes int64
	began := time.Now()
	for n < total && c.Err() == nil {
		fs := cl.PollFetches(c)
		fs.EachRecord(func(r *kgo.Record) { n++; bytes += int64(len(r.Value)) })
		for _, e := range fs.Errors() {
			if c.Err() == nil {
				return Result{}, e.Err
			}
		}
	}
	took := time.Since(began).Seconds()
	return Result{Clients: 1, Size: int(bytes / max(n, 1)), Seconds: took, Records: n, Rate: float64(n) / took, MBps: float64(bytes) / 1e6 / took}, nil
}

package node_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "payments"

// load is the clients of a cluster and what they saw: idempotent producers, and one
// consumer at the log's end that must never be reset.
type load struct {
	t          testing.TB
	c          *servers
	partitions int
	size       int

	sending, reading         context.Context
	stopSending, stopReading context.CancelFunc
	over                     context.Context // of the whole test: nothing waits any longer
	end                      context.CancelFunc
	senders, readers         sync.WaitGroup
	rate                     atomic.Int64 // records a second of each producer
	acked, read              atomic.Int64

	mu   sync.Mutex
	sent []sent
	tail map[int32][]got
	bad  []string // what no client may meet
}

type sent struct {
	partition int32
	producer  int
	sequence  int
	offset    int64
}

type got struct {
	offset int64
	value  string
}

// value is what a producer sends as its n-th: unique, and every byte of it follows from
// its beginning.
func value(producer, n, size int) []byte {
	b := []byte(fmt.Sprintf("%d/%d/", producer, n))
	x := crc32.ChecksumIEEE(b)
	for len(b) < size {
		x = x*1664525 + 1013904223
		b = append(b, byte(x>>24))
	}
	return b
}

// parse gives back producer and number, if every byte is right.
func parse(v []byte) (producer, n int, err error) {
	if _, err := fmt.Sscanf(string(v[:min(len(v), 40)]), "%d/%d/", &producer, &n); err != nil {
		return 0, 0, fmt.Errorf("value %.40q: %w", v, err)
	}
	if want := value(producer, n, len(v)); string(want) != string(v) {
		return 0, 0, fmt.Errorf("value %d/%d has wrong bytes", producer, n)
	}
	return producer, n, nil
}

// createTopic makes the topic and waits for its leaders.
func createTopic(t testing.TB, c *servers, partitions int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.seeds()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	retention := "-1"
	eventually(t, "create topic", func() error {
		_, err := kadm.NewClient(cl).CreateTopic(context.Background(), int32(partitions), -1, map[string]*string{"retention.ms": &retention}, topic)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			return nil
		}
		return err
	})
}

// startLoad begins to produce and consume. rate is records a second of each producer.
func startLoad(t testing.TB, c *servers, partitions, producers, rate, size int) *load {
	t.Helper()
	createTopic(t, c, partitions)
	l := &load{t: t, c: c, partitions: partitions, size: size, tail: map[int32][]got{}}
	l.rate.Store(int64(rate))
	l.sending, l.stopSending = context.WithCancel(context.Background())
	l.reading, l.stopReading = context.WithCancel(context.Background())
	l.over, l.end = context.WithCancel(context.Background())
	t.Cleanup(func() { l.end(); l.stopSending(); l.stopReading(); l.readers.Wait(); l.senders.Wait() })
	l.readers.Add(1)
	go func() { defer l.readers.Done(); l.consume() }()
	for i := range producers {
		l.senders.Add(1)
		go func() { defer l.senders.Done(); l.produce(i) }()
	}
	l.progress(50)
	return l
}

func (l *load) complain(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad = append(l.bad, fmt.Sprintf(format, args...))
}

func (l *load) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(l.c.seeds()...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond })}, opts...)...)
	if err != nil {
		l.t.Error(err)
	}
	return cl
}

// produce sends until it is told to stop, then waits for every acknowledgement.
func (l *load) produce(id int) {
	cl := l.client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2*time.Millisecond),
		kgo.UnknownTopicRetries(-1), kgo.MaxBufferedRecords(5000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer cl.Close()
	const tick = 10 * time.Millisecond
	due := time.Now()
	for n := 0; l.sending.Err() == nil; {
		rate := l.rate.Load()
		if rate == 0 || time.Now().Before(due) {
			time.Sleep(tick)
			continue
		}
		due = due.Add(time.Second / time.Duration(rate))
		if late := time.Now().Add(-time.Second); due.Before(late) {
			due = late // it does not make up for more than a second
		}
		p, k := int32(n%l.partitions), n
		n++
		cl.Produce(l.over, &kgo.Record{Partition: p, Value: value(id, k, l.size)}, func(r *kgo.Record, err error) {
			if err != nil {
				l.complain("producer %d: record %d was not acknowledged: %v", id, k, err)
				return
			}
			l.mu.Lock()
			l.sent = append(l.sent, sent{p, id, k, r.Offset})
			l.mu.Unlock()
			l.acked.Add(1)
		})
	}
	ctx, cancel := context.WithTimeout(l.over, patience)
	defer cancel()
	if err := cl.Flush(ctx); err != nil {
		l.complain("producer %d: not acknowledged %v after the last fault: %v", id, patience, err)
	}
}

// tailOf makes a consumer which a reset would stop for good.
func (l *load) tailOf() *kgo.Client {
	return l.client(kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(200*time.Millisecond))
}

func (l *load) consume() {
	cl := l.tailOf()
	defer cl.Close()
	for l.reading.Err() == nil {
		fs := cl.PollFetches(l.reading)
		for _, e := range fs.Errors() {
			var lost *kgo.ErrDataLoss
			if errors.As(e.Err, &lost) || errors.Is(e.Err, kerr.OffsetOutOfRange) {
				l.complain("the consumer of partition %d was reset: %v", e.Partition, e.Err)
			}
		}
		l.mu.Lock()
		fs.EachRecord(func(r *kgo.Record) { l.noteLocked(l.tail, r) })
		l.mu.Unlock()
		l.read.Add(int64(fs.NumRecords()))
	}
}

// noteLocked keeps what identifies a record; its bytes are judged at once.
func (l *load) noteLocked(where map[int32][]got, r *kgo.Record) {
	p, n, err := parse(r.Value)
	if err != nil {
		l.bad = append(l.bad, fmt.Sprintf("partition %d offset %d: %v", r.Partition, r.Offset, err))
	}
	where[r.Partition] = append(where[r.Partition], got{r.Offset, fmt.Sprintf("%d/%d", p, n)})
}

// progress waits for so many acknowledgements more, and as many reads.
func (l *load) progress(n int64) {
	l.t.Helper()
	a, r := l.acked.Load(), l.read.Load()
	eventually(l.t, "progress", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.bad) > 0 {
			l.t.Fatalf("clients complain: %s", strings.Join(l.bad[:min(len(l.bad), 5)], "\n"))
		}
		if na, nr := l.acked.Load()-a, l.read.Load()-r; na < n || nr < n {
			return fmt.Errorf("%d more acknowledged, %d more read, want %d", na, nr, n)
		}
		return nil
	})
}

// finish stops the clients, reads everything again from the start, and judges.
func (l *load) finish() {
	l.t.Helper()
	l.stopSending()
	l.senders.Wait()
	final := l.drain()
	total := 0
	for _, xs := range final {
		total += len(xs)
	}
	eventually(l.t, "the consumer at the end reads the rest", func() error {
		if n := l.read.Load(); n < int64(total) {
			return fmt.Errorf("%d of %d", n, total)
		}
		return nil
	})
	l.stopReading()
	l.readers.Wait()
	bad := append(append([]string(nil), l.bad...), judge(l.sent, l.tail, final)...)
	for i, b := range bad {
		if i == 10 {
			l.t.Errorf("and %d more", len(bad)-i)
			break
		}
		l.t.Error(b)
	}
	l.t.Logf("%d records acknowledged, %d read at the end of the log, %d read again from the start", l.acked.Load(), l.read.Load(), total)
}

// drain reads every partition whole with a new client.
func (l *load) drain() map[int32][]got {
	l.t.Helper()
	cl := l.tailOf()
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left := map[int32]int64{}
	eventually(l.t, "list end offsets", func() error {
		ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			ends.Each(func(o kadm.ListedOffset) {
				if o.Offset > 0 {
					left[o.Partition] = o.Offset
				}
			})
		}
		return err
	})
	out := map[int32][]got{}
	for len(left) > 0 {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			l.t.Fatalf("read whole: left %v", left)
		}
		l.mu.Lock()
		fs.EachRecord(func(r *kgo.Record) {
			l.noteLocked(out, r)
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
		l.mu.Unlock()
	}
	return out
}

// judge compares what was acknowledged and what was read on the way with the whole log:
// every offset holds one record, no record is there twice, each producer's are in its
// order without a gap, what was acknowledged stands where it was said to, and the consumer
// was given exactly the log.
func judge(acked []sent, tail, final map[int32][]got) (bad []string) {
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	at := map[int32]map[int64]string{}
	for p, xs := range final {
		at[p] = map[int64]string{}
		seen := map[string]int64{}
		last := map[int]int{}
		for i, x := range xs {
			if x.offset != int64(i) {
				say("partition %d: offset %d where %d was due", p, x.offset, i)
			}
			if o, twice := seen[x.value]; twice {
				say("partition %d: %s is at %d and at %d", p, x.value, o, x.offset)
			}
			seen[x.value] = x.offset
			at[p][x.offset] = x.value
			var id, n int
			fmt.Sscanf(x.value, "%d/%d", &id, &n)
			if before, ok := last[id]; ok && n <= before {
				say("partition %d: %s at %d stands behind %d/%d", p, x.value, x.offset, id, before)
			}
			last[id] = n
		}
		for i, x := range tail[p] {
			if i >= len(xs) || xs[i] != x {
				say("partition %d: the consumer's %d-th record was %v", p, i, x)
				break
			}
		}
	}
	for _, s := range acked {
		if v := fmt.Sprintf("%d/%d", s.producer, s.sequence); at[s.partition][s.offset] != v {
			say("partition %d: %s was acknowledged at %d, there is %q", s.partition, v, s.offset, at[s.partition][s.offset])
		}
	}
	return bad
}

// A judge that cannot condemn is worthless.
func TestFaultJudge(t *testing.T) {
	log := func(vs ...string) map[int32][]got {
		m := map[int32][]got{0: nil}
		for i, v := range vs {
			m[0] = append(m[0], got{int64(i), v})
		}
		return m
	}
	ok := []sent{{0, 1, 0, 0}, {0, 1, 1, 1}, {0, 2, 0, 2}}
	for _, x := range []struct {
		name        string
		acked       []sent
		tail, final map[int32][]got
		want        string
	}{
		{"right", ok, log("1/0", "1/1"), log("1/0", "1/1", "2/0"), ""},
		{"lost", ok, log("1/0"), log("1/0", "1/1"), "was acknowledged at 2"},
		{"doubled", ok, log(), log("1/0", "1/1", "2/0", "1/1"), "is at 1 and at 3"},
		{"out of order", nil, log(), log("1/1", "1/0"), "stands behind"},
		{"elsewhere", []sent{{0, 1, 0, 1}}, log(), log("1/0"), "was acknowledged at 1"},
		{"a consumer saw another history", ok, log("1/0", "2/0"), log("1/0", "1/1", "2/0"), "the consumer's 1-th record"},
	} {
		bad := strings.Join(judge(x.acked, x.tail, x.final), "; ")
		if (x.want == "") != (bad == "") || !strings.Contains(bad, x.want) {
			t.Errorf("%s: %q, want %q", x.name, bad, x.want)
		}
	}
	v := value(3, 4, 100)
	if _, _, err := parse(v); err != nil {
		t.Error(err)
	}
	v[50] ^= 1
	if _, _, err := parse(v); err == nil {
		t.Error("a flipped bit was not seen")
	}
}

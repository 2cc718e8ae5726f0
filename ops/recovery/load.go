package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// load is producers that send at a given pace, whatever becomes of what they sent, as a
// payment pipeline does: a late acknowledgement delays no later record.
type load struct {
	seeds   []string
	clients []*kgo.Client
	acked   atomic.Int64 // records
	sent    atomic.Int64
	rate    atomic.Int64 // bytes a second of all producers together; 0: none
	failed  atomic.Pointer[error]
	end     chan struct{}
	done    sync.WaitGroup

	mu     sync.Mutex
	window window
}

// window is what was acknowledged in some stretch of time.
type window struct {
	began, ended time.Time
	latencies    []float32 // milliseconds, from when the pace asked for the record
}

func startLoad(seeds []string) (*load, error) {
	l := &load{seeds: seeds, end: make(chan struct{})}
	for range producers {
		cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
			kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedBytes(bufferBytes), kgo.MaxBufferedRecords(1<<20), kgo.ProducerLinger(2*time.Millisecond))
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.clients = append(l.clients, cl)
		l.done.Add(1)
		go l.send(cl)
	}
	return l, nil
}

func (l *load) bytes() int64 { return l.acked.Load() * recordBytes }

func (l *load) pace(rate int64) { l.rate.Store(rate) }

func (l *load) err() error {
	if e := l.failed.Load(); e != nil {
		return fmt.Errorf("produce: %w", *e)
	}
	return nil
}

// send keeps the pace, in steps of a few milliseconds.
func (l *load) send(cl *kgo.Client) {
	defer l.done.Done()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	last, owed := time.Now(), 0.0
	for {
		select {
		case <-l.end:
			return
		case now := <-tick.C:
			owed += now.Sub(last).Seconds() * float64(l.rate.Load()) / producers / recordBytes
			last = now
		}
		for ; owed >= 1; owed-- {
			l.one(cl, last)
		}
	}
}

// one sends a record, timed from when it was due.
func (l *load) one(cl *kgo.Client, due time.Time) {
	value := make([]byte, recordBytes) // of its own: the client keeps it until it is acknowledged
	fill(value, uint64(l.sent.Add(1)))
	cl.Produce(context.Background(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			l.failed.CompareAndSwap(nil, &err)
			return
		}
		l.acked.Add(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.window.latencies = append(l.window.latencies, float32(time.Since(due).Seconds()*1000))
	})
}

// fill makes bytes that nothing compresses and that differ from record to record.
func fill(b []byte, n uint64) {
	r := rand.NewPCG(n, 1)
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, r.Uint64())
	}
}

// fill sends as fast as it goes until so many bytes are acknowledged.
func (l *load) fill(size int64) error {
	var next atomic.Int64
	next.Store(size / recordBytes)
	var wg sync.WaitGroup
	for _, cl := range l.clients {
		wg.Go(func() {
			for next.Add(-1) >= 0 && l.err() == nil {
				l.one(cl, time.Now())
			}
		})
	}
	wg.Wait()
	return l.flush()
}

// flush waits for every acknowledgement; the pace must be 0.
func (l *load) flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, cl := range l.clients {
		if err := cl.Flush(ctx); err != nil {
			return fmt.Errorf("wait for acknowledgements: %w", err)
		}
	}
	return l.err()
}

// cut ends the window and begins another.
func (l *load) cut() window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.window
	w.ended = time.Now()
	l.window = window{began: w.ended}
	slices.Sort(w.latencies)
	return w
}

// rate is the acknowledged records a second.
func (w *window) rate() float64 { return float64(len(w.latencies)) / w.ended.Sub(w.began).Seconds() }

// percentile is a latency in milliseconds.
func (w *window) percentile(p float64) float64 {
	if len(w.latencies) == 0 {
		return 0
	}
	return float64(w.latencies[min(int(p*float64(len(w.latencies))), len(w.latencies)-1)])
}

func (w *window) String() string {
	return fmt.Sprintf("%6.1f s  %6.0f records/s  p50 %6.1f ms  p99 %7.1f ms  p99.9 %7.1f ms", w.ended.Sub(w.began).Seconds(), w.rate(),
		w.percentile(0.5), w.percentile(0.99), w.percentile(0.999))
}

func (l *load) close() error {
	close(l.end)
	l.done.Wait()
	for _, cl := range l.clients {
		cl.Close()
	}
	return nil
}

// account stops the producers and compares what was acknowledged with what the log holds.
func (r *run) account() error {
	r.load.pace(0)
	time.Sleep(2 * time.Second) // the last tick's records are sent by then
	if err := r.load.flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(r.load.clients[0]).ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	var total int64
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	fmt.Printf("records sent %d, acknowledged %d, in the log %d\n", r.load.sent.Load(), r.load.acked.Load(), total)
	if total != r.load.acked.Load() || total != r.load.sent.Load() {
		r.fail("%d records sent, %d acknowledged, %d in the log", r.load.sent.Load(), r.load.acked.Load(), total)
	}
	return nil
}

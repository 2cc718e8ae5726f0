package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/local"
)

const (
	memoryLimit       = 512 * mib
	backlogTopic      = "payments"
	backlogPartitions = 8
	backlogRecord     = 4 * kib
	producers         = 8
	fastReaders       = 2
	slowReaders       = 24
	slowBytesPerSec   = 256 * kib // of one slow reader's connection
	slowFetchBytes    = 50 << 20  // what each of them asks for: Kafka's default for brokers
	producerBuffer    = 32 * mib
)

// backlog produces ten times the memory limit. From half of it on, fast consumers read
// everything from the start and slow ones ask for much and take little, while
// producing goes on.
func backlog(s *soak) error {
	if err := s.createBacklog(); err != nil {
		return err
	}
	start, err := each(s.cluster, take)
	if err != nil {
		return err
	}
	watch := newWatcher(s.cluster)
	defer watch.stop()
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	c := newCrowd(ctx)
	var produced, slow atomic.Int64
	began := time.Now()
	for range producers {
		c.join(func() error { return s.produce(ctx, &produced) })
	}
	if err := c.until(func() bool { return produced.Load() >= s.backlog/2 }); err != nil {
		return err
	}
	s.say(s.name+": first half produced", "%s in %.0f s", size(float64(produced.Load())), time.Since(began).Seconds())
	s.judge(s.name+": resident set, peak while producing", watch.peak().rss, memoryLimit+backlogAllowance, size)
	for range slowReaders {
		c.join(func() error { return s.readSlowly(ctx, &slow) })
	}
	began = time.Now()
	fast := make([]atomic.Int64, fastReaders)
	for i := range fast {
		c.join(func() error { return s.read(ctx, &fast[i]) })
	}
	err = c.until(func() bool {
		done := produced.Load() >= s.backlog
		for i := range fast {
			done = done && fast[i].Load() >= s.backlog
		}
		return done
	})
	if err != nil {
		return err
	}
	s.say(s.name+": produced in all", "%s by %d producers", size(float64(produced.Load())), producers)
	s.say(s.name+": each fast consumer read", "%s in %.0f s", size(float64(fast[0].Load())), time.Since(began).Seconds())
	s.say(s.name+": all slow consumers read", "%s, %d of them", size(float64(slow.Load())), slowReaders)
	peak := watch.peak()
	s.judge(s.name+": resident set, peak of all", peak.rss, memoryLimit+backlogAllowance, size)
	s.judge(s.name+": Go runtime, peak of all", peak.runtime, memoryLimit+backlogAllowance, size)
	s.say(s.name+": heap, peak with garbage", "%s", size(peak.heap))
	s.say(s.name+": goroutines, peak", "%.0f", peak.goroutines)
	stop()
	c.wait()
	after, err := each(s.cluster, settled)
	if err != nil {
		return err
	}
	s.judge(s.name+": heap that stays after all", growth(start, after, heapOf, 1), backlogHeapMax+float64(len(s.cluster.Nodes)-1)*backlogHeapPerPeer, size)
	return s.reopen(s.cluster.Nodes[0])
}

// reopen restarts a node with the whole backlog.
func (s *soak) reopen(p *local.Process) error {
	if err := p.Kill(); err != nil {
		return err
	}
	began := time.Now()
	if err := p.Start(); err != nil {
		return err
	}
	watch := newWatcher(&local.Cluster{Nodes: []*local.Process{p}})
	defer watch.stop()
	if err := s.cluster.Ready(s.ctx); err != nil {
		return err
	}
	s.say(s.name+": restart: ready", "%.1f s", time.Since(began).Seconds())
	if _, err := settled(p); err != nil {
		return err
	}
	s.judge(s.name+": resident set, peak of the restart", watch.peak().rss, memoryLimit+backlogAllowance, size)
	return nil
}

func (s *soak) createBacklog() error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Bootstrap()...))
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = kadm.NewClient(cl).CreateTopic(s.ctx, backlogPartitions, -1, nil, backlogTopic)
	return err
}

// produce sends until all producers together have what is wanted, counting what is acknowledged.
func (s *soak) produce(ctx context.Context, produced *atomic.Int64) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Bootstrap()...), kgo.DefaultProduceTopic(backlogTopic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedBytes(producerBuffer), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	value := make([]byte, backlogRecord)
	_, _ = rand.Read(value) // never fails (crypto/rand)
	var failed atomic.Pointer[error]
	for produced.Load() < s.backlog && ctx.Err() == nil && failed.Load() == nil {
		cl.Produce(ctx, &kgo.Record{Value: value}, func(r *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
				return
			}
			produced.Add(int64(len(r.Value)))
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("produce: %w", *err)
	}
	return nil
}

// read consumes everything from the start as fast as it can.
func (s *soak) read(ctx context.Context, n *atomic.Int64, opts ...kgo.Opt) error {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.cluster.Bootstrap()...), kgo.ConsumeTopics(backlogTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, opts...)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		fs := cl.PollFetches(ctx)
		for _, e := range fs.Errors() {
			if ctx.Err() == nil {
				return fmt.Errorf("consume: %w", e.Err)
			}
		}
		fs.EachRecord(func(r *kgo.Record) { n.Add(int64(len(r.Value))) })
	}
	return nil
}

// readSlowly asks for much and takes little off the socket.
func (s *soak) readSlowly(ctx context.Context, n *atomic.Int64) error {
	dial := func(ctx context.Context, network, host string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, host)
		if err != nil {
			return nil, err
		}
		if err := c.(*net.TCPConn).SetReadBuffer(64 * kib); err != nil {
			return nil, err
		}
		return &slowConn{Conn: c, n: n}, nil
	}
	var decoded atomic.Int64
	return s.read(ctx, &decoded, kgo.Dialer(dial), kgo.FetchMaxBytes(slowFetchBytes), kgo.FetchMaxPartitionBytes(slowFetchBytes))
}

// slowConn reads no faster than slowBytesPerSec.
type slowConn struct {
	net.Conn
	n *atomic.Int64
}

func (c *slowConn) Read(b []byte) (int, error) {
	if len(b) > 16*kib {
		b = b[:16*kib]
	}
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	time.Sleep(time.Duration(n) * time.Second / slowBytesPerSec)
	return n, err
}

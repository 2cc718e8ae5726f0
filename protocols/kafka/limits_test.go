package kafka_test

import (
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/tallymq/tallymq/protocols/kafka/kafkatest"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// inBubble runs f against a server in memory, in fake time; it fails if a goroutine is left after Close.
func inBubble(t *testing.T, limits kafka.Limits, f func(t *testing.T, p *pipes, b *kafkatest.Broker, s *kafka.Server)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		b := kafkatest.New(broker.Endpoint{Host: "h", Port: 1})
		if _, err := b.CreateTopic(t.Context(), broker.Client{}, broker.TopicSpec{Name: "t", Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		s, err := kafka.NewServer(kafka.Options{Broker: b, Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		go s.Serve(p)
		defer s.Close()
		f(t, p, b, s)
	})
}

// gone waits for the server to close, and says after how long.
func gone(t *testing.T, c net.Conn) time.Duration {
	t.Helper()
	start := time.Now()
	if _, err := io.ReadAll(c); err != nil && err != io.ErrClosedPipe {
		t.Fatal(err)
	}
	return time.Since(start)
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	inBubble(t, kafka.Limits{IdleTimeout: time.Minute}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, _ *kafka.Server) {
		c := p.dial()
		if d := gone(t, c); d != time.Minute {
			t.Errorf("closed after %v", d)
		}
		// A connection that waits for us is not idle.
		c = p.dial()
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType, join.RebalanceTimeoutMillis = "g", "consumer", 1
		send(t, c, join, 0, 1)
		expect[*kmsg.JoinGroupResponse](t, c, join, 1)
		second := p.dial()
		send(t, second, join, 0, 2) // waits for the first, for longer than a minute's idleness would allow: no, for the group
		if r := expect[*kmsg.JoinGroupResponse](t, second, join, 2); r.ErrorCode != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// A fetch that waits longer than the idle time-out is answered, not closed.
func TestWaitingConnectionsAreNotIdle(t *testing.T) {
	inBubble(t, kafka.Limits{IdleTimeout: time.Second}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, _ *kafka.Server) {
		c := p.dial()
		q := fetchOf("t", 0, 1, 30_000)
		send(t, c, q, 11, 1)
		start := time.Now()
		expect[*kmsg.FetchResponse](t, c, q, 1)
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("answered after %v", d)
		}
	})
}

// Half a request is waited for as long as its bytes come.
func TestStalledRequestsAreClosed(t *testing.T) {
	inBubble(t, kafka.Limits{ReadTimeout: 10 * time.Second}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, s *kafka.Server) {
		q := frame(produceOf(-1, "t", map[int32][]byte{0: batch(100_000)}), 9, 1)
		for _, part := range []int{4, 5, 6, 30, 1000, 20_000, 99_000} {
			c := p.dial()
			if _, err := c.Write(q[:part]); err != nil {
				t.Fatal(err)
			}
			if d := gone(t, c); d != 10*time.Second {
				t.Errorf("after %d bytes: closed after %v", part, d)
			}
		}
		synctest.Wait()
		if got := s.Stats(); got.RequestBytes != 0 || got.Connections != 0 || got.Faults == 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Who sends a byte now and then, for ever, holds a connection for ReadTimeout and no longer, in whatever part of a request;
// a healthy connection beside a thousand of them is served all along.
func TestDribblingSendersAreClosed(t *testing.T) {
	inBubble(t, kafka.Limits{ReadTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, s *kafka.Server) {
		q := frame(produceOf(-1, "t", map[int32][]byte{0: batch(100_000)}), 9, 1)
		const each = 250
		var dribblers sync.WaitGroup
		for _, part := range []int{0, 5, 30, 20_000} { // comes at once; the rest a byte a second
			for range each {
				c := p.dial()
				dribblers.Go(func() {
					start := time.Now()
					rest := q[part:]
					if _, err := c.Write(q[:part]); err != nil {
						t.Error(err)
					}
					for len(rest) > 0 {
						if _, err := c.Write(rest[:1]); err != nil {
							break
						}
						rest = rest[1:]
						time.Sleep(time.Second)
					}
					if d := time.Since(start); d > 2*time.Minute {
						t.Errorf("%d bytes, then one a second: held %v", part, d)
					}
				})
			}
		}
		healthy, meta := p.dial(), kmsg.NewPtrMetadataRequest()
		for i := range int32(150) {
			before := time.Now()
			send(t, healthy, meta, 12, i)
			expect[*kmsg.MetadataResponse](t, healthy, meta, i)
			if d := time.Since(before); d != 0 {
				t.Errorf("answered after %v", d)
			}
			time.Sleep(time.Second)
		}
		dribblers.Wait()
		synctest.Wait()
		if got := s.Stats(); got.RequestBytes != 0 || got.Connections > 1 || got.Faults != 4*each {
			t.Errorf("%+v", got)
		}
	})
}

// Who does not read is closed; a healthy connection beside it is served all the time.
func TestStuckReadersAreClosed(t *testing.T) {
	inBubble(t, kafka.Limits{WriteTimeout: 10 * time.Second}, func(t *testing.T, p *pipes, b *kafkatest.Broker, s *kafka.Server) {
		healthy := p.dial()
		q := produceOf(-1, "t", map[int32][]byte{0: batch(900_000)})
		send(t, healthy, q, 9, 1)
		expect[*kmsg.ProduceResponse](t, healthy, q, 1)
		stuck := p.dial()
		f := fetchOf("t", 0, 1, 0)
		send(t, stuck, f, 11, 1)
		synctest.Wait()
		if got := s.Stats().ResponseBytes; got < 900_000 {
			t.Errorf("%d bytes are not sent", got)
		}
		for i := range int32(20) {
			send(t, healthy, f, 11, i)
			if r := expect[*kmsg.FetchResponse](t, healthy, f, i); len(r.Topics[0].Partitions[0].RecordBatches) < 900_000 {
				t.Errorf("%+v", r)
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if got := s.Stats(); got.ResponseBytes != 0 || got.Connections != 1 || b.Borrowed() != 0 {
			t.Errorf("%+v, %d reads not released", got, b.Borrowed())
		}
	})
}

// A slow reader that goes on reading is served to the end.
func TestSlowReadersAreServed(t *testing.T) {
	inBubble(t, kafka.Limits{WriteTimeout: 10 * time.Second}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, _ *kafka.Server) {
		c := p.dial()
		for i := range int32(3) {
			q := produceOf(-1, "t", map[int32][]byte{0: batch(900_000)})
			send(t, c, q, 9, i)
			expect[*kmsg.ProduceResponse](t, c, q, i)
		}
		f := fetchOf("t", 0, 1, 0)
		f.MaxBytes, f.Topics[0].Partitions[0].PartitionMaxBytes = 10<<20, 10<<20
		send(t, c, f, 11, 9)
		slow := &slowReader{Conn: c}
		if r := expect[*kmsg.FetchResponse](t, slow, f, 9); len(r.Topics[0].Partitions[0].RecordBatches) < 2_700_000 {
			t.Errorf("%d bytes came", len(r.Topics[0].Partitions[0].RecordBatches))
		}
	})
}

// slowReader takes 100 kB in each 2 seconds: a minute in all, 6 s a step.
type slowReader struct{ net.Conn }

func (r *slowReader) Read(b []byte) (int, error) {
	time.Sleep(2 * time.Second)
	return io.ReadFull(r.Conn, b[:min(len(b), 100_000)])
}

// What a peer claims costs nothing until it came.
func TestClaimsCostNothing(t *testing.T) {
	inBubble(t, kafka.Limits{}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, s *kafka.Server) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 100 {
			c := p.dial()
			claim := []byte{100 << 20 >> 24, 100 << 20 >> 16 & 0xff, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff}
			if _, err := c.Write(claim); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		runtime.ReadMemStats(&after)
		if got := int64(after.TotalAlloc - before.TotalAlloc); got > 100*64<<10 {
			t.Errorf("100 claims of 100 MiB cost %d bytes", got)
		}
		if got := s.Stats(); got.RequestBytes > 100*16<<10 || got.Connections != 100 {
			t.Errorf("%+v", got)
		}
	})
}

// The node's budget: producers that hold half a request each do not wait for each other for ever.
func TestNodeBudgetDoesNotDeadlock(t *testing.T) {
	inBubble(t, kafka.Limits{NodeBytesMax: 200_000, ReadTimeout: time.Hour}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, s *kafka.Server) {
		q := produceOf(-1, "t", map[int32][]byte{0: batch(150_000)})
		var running sync.WaitGroup
		for range 20 {
			running.Go(func() {
				c := p.dial()
				for i := range int32(5) {
					go c.Write(frame(q, 9, i)) // waits while the server has no room
					if r := expect[*kmsg.ProduceResponse](t, c, q, i); r.Topics[0].Partitions[0].ErrorCode != 0 {
						t.Errorf("%+v", r)
					}
				}
				c.Close()
			})
		}
		running.Wait()
		synctest.Wait()
		if got := s.Stats(); got.RequestBytes != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Connections over the limits are closed at once, and make room when they end.
func TestConnectionLimits(t *testing.T) {
	w := newWorld(t, kafka.Limits{ConnectionsMax: 3, ConnectionsPerAddressMax: 2})
	a, b := w.dial(), w.dial()
	meta := kmsg.NewPtrMetadataRequest()
	for _, c := range []net.Conn{a, b} {
		send(t, c, meta, 12, 1)
		expect[*kmsg.MetadataResponse](t, c, meta, 1)
	}
	closed(t, w.dial())
	if !strings.Contains(w.log.String(), "ConnectionsPerAddressMax") || w.server.Stats().Refused != 1 {
		t.Errorf("%v; log: %s", w.server, w.log)
	}
	a.Close()
	for w.server.Stats().Connections > 1 {
		time.Sleep(time.Millisecond)
	}
	c := w.dial()
	send(t, c, meta, 12, 1)
	expect[*kmsg.MetadataResponse](t, c, meta, 1)
}

// What an idle connection costs, with both ends of its pipe, after it was used.
func TestIdleConnectionsAreCheap(t *testing.T) {
	const conns = 10_000
	p := newPipes()
	b := kafkatest.New(broker.Endpoint{Host: "h", Port: 1})
	s, err := kafka.NewServer(kafka.Options{Broker: b})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(p) }()
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := memory()
	all := make([]net.Conn, conns)
	versions, meta := kmsg.NewPtrApiVersionsRequest(), kmsg.NewPtrMetadataRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "a", "1"
	for i := range all {
		all[i] = p.dial()
		send(t, all[i], versions, 3, 1)
		expect[*kmsg.ApiVersionsResponse](t, all[i], versions, 1)
		send(t, all[i], meta, 12, 2)
		expect[*kmsg.MetadataResponse](t, all[i], meta, 2)
	}
	each := (memory() - before) / conns
	t.Logf("%d bytes per idle connection", each)
	if each > 20<<10 {
		t.Errorf("an idle connection costs %d bytes", each)
	}
	for _, c := range all {
		c.Close()
	}
	s.Close()
	<-served
}

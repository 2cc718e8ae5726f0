package kafka_test

import (
	"context"
	"net"
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

// held keeps appends until they are let go.
type held struct {
	mu     sync.Mutex
	finish []func()
	bytes  int
	came   chan int // the number held so far
}

func (h *held) hold(a *broker.Append, finish func()) {
	h.mu.Lock()
	h.finish = append(h.finish, finish)
	h.bytes += len(a.Batch)
	n := len(h.finish)
	h.mu.Unlock()
	h.came <- n
}

func (h *held) wait(n int) {
	for got := 0; got < n; {
		got = <-h.came
	}
}

func (h *held) let(i int) {
	h.mu.Lock()
	f := h.finish[i]
	h.mu.Unlock()
	f()
}

func newHeld() (*held, func(*kafkatest.Broker)) {
	h := &held{came: make(chan int, 10_000)}
	return h, func(b *kafkatest.Broker) { b.Hold = h.hold }
}

// Produces are read on while earlier ones are not done, other requests are handled meanwhile, and every response
// leaves in the order of its request.
func TestResponsesKeepTheOrderOfRequests(t *testing.T) {
	h, hold := newHeld()
	w := newWorld(t, kafka.Limits{}, hold)
	w.topic("t", 2)
	c := w.dial()
	first := produceOf(-1, "t", map[int32][]byte{0: batch(10), 1: batch(20)})
	second := produceOf(1, "t", map[int32][]byte{0: batch(30)})
	meta := kmsg.NewPtrMetadataRequest()
	last := produceOf(-1, "t", map[int32][]byte{1: batch(40)})
	send(t, c, first, 9, 1)
	send(t, c, second, 3, 2)
	send(t, c, meta, 12, 3)
	send(t, c, last, 11, 4)
	h.wait(4) // Appends of all three are under way: nothing waited for the first
	h.let(3)
	h.let(2)
	h.let(1)
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Fatal("a response left before the first was ready")
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	h.let(0)
	r1 := expect[*kmsg.ProduceResponse](t, c, first, 1)
	r2 := expect[*kmsg.ProduceResponse](t, c, second, 2)
	r3 := expect[*kmsg.MetadataResponse](t, c, meta, 3)
	r4 := expect[*kmsg.ProduceResponse](t, c, last, 4)
	if r1.Topics[0].Partitions[0].BaseOffset != 1 || r2.Topics[0].Partitions[0].BaseOffset != 0 || len(r3.Topics) != 1 || r4.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Errorf("answers: %+v %+v %+v %+v", r1, r2, r3, r4)
	}
}

// A connection's bytes in flight are bounded: the next request is not read before there is room, and another
// connection is not affected.
func TestBytesInFlightAreBounded(t *testing.T) {
	h, hold := newHeld()
	w := newWorld(t, kafka.Limits{ConnectionBytesMax: 100_000}, hold)
	w.topic("t", 1)
	c, other := w.dial(), w.dial()
	q := produceOf(-1, "t", map[int32][]byte{0: batch(40_000)})
	go func() {
		for i := range int32(6) {
			if _, err := c.Write(frame(q, 9, i)); err != nil {
				return
			}
		}
	}()
	h.wait(2)
	q2 := produceOf(-1, "t", map[int32][]byte{0: batch(10)})
	send(t, other, q2, 9, 1)
	h.wait(3)
	if got := w.server.Stats().RequestBytes; got < 80_000 || got > 200_000 {
		t.Errorf("%d bytes charged for two requests of 40 kB", got)
	}
	select {
	case n := <-h.came:
		t.Fatalf("append %d came before there was room", n)
	case <-time.After(50 * time.Millisecond):
	}
	h.let(2)
	expect[*kmsg.ProduceResponse](t, other, q2, 1)
	for i := range int32(6) {
		if i < 2 {
			h.let(int(i))
		} else {
			h.wait(int(i) + 2)
			h.let(int(i) + 1)
		}
		expect[*kmsg.ProduceResponse](t, c, q, i)
	}
	if got := w.server.Stats().RequestBytes; got != 0 {
		t.Errorf("%d bytes charged at the end", got)
	}
}

// acks 0 gets no response; an error closes the connection.
func TestAcksZero(t *testing.T) {
	w := newWorld(t, kafka.Limits{})
	w.topic("t", 1)
	c := w.dial()
	send(t, c, produceOf(0, "t", map[int32][]byte{0: batch(10)}), 9, 1)
	meta := kmsg.NewPtrMetadataRequest()
	send(t, c, meta, 12, 2)
	expect[*kmsg.MetadataResponse](t, c, meta, 2)
	if w.broker.Appends() != 1 {
		t.Error("nothing was appended")
	}
	send(t, c, produceOf(0, "unknown", map[int32][]byte{0: batch(10)}), 9, 3)
	if b := closed(t, c); len(b) > 0 {
		t.Errorf("%d bytes came", len(b))
	}
	if !strings.Contains(w.log.String(), "acks 0") {
		t.Error("no line in the log")
	}
}

// Refusals of Produce: what each partition is told.
func TestProduceRefusals(t *testing.T) {
	w := newWorld(t, kafka.Limits{})
	w.topic("t", 3)
	twice := produceOf(-1, "t", map[int32][]byte{0: batch(1), 1: batch(1)})
	twice.Topics[0].Partitions[1].Partition = 0
	bad := batch(5)
	bad[len(bad)-1]++
	for name, c := range map[string]struct {
		q       *kmsg.ProduceRequest
		version int16
		want    []int16
	}{
		"two entries for a partition": {twice, 9, []int16{87, 87}},
		"two batches":                 {produceOf(-1, "t", map[int32][]byte{0: append(batch(1), batch(2)...), 1: batch(3)}), 9, []int16{87, 0}},
		"no batch":                    {produceOf(-1, "t", map[int32][]byte{0: {}, 1: batch(3)}), 8, []int16{87, 0}},
		"unknown partition":           {produceOf(-1, "t", map[int32][]byte{0: batch(3), 3: batch(1)}), 9, []int16{0, 3}},
		"unknown topic":               {produceOf(-1, "u", map[int32][]byte{0: batch(3)}), 9, []int16{3}},
		"wrong checksum":              {produceOf(-1, "t", map[int32][]byte{0: bad}), 9, []int16{2}},
		"acks":                        {produceOf(2, "t", map[int32][]byte{0: batch(3)}), 9, []int16{21}},
		"version 2":                   {produceOf(-1, "t", map[int32][]byte{0: batch(3)}), 2, []int16{35}},
		"version 0":                   {produceOf(-1, "t", map[int32][]byte{0: batch(3)}), 0, []int16{35}},
	} {
		conn := w.dial()
		send(t, conn, c.q, c.version, 1)
		resp := expect[*kmsg.ProduceResponse](t, conn, c.q, 1)
		for i, want := range c.want {
			if got := resp.Topics[0].Partitions[i]; got.ErrorCode != want || want != 0 && got.BaseOffset != -1 {
				t.Errorf("%s: partition %d: %+v, want error %d", name, i, got, want)
			}
		}
	}
}

// Who is not the leader says who is, and where.
func TestNotLeaderNamesTheLeader(t *testing.T) {
	moved := func(op, _ string) error {
		if op == "append" || op == "read" {
			return &broker.Error{Code: broker.CodeNotLeader, Leader: 2, Epoch: 8}
		}
		return nil
	}
	w := newWorld(t, kafka.Limits{}, func(b *kafkatest.Broker) {
		b.Refuse = moved
		b.Members = []broker.Node{{ID: 2, Kafka: broker.Endpoint{Host: "two", Port: 9}, Alive: true}}
	})
	topic := w.topic("t", 1)
	c := w.dial()
	for version := int16(3); version <= 11; version++ {
		q := produceOf(-1, "t", map[int32][]byte{0: batch(1)})
		send(t, c, q, version, 1)
		r := expect[*kmsg.ProduceResponse](t, c, q, 1)
		p := r.Topics[0].Partitions[0]
		if p.ErrorCode != 6 || version >= 10 && (p.CurrentLeader.LeaderID != 2 || p.CurrentLeader.LeaderEpoch != 8 || len(r.Brokers) != 2 || r.Brokers[1].Host != "two") {
			t.Errorf("produce %d: %+v", version, r)
		}
	}
	for version := int16(4); version <= 16; version++ {
		q := fetchOf("t", 0, 1, 60_000)
		q.Topics[0].TopicID = topic.ID
		send(t, c, q, version, 1)
		r := expect[*kmsg.FetchResponse](t, c, q, 1)
		p := r.Topics[0].Partitions[0]
		if p.ErrorCode != 6 || version >= 12 && p.CurrentLeader.LeaderID != 2 || version >= 16 && len(r.Brokers) != 2 {
			t.Errorf("fetch %d: %+v", version, r)
		}
	}
}

// A long poll ends with its connection, and all that was borrowed is released.
func TestLongPollEndsWithTheConnection(t *testing.T) {
	w := newWorld(t, kafka.Limits{})
	w.topic("t", 1)
	c := w.dial()
	send(t, c, fetchOf("t", 0, 1, 3_600_000), 11, 1)
	for w.server.Stats().Requests == 0 {
		time.Sleep(time.Millisecond)
	}
	c.Close()
	for w.server.Stats().Connections > 0 {
		time.Sleep(time.Millisecond)
	}
	if n := w.broker.Borrowed(); n != 0 {
		t.Errorf("%d reads were not released", n)
	}
}

// Shutdown answers what is in flight, also a long poll, and closes.
func TestShutdownFinishesWhatIsInFlight(t *testing.T) {
	h, hold := newHeld()
	w := newWorld(t, kafka.Limits{}, hold)
	w.topic("t", 1)
	producer, consumer, idle := w.dial(), w.dial(), w.dial()
	q := produceOf(-1, "t", map[int32][]byte{0: batch(1)})
	send(t, producer, q, 9, 1)
	f := fetchOf("t", 0, 1, 3_600_000)
	send(t, consumer, f, 11, 2)
	h.wait(1)
	for w.server.Stats().Requests < 2 {
		time.Sleep(time.Millisecond)
	}
	down := make(chan error)
	go func() { down <- w.server.Shutdown(context.Background()) }()
	if r := expect[*kmsg.FetchResponse](t, consumer, f, 2); r.Topics[0].Partitions[0].ErrorCode != 6 {
		t.Errorf("the long poll got %+v", r)
	}
	closed(t, idle)
	closed(t, consumer)
	h.let(0)
	if r := expect[*kmsg.ProduceResponse](t, producer, q, 1); r.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Errorf("the append got %+v", r)
	}
	closed(t, producer)
	if err := <-down; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", w.address); err == nil {
		t.Error("the listener is still open")
	}
}

// A shutdown does not wait for the rest of a request that came in part.
func TestShutdownDoesNotWaitForHalfARequest(t *testing.T) {
	inBubble(t, kafka.Limits{}, func(t *testing.T, p *pipes, b *kafkatest.Broker, s *kafka.Server) {
		for _, part := range []int{1, 4, 9, 60} {
			c := p.dial()
			q := frame(produceOf(-1, "t", map[int32][]byte{0: batch(100)}), 9, 1)
			go c.Write(q[:part])
		}
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A shutdown that is not given time closes.
func TestShutdownIsBounded(t *testing.T) {
	h, hold := newHeld()
	w := newWorld(t, kafka.Limits{}, hold)
	w.topic("t", 1)
	c := w.dial()
	send(t, c, produceOf(-1, "t", map[int32][]byte{0: batch(1)}), 9, 1)
	h.wait(1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.server.Shutdown(ctx); err != context.Canceled {
		t.Error(err)
	}
	closed(t, c)
	h.let(0) // late, into a connection that is gone
	if got := w.server.Stats().RequestBytes; got != 0 {
		t.Errorf("%d bytes charged at the end", got)
	}
}

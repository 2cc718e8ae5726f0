package kafka_test

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/tallymq/tallymq/protocols/kafka/kafkatest"
)

// sessionClient fetches on one connection by sessions, as it is told to.
type sessionClient struct {
	t    *testing.T
	c    net.Conn
	next int32
}

// fetch asks for partitions of topic "t" at offset 0, forgets others, and gives the answer.
func (s *sessionClient) fetch(id, epoch int32, wants, forgets []int32) *kmsg.FetchResponse {
	s.t.Helper()
	q := kmsg.NewPtrFetchRequest()
	q.MaxBytes, q.MaxWaitMillis, q.MinBytes, q.SessionID, q.SessionEpoch = 1<<20, 1000, 1, id, epoch
	if len(wants) > 0 {
		t := kmsg.NewFetchRequestTopic()
		t.Topic = "t"
		for _, w := range wants {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.PartitionMaxBytes = w, 1<<20
			t.Partitions = append(t.Partitions, p)
		}
		q.Topics = append(q.Topics, t)
	}
	if len(forgets) > 0 {
		t := kmsg.NewFetchRequestForgottenTopic()
		t.Topic, t.Partitions = "t", forgets
		q.ForgottenTopics = append(q.ForgottenTopics, t)
	}
	return s.ask(q, 11)
}

func (s *sessionClient) ask(q *kmsg.FetchRequest, version int16) *kmsg.FetchResponse {
	s.t.Helper()
	s.next++
	send(s.t, s.c, q, version, s.next)
	return expect[*kmsg.FetchResponse](s.t, s.c, q, s.next)
}

// told lists the partitions of an answer.
func told(r *kmsg.FetchResponse) (ps []int32) {
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			ps = append(ps, p.Partition)
		}
	}
	return ps
}

func appendTo(t *testing.T, b *kafkatest.Broker, index int32) {
	t.Helper()
	topic, err := b.Topic(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	b.Append(t.Context(), &broker.Append{Partition: broker.Partition{Topic: topic.ID, Index: index}, Batch: batch(10), Done: func(_ broker.AppendResult, err error) {
		if err != nil {
			t.Error(err)
		}
	}})
}

func same(a []int32, b ...int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A session's life, step by step.
func TestFetchSession(t *testing.T) {
	inBubble(t, kafka.Limits{}, func(t *testing.T, p *pipes, b *kafkatest.Broker, s *kafka.Server) {
		if err := b.GrowTopic(t.Context(), broker.Client{}, "t", 3, false); err != nil {
			t.Fatal(err)
		}
		x := &sessionClient{t: t, c: p.dial()}
		check := func(what string, r *kmsg.FetchResponse, code int16, id int32, ps ...int32) {
			t.Helper()
			if r.ErrorCode != code || r.SessionID != id || !same(told(r), ps...) {
				t.Errorf("%s: code %d, session %d, partitions %v; want code %d, session %d, partitions %v", what, r.ErrorCode, r.SessionID, told(r), code, id, ps)
			}
		}
		full := x.fetch(0, 0, []int32{0, 1, 2}, nil)
		id := full.SessionID
		if id <= 0 || !same(told(full), 0, 1, 2) {
			t.Fatalf("no session: %+v", full)
		}
		check("no news", x.fetch(id, 1, nil, nil), 0, id)
		appendTo(t, b, 1)
		check("records", x.fetch(id, 2, nil, nil), 0, id, 1)
		appendTo(t, b, 0)
		check("records go to the end", x.fetch(id, 3, nil, nil), 0, id, 0, 1)
		check("an epoch that was used", x.fetch(id, 3, nil, nil), 71, 0)
		check("an epoch to come", x.fetch(id, 5, nil, nil), 71, 0)
		check("another session", x.fetch(id+1, 4, nil, nil), 70, 0)
		check("the session lives", x.fetch(id, 4, nil, []int32{0, 1}), 0, id)
		appendTo(t, b, 0)
		appendTo(t, b, 2)
		check("forgotten partitions", x.fetch(id, 5, nil, nil), 0, id, 2)
		check("a partition that there is not", x.fetch(id, 6, []int32{7}, []int32{2}), 0, id, 7)
		check("an error is news each time", x.fetch(id, 7, nil, nil), 0, id, 7)
		byID := kmsg.NewPtrFetchRequest()
		byID.SessionID, byID.SessionEpoch = id, 8
		check("topic ids in a session of names", x.ask(byID, 13), 106, 0)
		check("a partition again", x.fetch(id, 8, []int32{1}, []int32{7}), 0, id, 1)
		check("nothing is left", x.fetch(id, 9, nil, []int32{1}), 0, 0)
		check("it ended", x.fetch(id, 10, nil, nil), 70, 0)

		id = x.fetch(0, 0, []int32{1}, nil).SessionID
		check("an end asked for", x.fetch(id, -1, []int32{1}, nil), 0, 0, 1)
		check("it ended", x.fetch(id, 1, nil, nil), 70, 0)
		id = x.fetch(0, 0, []int32{1}, nil).SessionID
		second := x.fetch(id, 0, []int32{1}, nil).SessionID
		check("one instead of another", x.fetch(id, 1, nil, nil), 70, 0)
		check("on another connection", (&sessionClient{t: t, c: p.dial()}).fetch(second, 1, []int32{0}, nil), 0, second, 1, 0)
		if st := s.Stats(); st.FetchSessions != 1 || st.FetchSessionPartitions != 2 {
			t.Errorf("%v", s)
		}
	})
}

// A session that a fetch is waiting with is not used by another, and an end of it meanwhile is an end.
func TestFetchSessionInUse(t *testing.T) {
	inBubble(t, kafka.Limits{}, func(t *testing.T, p *pipes, _ *kafkatest.Broker, s *kafka.Server) {
		x, y := &sessionClient{t: t, c: p.dial()}, &sessionClient{t: t, c: p.dial()}
		id := x.fetch(0, 0, []int32{0}, nil).SessionID
		q := kmsg.NewPtrFetchRequest()
		q.MaxBytes, q.MaxWaitMillis, q.MinBytes, q.SessionID, q.SessionEpoch = 1<<20, 1000, 1, id, 1
		send(t, x.c, q, 11, 100)
		synctest.Wait()
		if r := y.fetch(id, 2, nil, nil); r.ErrorCode != 71 {
			t.Errorf("used twice at once: %+v", r)
		}
		if r := y.fetch(id, -1, nil, nil); r.ErrorCode != 0 {
			t.Errorf("end: %+v", r)
		}
		if r := expect[*kmsg.FetchResponse](t, x.c, q, 100); r.ErrorCode != 0 {
			t.Errorf("the fetch that waited: %+v", r)
		}
		if st := s.Stats(); st.FetchSessions != 0 || st.FetchSessionPartitions != 0 {
			t.Errorf("%v", s)
		}
	})
}

// Sessions and their partitions are bounded; those in use are not taken away, those left alone are.
func TestFetchSessionsAreBounded(t *testing.T) {
	inBubble(t, kafka.Limits{FetchSessionsMax: 2, FetchSessionPartitionsMax: 5}, func(t *testing.T, p *pipes, b *kafkatest.Broker, s *kafka.Server) {
		if err := b.GrowTopic(t.Context(), broker.Client{}, "t", 6, false); err != nil {
			t.Fatal(err)
		}
		x := &sessionClient{t: t, c: p.dial()}
		open := func(wants ...int32) int32 { return x.fetch(0, 0, wants, nil).SessionID }
		if id := open(0, 1, 2, 3, 4, 5); id != 0 {
			t.Errorf("a session of 6 partitions")
		}
		first, second := open(0, 1), open(2, 3)
		if first == 0 || second == 0 || open(4) != 0 {
			t.Errorf("want two sessions: %v", s)
		}
		if r := x.fetch(second, 1, []int32{4, 5}, nil); r.ErrorCode != 70 {
			t.Errorf("a session grew beyond the bound: %+v", r)
		}
		second = open(2)
		time.Sleep(2 * time.Minute)
		if r := x.fetch(first, 1, []int32{2}, nil); r.SessionID != first {
			t.Errorf("%+v", r)
		}
		third := open(3)
		if third == 0 {
			t.Errorf("no session although one was left alone: %v", s)
		}
		if r := x.fetch(second, 1, nil, nil); r.ErrorCode != 70 {
			t.Errorf("the one left alone: %+v", r)
		}
		if r := x.fetch(first, 2, nil, nil); r.ErrorCode != 0 {
			t.Errorf("the one in use: %+v", r)
		}
		if st := s.Stats(); st.FetchSessions != 2 || st.FetchSessionPartitions != 4 {
			t.Errorf("%v", s)
		}
	})
}

// A real client keeps a session over many fetches and gets every record.
func TestClientFetchesBySession(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	w.topic("orders", 8)
	p := w.client(kgo.DefaultProduceTopic("orders"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	c := w.client(kgo.ConsumeTopics("orders"), kgo.FetchMaxWait(50*time.Millisecond))
	seen := 0
	for i := range 40 {
		if err := p.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for seen <= i {
			fs := c.PollFetches(ctx)
			if err := fs.Err(); err != nil {
				t.Fatal(err)
			}
			seen += fs.NumRecords()
		}
	}
	if st := w.server.Stats(); st.FetchSessions != 1 || st.FetchSessionPartitions != 8 {
		t.Errorf("%v", w.server)
	}
}

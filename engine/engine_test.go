package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

func createTopic(t testing.TB, ns []*testNode, name string, partitions int32) *broker.Topic {
	t.Helper()
	var topic *broker.Topic
	eventually(t, "create topic "+name, func() error {
		var err error
		topic, err = ns[0].e.CreateTopic(context.Background(), broker.Client{}, broker.TopicSpec{Name: name, Partitions: partitions, ReplicationFactor: -1,
			Configs: map[string]string{"retention.ms": "-1"}})
		if broker.CodeOf(err) == broker.CodeTopicExists {
			topic, err = ns[0].e.Topic(context.Background(), name)
		}
		return err
	})
	return topic
}

// A node of its own: topics, records, offsets, and all of it again after a restart.
func TestOneNode(t *testing.T) {
	ns := newTestCluster(t, 1)
	e := ns[0].e
	topic := createTopic(t, ns, "payments", 3)
	if len(topic.Partitions) != 3 || topic.ID.IsZero() {
		t.Fatalf("topic %+v", topic)
	}
	p := broker.Partition{Topic: topic.ID, Index: 1}
	for i := range 5 {
		r := appendTo(t, ns, p, records(fmt.Sprint(2*i), fmt.Sprint(2*i+1)))
		if r.BaseOffset != broker.Offset(2*i) {
			t.Fatalf("batch %d at %d", i, r.BaseOffset)
		}
	}
	want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}
	if got := readAll(t, ns, p, 0); !slices.Equal(got, want) {
		t.Fatalf("read %v", got)
	}
	for _, x := range []struct {
		ts   int64
		want broker.Offset
	}{{broker.TimestampEarliest, 0}, {broker.TimestampLatest, 10}, {1000, 0}, {1001, -1}, {broker.TimestampMax, 0}} {
		if a, err := e.ListOffset(context.Background(), broker.OffsetQuery{Partition: p, Epoch: broker.NoEpoch, Timestamp: x.ts}); err != nil || a.Offset != x.want {
			t.Errorf("offset at %d: %+v %v, want %d", x.ts, a, err, x.want)
		}
	}
	if _, err := readFrom(e, p, 11); broker.CodeOf(err) != broker.CodeOffsetOutOfRange {
		t.Errorf("read past the end: %v", err)
	}
	if _, err := e.Topic(context.Background(), "nobody"); broker.CodeOf(err) != broker.CodeUnknownTopic {
		t.Errorf("unknown topic: %v", err)
	}
	ns[0].stop()
	ns[0].start()
	ns[0].ready()
	if got := readAll(t, ns, p, 0); !slices.Equal(got, want) {
		t.Fatalf("after restart: %v", got)
	}
	if _, err := ns[0].e.DeleteTopic(context.Background(), broker.Client{}, "payments", broker.TopicID{}); err != nil {
		t.Fatal(err)
	}
	if _, err := ns[0].e.Topic(context.Background(), "payments"); broker.CodeOf(err) != broker.CodeUnknownTopic {
		t.Errorf("deleted topic: %v", err)
	}
}

// A reader that waits at the end is woken by the append, not by its time.
func TestLongPoll(t *testing.T) {
	ns := newTestCluster(t, 1)
	topic := createTopic(t, ns, "t", 1)
	p := broker.Partition{Topic: topic.ID}
	got := make(chan int)
	go func() {
		r, err := ns[0].e.Read(context.Background(), &broker.Read{Partitions: []broker.ReadPartition{{Partition: p, Epoch: broker.NoEpoch, LastEpoch: broker.NoEpoch, MaxBytes: 1000}}, MinBytes: 1, MaxBytes: 1000, MaxWait: time.Hour})
		if err != nil {
			t.Error(err)
			close(got)
			return
		}
		got <- len(r.Partitions[0].Batches)
	}()
	appendTo(t, ns, p, records("x"))
	if n := <-got; n != 1 {
		t.Fatalf("%d batches", n)
	}
}

// Three nodes: what was acknowledged is at every later leader, also when one node stops.
func TestThreeNodes(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 4)
	want := map[int32][]string{}
	put := func(round int) {
		for i := range int32(4) {
			v := fmt.Sprintf("%d/%d", round, i)
			appendTo(t, ns, broker.Partition{Topic: topic.ID, Index: i}, records(v))
			want[i] = append(want[i], v)
		}
	}
	check := func(when string) {
		for i := range int32(4) {
			if got := readAll(t, ns, broker.Partition{Topic: topic.ID, Index: i}, 0); !slices.Equal(got, want[i]) {
				t.Fatalf("%s: partition %d: %v, want %v", when, i, got, want[i])
			}
		}
	}
	put(0)
	check("at first")
	for i := range ns {
		ns[i].stop()
		put(10 + i)
		check(fmt.Sprintf("without node %d", i+1))
		ns[i].start()
		ns[i].ready()
		put(20 + i)
		check(fmt.Sprintf("with node %d again", i+1))
	}
}

package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// A configuration that was altered is in force on every node when the answer is there; a wrong one changes nothing.
func TestAlteredConfigsTakeEffectAtOnce(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 4)
	ctx := context.Background()
	alter := func(want broker.Code, a broker.ConfigAlteration) {
		t.Helper()
		if err := ns[1].e.AlterTopicConfig(ctx, broker.Client{}, "payments", a); broker.CodeOf(err) != want {
			t.Fatalf("%+v: %v", a, err)
		}
	}
	small := broker.ConfigAlteration{Changes: []broker.ConfigChange{{Key: "max.message.bytes", Value: "100"}}}
	validate := small
	validate.ValidateOnly = true
	alter(broker.CodeNone, validate)
	for i := range int32(4) {
		appendTo(t, ns, broker.Partition{Topic: topic.ID, Index: i}, records(fmt.Sprintf("%200d", i)))
	}
	alter(broker.CodeNone, small)
	for i := range int32(4) {
		p := broker.Partition{Topic: topic.ID, Index: i}
		done := make(chan error, 1)
		for _, n := range ns {
			n.e.Append(ctx, &broker.Append{Partition: p, Batch: records(fmt.Sprintf("%200d", i)), Deadline: time.Now().Add(time.Minute),
				Done: func(_ broker.AppendResult, err error) { done <- err }})
			if err := <-done; broker.CodeOf(err) != broker.CodeBatchTooLarge && broker.CodeOf(err) != broker.CodeNotLeader {
				t.Errorf("partition %d: %v", i, err)
			}
		}
	}
	for _, n := range ns {
		cs, err := n.e.TopicConfig(ctx, "payments")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cs {
			want := map[string]string{"max.message.bytes": "100", "retention.ms": "-1"}[c.Key]
			if want != "" && (c.Value != want || c.Source != broker.SourceTopic) {
				t.Errorf("%s is %q", c.Key, c.Value)
			}
		}
	}
	change := func(key string, op broker.ConfigOp, value string) broker.ConfigAlteration {
		return broker.ConfigAlteration{Changes: []broker.ConfigChange{{Key: key, Op: op, Value: value}}}
	}
	alter(broker.CodeInvalidConfig, change("no.such.key", broker.ConfigSet, "1"))
	alter(broker.CodeInvalidConfig, change("no.such.key", broker.ConfigDelete, ""))
	alter(broker.CodeInvalidConfig, change("retention.ms", broker.ConfigSet, "soon"))
	alter(broker.CodeInvalidConfig, change("retention.ms", broker.ConfigAppend, "1"))
	alter(broker.CodeInvalidConfig, change("tally.colocate", broker.ConfigSet, "elsewhere"))
	alter(broker.CodeNone, change("cleanup.policy", broker.ConfigAppend, "delete"))
	alter(broker.CodeNone, change("max.message.bytes", broker.ConfigDelete, ""))
	appendTo(t, ns, broker.Partition{Topic: topic.ID}, records(fmt.Sprintf("%200d", 9)))
	if err := ns[0].e.AlterTopicConfig(ctx, broker.Client{}, "nobody", small); broker.CodeOf(err) != broker.CodeUnknownTopic {
		t.Error(err)
	}
}

// A topic that grew has its new partitions at once, empty, and the old ones as they were.
func TestTopicGrows(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 2)
	ctx := context.Background()
	old := broker.Partition{Topic: topic.ID, Index: 1}
	appendTo(t, ns, old, records("a", "b"))
	for _, x := range []struct {
		count    int32
		validate bool
		want     broker.Code
	}{{1, false, broker.CodeInvalidPartitions}, {2, false, broker.CodeInvalidPartitions}, {1_000_000, false, broker.CodeInvalidPartitions},
		{7, true, broker.CodeNone}, {7, false, broker.CodeNone}, {7, false, broker.CodeInvalidPartitions}} {
		if err := ns[2].e.GrowTopic(ctx, broker.Client{}, "payments", x.count, x.validate); broker.CodeOf(err) != x.want {
			t.Fatalf("to %d: %v", x.count, err)
		}
	}
	for _, n := range ns {
		if ref, err := n.e.FindTopic(ctx, "payments", broker.TopicID{}); err != nil || ref.Partitions != 7 || ref.ID != topic.ID {
			t.Errorf("%+v %v", ref, err)
		}
	}
	for i := range int32(5) {
		p := broker.Partition{Topic: topic.ID, Index: 2 + i}
		if r := appendTo(t, ns, p, records("x")); r.BaseOffset != 0 {
			t.Errorf("partition %d begins at %d", 2+i, r.BaseOffset)
		}
	}
	if got := readAll(t, ns, old, 0); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the old partition has %v", got)
	}
	if err := ns[0].e.GrowTopic(ctx, broker.Client{}, "nobody", 3, false); broker.CodeOf(err) != broker.CodeUnknownTopic {
		t.Error(err)
	}
}

// Deleted records are gone on every replica, in the middle of a batch too, and a restart does not bring them back.
func TestDeleteRecords(t *testing.T) {
	ns := newTestCluster(t, 1)
	topic := createTopic(t, ns, "payments", 1)
	ctx, p := context.Background(), broker.Partition{Topic: topic.ID}
	appendTo(t, ns, p, records("0", "1", "2"))
	appendTo(t, ns, p, records("3", "4"))
	for _, x := range []struct {
		before, start broker.Offset
		code          broker.Code
	}{{6, -1, broker.CodeOffsetOutOfRange}, {-2, -1, broker.CodeOffsetOutOfRange}, {0, 0, broker.CodeNone}, {1, 1, broker.CodeNone}, {1, 1, broker.CodeNone}, {0, 1, broker.CodeNone}, {4, 4, broker.CodeNone}} {
		start, err := ns[0].e.DeleteRecords(ctx, broker.Client{}, p, x.before)
		if broker.CodeOf(err) != x.code || start != x.start {
			t.Fatalf("before %d: %d, %v", x.before, start, err)
		}
	}
	check := func() {
		t.Helper()
		if _, err := readFrom(ns[0].e, p, 3); broker.CodeOf(err) != broker.CodeOffsetOutOfRange {
			t.Errorf("a deleted record: %v", err)
		}
		a, err := ns[0].e.ListOffset(ctx, broker.OffsetQuery{Partition: p, Epoch: broker.NoEpoch, Timestamp: broker.TimestampEarliest})
		if err != nil || a.Offset != 4 {
			t.Errorf("the log begins at %d, %v", a.Offset, err)
		}
	}
	check()
	ns[0].stop()
	ns[0].start()
	ns[0].ready()
	eventually(t, "lead again", func() error {
		_, err := ns[0].e.ListOffset(ctx, broker.OffsetQuery{Partition: p, Epoch: broker.NoEpoch, Timestamp: broker.TimestampEarliest})
		return err
	})
	check()
	if start, err := ns[0].e.DeleteRecords(ctx, broker.Client{}, p, -1); err != nil || start != 5 {
		t.Errorf("all of it: %d, %v", start, err)
	}
	if r := appendTo(t, ns, p, records("5")); r.BaseOffset != 5 {
		t.Errorf("the next record is at %d", r.BaseOffset)
	}
}

// A quota that was altered is in force on every node when the answer is there.
func TestQuotasAreKnownEverywhere(t *testing.T) {
	ns := newTestCluster(t, 3)
	ctx := context.Background()
	user := broker.QuotaEntity{User: broker.QuotaName{Kind: broker.QuotaNamed, Name: "ANONYMOUS"}}
	alter := func(want broker.Code, changes ...broker.QuotaChange) {
		t.Helper()
		if err := ns[1].e.AlterQuota(ctx, broker.Client{}, broker.QuotaAlteration{Entity: user, Changes: changes}); broker.CodeOf(err) != want {
			t.Fatal(err)
		}
	}
	holds := func(want ...broker.Quota) {
		t.Helper()
		for _, n := range ns {
			listed, err := n.e.ListQuotas(ctx)
			if err != nil || !slices.Equal(listed, want) {
				t.Errorf("listed %v, %v; want %v", listed, err, want)
			}
			if !slices.Equal(n.e.Quotas().List, want) {
				t.Errorf("in force %v; want %v", n.e.Quotas().List, want)
			}
		}
	}
	table := ns[0].e.Quotas()
	alter(broker.CodeNone, broker.QuotaChange{Key: broker.QuotaProducerBytes, Rate: 1000})
	alter(broker.CodeInvalidRequest, broker.QuotaChange{Key: 9, Rate: 1000})
	holds(broker.Quota{Entity: user, ProducerBytes: 1000})
	if ns[0].e.Quotas() == table {
		t.Error("a changed quota is in the same table")
	}
	table = ns[0].e.Quotas()
	createTopic(t, ns, "payments", 1)
	if ns[0].e.Quotas() != table {
		t.Error("a new topic made a new table of quotas")
	}
	alter(broker.CodeNone, broker.QuotaChange{Key: broker.QuotaConsumerBytes, Rate: 7})
	alter(broker.CodeNone, broker.QuotaChange{Key: broker.QuotaProducerBytes})
	holds(broker.Quota{Entity: user, ConsumerBytes: 7})
}

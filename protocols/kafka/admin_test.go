package kafka_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/protocols/kafka"
)

// Configurations are changed key by key and replaced whole; each resource has its own answer.
func TestClientAltersConfigs(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	w.topic("t", 1)
	adm := kadm.NewClient(w.client())
	value := func(key string) string {
		t.Helper()
		cs, err := adm.DescribeTopicConfigs(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cs[0].Configs {
			if c.Key == key && c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				return c.MaybeValue()
			}
		}
		return ""
	}
	alter := func(want error, op kadm.IncrementalOp, key, v string, topics ...string) {
		t.Helper()
		rs, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: key, Value: &v}}, topics...)
		if err != nil {
			t.Fatal(err)
		}
		if r := rs[0]; !errors.Is(r.Err, want) {
			t.Errorf("%v %s: %v (%s), want %v", op, key, r.Err, r.ErrMessage, want)
		}
	}
	alter(nil, kadm.SetConfig, "a", "1", "t")
	alter(nil, kadm.SetConfig, "b", "2", "t")
	alter(nil, kadm.AppendConfig, "b", "3", "t")
	alter(nil, kadm.DeleteConfig, "a", "", "t")
	if a, b := value("a"), value("b"); a != "" || b != "2,3" {
		t.Errorf("a is %q, b is %q", a, b)
	}
	alter(kerr.InvalidConfig, kadm.SetConfig, "unknown", "1", "t")
	alter(kerr.UnknownTopicOrPartition, kadm.SetConfig, "a", "1", "none")
	one := "1"
	if rs, err := adm.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "c", Value: &one}}, "t"); err != nil || rs[0].Err != nil {
		t.Fatal(err, rs)
	}
	if b, c := value("b"), value("c"); b != "" || c != "1" {
		t.Errorf("replaced: b is %q, c is %q", b, c)
	}
	if rs, err := adm.ValidateAlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "d", Value: &one}}, "t"); err != nil || rs[0].Err != nil || value("d") != "" {
		t.Errorf("validated only: %v %v, d is %q", err, rs, value("d"))
	}
	if rs, err := adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Name: "num.partitions", Value: &one}}, 1); err != nil || !errors.Is(rs[0].Err, kerr.InvalidRequest) {
		t.Errorf("a node's: %v %v", err, rs)
	}
	// What a careful client library does not send.
	res := kmsg.IncrementalAlterConfigsRequestResource{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "t",
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "a", Value: &one}, {Name: "a", Value: &one}}}
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.Resources = append(q.Resources, res)
	for _, bad := range []func(){
		func() {}, // a key twice
		func() { q.Resources[0].Configs = res.Configs[:1]; q.Resources = append(q.Resources, q.Resources[0]) },
		func() { q.Resources = q.Resources[:1]; q.Resources[0].Configs[0].Op = 9 },
		func() { q.Resources[0].Configs[0] = kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: "a"} },
		func() { q.Resources[0].ResourceType = kmsg.ConfigResourceTypeBrokerLogger },
	} {
		bad()
		resp, err := q.RequestWith(ctx, w.client())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range resp.Resources {
			if r.ErrorCode != kerr.InvalidRequest.Code {
				t.Errorf("%+v: %v", q.Resources, kerr.ErrorForCode(r.ErrorCode))
			}
		}
	}
}

// Pages of partitions, each as large as asked for, are together all of them, in order, once.
func TestClientDescribesPartitionsByPages(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	for name, n := range map[string]int32{"a": 3, "b": 1, "c": 5} {
		w.topic(name, n)
	}
	c := w.client()
	for _, names := range [][]string{nil, {"c", "a", "b", "a", "none"}} {
		for limit := int32(0); limit < 11; limit++ {
			q := kmsg.NewPtrDescribeTopicPartitionsRequest()
			q.ResponsePartitionLimit = limit
			for _, n := range names {
				q.Topics = append(q.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: n})
			}
			var got []string
			unknown := 0
			for pages := 0; pages < 20; pages++ {
				resp, err := q.RequestWith(ctx, c)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, topic := range resp.Topics {
					if topic.ErrorCode == kerr.UnknownTopicOrPartition.Code {
						unknown++
					}
					for _, p := range topic.Partitions {
						got = append(got, fmt.Sprintf("%s%d", *topic.Topic, p.Partition))
						n++
						if p.LeaderID != 1 || len(p.ISR) != 1 || p.ErrorCode != 0 {
							t.Errorf("%+v", p)
						}
					}
				}
				if n > max(int(limit), 1) {
					t.Errorf("limit %d: %d partitions", limit, n)
				}
				if resp.NextCursor == nil {
					break
				}
				q.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: resp.NextCursor.Topic, Partition: resp.NextCursor.Partition}
			}
			if s := fmt.Sprint(got); s != "[a0 a1 a2 b0 c0 c1 c2 c3 c4]" || unknown != len(names)/5 {
				t.Errorf("%v limit %d: %s, %d unknown", names, limit, s, unknown)
			}
		}
	}
}

// Topics grow; records and offsets are deleted.
func TestClientGrowsAndDeletes(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	w.topic("t", 1)
	c := w.client(kgo.DefaultProduceTopic("t"))
	adm := kadm.NewClient(c)
	if rs, err := adm.UpdatePartitions(ctx, 3, "t", "none"); err != nil || rs["t"].Err != nil || !errors.Is(rs["none"].Err, kerr.UnknownTopicOrPartition) {
		t.Fatal(err, rs)
	}
	if rs, err := adm.UpdatePartitions(ctx, 3, "t"); err != nil || !errors.Is(rs["t"].Err, kerr.InvalidPartitions) {
		t.Error("as many again:", err, rs)
	}
	if d, err := adm.ListTopics(ctx, "t"); err != nil || len(d["t"].Partitions) != 3 {
		t.Error(err, d)
	}
	for range 5 {
		if err := c.ProduceSync(ctx, &kgo.Record{Value: []byte("v"), Partition: 0}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	ends, err := adm.ListEndOffsets(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	var full int32
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			full = o.Partition
		}
	})
	end, _ := ends.Lookup("t", full)
	for at, want := range map[int64]error{-1: nil, 1: nil, end.Offset + 1: kerr.OffsetOutOfRange, -2: kerr.OffsetOutOfRange} {
		os := kadm.Offsets{}
		os.AddOffset("t", full, at, -1)
		rs, err := adm.DeleteRecords(ctx, os)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := rs.Lookup("t", full)
		low := at
		if at == -1 {
			low = end.Offset
		}
		if !errors.Is(r.Err, want) || want == nil && r.LowWatermark != low {
			t.Errorf("delete records before %d: %v, low watermark %d", at, r.Err, r.LowWatermark)
		}
	}
	os := kadm.Offsets{}
	os.AddOffset("t", 0, 2, -1)
	if err := adm.CommitAllOffsets(ctx, "g", os); err != nil {
		t.Fatal(err)
	}
	if rs, err := adm.DeleteOffsets(ctx, "g", os.TopicsSet()); err != nil || rs["t"][0] != nil {
		t.Fatal(err, rs)
	}
	if fetched, err := adm.FetchOffsets(ctx, "g"); err != nil || len(fetched) != 0 {
		t.Error("offsets are left:", err, fetched)
	}
	if _, err := adm.DeleteOffsets(ctx, "none", os.TopicsSet()); !errors.Is(err, kerr.GroupIDNotFound) {
		t.Error(err)
	}
}

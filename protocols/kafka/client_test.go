package kafka_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/tallymq/tallymq/protocols/kafka/kafkatest"
)

// Every codec passes through, idempotent (franz-go's default) and not, in order.
func TestClientProducesAndConsumes(t *testing.T) {
	w := newWorld(t, kafka.Limits{})
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		for _, acks := range []kgo.Acks{kgo.AllISRAcks(), kgo.LeaderAck(), kgo.NoAck()} {
			t.Run(fmt.Sprintf("%s/%+v", name, acks), func(t *testing.T) {
				ctx := within(t)
				topic := w.topic(fmt.Sprintf("%s-%d", name, w.broker.Appends()), 1).Name
				opts := []kgo.Opt{kgo.ProducerBatchCompression(codec), kgo.RequiredAcks(acks), kgo.DefaultProduceTopic(topic)}
				if acks != kgo.AllISRAcks() {
					opts = append(opts, kgo.DisableIdempotentWrite())
				}
				p := w.client(opts...)
				const records = 500
				for i := range records {
					p.Produce(ctx, &kgo.Record{Value: fmt.Appendf(nil, "%d %0512d", i, i)}, func(_ *kgo.Record, err error) {
						if err != nil {
							t.Errorf("record %d: %v", i, err)
						}
					})
				}
				if err := p.Flush(ctx); err != nil {
					t.Fatal(err)
				}
				consume(t, ctx, w.client(kgo.ConsumeTopics(topic)), records)
			})
		}
	}
}

func consume(t *testing.T, ctx context.Context, c *kgo.Client, records int) {
	t.Helper()
	for next := 0; next < records; {
		fs := c.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d: %v", next, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			if want := fmt.Sprintf("%d %0512d", next, next); string(r.Value) != want || r.Offset != int64(next) {
				t.Fatalf("offset %d is %.20q, want %.20q", r.Offset, r.Value, want)
			}
			next++
		})
	}
}

// Members come and go under both kinds of balancers; every record is consumed, and positions are committed.
func TestClientGroups(t *testing.T) {
	for name, balancer := range map[string]kgo.GroupBalancer{"eager": kgo.RangeBalancer(), "cooperative": kgo.CooperativeStickyBalancer()} {
		t.Run(name, func(t *testing.T) {
			ctx := within(t)
			w := newWorld(t, kafka.Limits{})
			w.topic("work", 6)
			member := func(opts ...kgo.Opt) *kgo.Client {
				return w.client(append(opts, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("work"), kgo.Balancers(balancer),
					kgo.HeartbeatInterval(20*time.Millisecond), kgo.AutoCommitMarks())...)
			}
			seen := make(chan string, 10_000)
			var running sync.WaitGroup
			start := func(c *kgo.Client) (stop func()) {
				ctx, cancel := context.WithCancel(ctx)
				running.Add(1)
				go func() {
					defer running.Done()
					for ctx.Err() == nil {
						fs := c.PollFetches(ctx)
						fs.EachRecord(func(r *kgo.Record) {
							c.MarkCommitRecords(r)
							seen <- string(r.Value)
						})
					}
				}()
				return cancel
			}
			first, second := member(), member(kgo.InstanceID("static-1"))
			stopFirst := start(first)
			stopSecond := start(second)
			p := w.client(kgo.DefaultProduceTopic("work"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
			wanted := map[string]bool{}
			send := func(n int) {
				for range n {
					v := fmt.Sprint(len(wanted))
					wanted[v] = true
					if err := p.ProduceSync(ctx, kgo.StringRecord(v)).FirstErr(); err != nil {
						t.Fatal(err)
					}
				}
			}
			collect := func() {
				for len(wanted) > 0 {
					select {
					case v := <-seen:
						delete(wanted, v)
					case <-ctx.Done():
						t.Fatalf("%d records never came; %v", len(wanted), w.server)
					}
				}
			}
			send(60)
			collect()
			adm := kadm.NewClient(p)
			for { // until both are in
				d, err := adm.DescribeGroups(ctx, "g")
				if err != nil {
					t.Fatal(err)
				}
				if len(d["g"].Members) == 2 && d["g"].State == "Stable" {
					break
				}
			}
			stopFirst()
			first.CommitMarkedOffsets(ctx)
			first.LeaveGroup()
			wanted = map[string]bool{}
			send(60)
			collect()
			stopSecond()
			running.Wait()
			if err := second.CommitMarkedOffsets(ctx); err != nil {
				t.Fatal(err)
			}
			got, err := adm.FetchOffsets(ctx, "g")
			if err != nil {
				t.Fatal(err)
			}
			sum := int64(0)
			got.Each(func(o kadm.OffsetResponse) { sum += o.At })
			if sum != 120 {
				t.Errorf("committed offsets sum up to %d, want 120", sum)
			}
		})
	}
}

// The admin client's requests, answers compared with what was asked for.
func TestClientAdmin(t *testing.T) {
	ctx := within(t)
	w := newWorld(t, kafka.Limits{})
	c := w.client(kgo.DefaultProduceTopic("orders"))
	adm := kadm.NewClient(c)
	value := "compact,delete"
	made, err := adm.CreateTopics(ctx, 3, 1, map[string]*string{"cleanup.policy": &value}, "orders", "bad name", "payments")
	if err != nil {
		t.Fatal(err)
	}
	if made["orders"].Err != nil || made["orders"].NumPartitions != 3 || made["orders"].ID == (kadm.TopicID{}) || *made["orders"].Configs["cleanup.policy"].Value != value {
		t.Errorf("orders: %+v", made["orders"])
	}
	if made["bad name"].Err != kerr.InvalidTopicException {
		t.Errorf("bad name: %v", made["bad name"].Err)
	}
	if again, _ := adm.CreateTopics(ctx, 1, 1, nil, "orders"); again["orders"].Err != kerr.TopicAlreadyExists {
		t.Errorf("again: %v", again["orders"].Err)
	}
	if only, err := adm.ValidateCreateTopics(ctx, 1, 1, nil, "maybe"); err != nil || only["maybe"].Err != nil {
		t.Errorf("validate: %v %v", err, only["maybe"].Err)
	}
	ts, err := adm.ListTopics(ctx)
	if err != nil || len(ts) != 2 || len(ts["orders"].Partitions) != 3 || ts["orders"].Partitions[1].Leader != 1 || ts["orders"].Partitions[1].LeaderEpoch != 3 {
		t.Errorf("list: %v %+v", err, ts)
	}
	for i := range 5 {
		if err := c.ProduceSync(ctx, &kgo.Record{Value: []byte("x"), Timestamp: time.UnixMilli(int64(1000 * (i + 1)))}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end, err := adm.ListEndOffsets(ctx, "orders")
	if err != nil || end.Error() != nil {
		t.Errorf("end: %v %v", err, end.Error())
	}
	sum := int64(0)
	end.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	if sum != 5 {
		t.Errorf("ends sum up to %d", sum)
	}
	if at, err := adm.ListOffsetsAfterMilli(ctx, 6000, "orders"); err != nil || at.Error() != nil {
		t.Errorf("after: %v %v", err, at.Error())
	}
	configs, err := adm.DescribeTopicConfigs(ctx, "orders", "nowhere")
	if err != nil || len(configs) != 2 || len(configs[0].Configs) != 2 || configs[1].Err != kerr.UnknownTopicOrPartition {
		t.Errorf("configs: %v %+v", err, configs)
	}
	if nodes, err := adm.DescribeBrokerConfigs(ctx, 1); err != nil || len(nodes[0].Configs) != 2 || nodes[0].Configs[1].Value != nil {
		t.Errorf("node configs: %v %+v", err, nodes)
	}
	if m, err := adm.BrokerMetadata(ctx); err != nil || m.Cluster != "kafkatest" || m.Controller != 1 || len(m.Brokers) != 1 {
		t.Errorf("metadata: %v %+v", err, m)
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset("orders", 0, 2, 3)
	offsets.AddOffset("nowhere", 0, 2, 3)
	if rs, err := adm.CommitOffsets(ctx, "g", offsets); err != nil || rs["orders"][0].Err != nil || rs["nowhere"][0].Err != kerr.UnknownTopicOrPartition {
		t.Errorf("commit: %v %+v", err, rs)
	}
	if rs, err := adm.FetchOffsets(ctx, "g"); err != nil || rs["orders"][0].At != 2 || rs["orders"][0].LeaderEpoch != 3 {
		t.Errorf("fetch: %v %+v", err, rs)
	}
	if ls, err := adm.ListGroups(ctx); err != nil || len(ls) != 1 || ls["g"].State != "Empty" {
		t.Errorf("groups: %v %+v", err, ls)
	}
	if rs, err := adm.DeleteGroups(ctx, "g", "h"); err != nil || rs["g"].Err != nil || rs["h"].Err != kerr.GroupIDNotFound {
		t.Errorf("delete groups: %v %+v", err, rs)
	}
	if rs, err := adm.DeleteTopics(ctx, "payments", "nowhere"); err != nil || rs["payments"].Err != nil || rs["nowhere"].Err != kerr.UnknownTopicOrPartition {
		t.Errorf("delete topics: %v %+v", err, rs)
	}
}

// A transactional client learns at once that there are no transactions.
func TestClientTransactionsFailFast(t *testing.T) {
	w := newWorld(t, kafka.Limits{})
	w.topic("orders", 1)
	c := w.client(kgo.TransactionalID("t"), kgo.DefaultProduceTopic("orders"))
	err := c.BeginTransaction() // fails already if the id was asked for before
	if err == nil {
		err = c.ProduceSync(within(t), kgo.StringRecord("x")).FirstErr()
	}
	if err == nil || !strings.Contains(err.Error(), kerr.TransactionalIDAuthorizationFailed.Message) {
		t.Errorf("produced in a transaction: %v", err)
	}
}

// A topic that does not exist comes into being when node and client allow it.
func TestClientAutoCreate(t *testing.T) {
	w := newWorld(t, kafka.Limits{}, func(b *kafkatest.Broker) { b.Create = true })
	if err := w.client(kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("new")).ProduceSync(within(t), kgo.StringRecord("x")).FirstErr(); err != nil {
		t.Error(err)
	}
	err := w.client(kgo.DefaultProduceTopic("other"), kgo.UnknownTopicRetries(0)).ProduceSync(within(t), kgo.StringRecord("x")).FirstErr()
	if err == nil {
		t.Error("a topic came into being without the client's leave")
	}
}

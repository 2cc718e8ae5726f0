package node_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/ops/config"
)

// compacted is a cluster that looks for logs to compact all the time.
type compacted struct {
	*servers
	t   *testing.T
	ctx context.Context
}

func compact(t *testing.T, nodes int) *compacted {
	t.Helper()
	c := newServers(t, nodes, func(cfg *config.Config) { cfg.CompactionCheckInterval = 100 * time.Millisecond })
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	return &compacted{servers: c, t: t, ctx: ctx}
}

func (x *compacted) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *compacted) client(opts ...kgo.Opt) *kgo.Client {
	x.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(x.seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.FetchMaxWait(200 * time.Millisecond)}, opts...)...)
	x.must(err)
	x.t.Cleanup(cl.Close)
	return cl
}

// create makes a topic of one partition, compacted as soon as one record is superseded unless the pairs say otherwise.
func (x *compacted) create(topic string, pairs ...string) {
	x.t.Helper()
	configs := map[string]*string{}
	for kv := range slices.Chunk(append([]string{"cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0"}, pairs...), 2) {
		configs[kv[0]] = &kv[1]
	}
	r, err := kadm.NewClient(x.client()).CreateTopic(x.ctx, 1, -1, configs, topic)
	x.must(cmp.Or(err, r.Err))
}

// alter sets one configuration.
func (x *compacted) alter(topic, key, value string) {
	x.t.Helper()
	rs, err := kadm.NewClient(x.client()).AlterTopicConfigs(x.ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	x.must(err)
	for _, r := range rs {
		x.must(r.Err)
	}
}

// put sends records "key=value" one by one, "key" alone to delete it, each in a batch of its own, and gives the last offset.
func (x *compacted) put(cl *kgo.Client, topic string, texts ...string) (last int64) {
	x.t.Helper()
	for _, text := range texts {
		r := keyedRecord(topic, text)
		x.must(cl.ProduceSync(x.ctx, r).FirstErr())
		last = r.Offset
	}
	return last
}

func keyedRecord(topic, text string) *kgo.Record {
	for i := range text {
		if text[i] == '=' {
			return &kgo.Record{Topic: topic, Key: []byte(text[:i]), Value: []byte(text[i+1:])}
		}
	}
	return &kgo.Record{Topic: topic, Key: []byte(text)}
}

// read gives what a client finds from an offset to the end that its isolation level has, by offset.
func (x *compacted) read(topic string, from int64, level kgo.IsolationLevel) (map[int64]string, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(x.seeds()...), kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(from)}}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	list := kadm.NewClient(cl).ListEndOffsets
	if level == kgo.ReadCommitted() {
		list = kadm.NewClient(cl).ListCommittedOffsets
	}
	ends, err := list(x.ctx, topic)
	if err = cmp.Or(err, ends.Error()); err != nil {
		return nil, err
	}
	end, _ := ends.Lookup(topic, 0)
	got := map[int64]string{}
	for at := from; at < end.Offset; {
		fs := cl.PollFetches(x.ctx)
		if err := fs.Err0(); err != nil {
			return nil, err
		}
		fs.EachRecord(func(r *kgo.Record) {
			if r.Offset < at {
				x.t.Errorf("%s: offset %d after %d", topic, r.Offset, at)
			}
			at = r.Offset + 1
			switch {
			case r.Attrs.IsControl():
			case r.Value == nil:
				got[r.Offset] = string(r.Key)
			default:
				got[r.Offset] = string(r.Key) + "=" + string(r.Value)
			}
		})
	}
	return got, nil
}

// becomes waits until a reader finds exactly these records.
func (x *compacted) becomes(topic string, from int64, level kgo.IsolationLevel, want map[int64]string) {
	x.t.Helper()
	eventually(x.t, "compaction of "+topic, func() error {
		got, err := x.read(topic, from, level)
		if err == nil && !maps.Equal(got, want) {
			err = fmt.Errorf("it holds %v, want %v", got, want)
		}
		return err
	})
}

// equalDigests waits until all replicas are at one index of each shard, and compares what they hold there.
func (x *compacted) equalDigests() {
	x.t.Helper()
	eventually(x.t, "replicas come together", func() error {
		first := map[broker.ShardID]engine.ReplicaDigest{}
		for _, s := range x.nodes {
			ds, err := s.node().Engine.Digests()
			if err != nil {
				return err
			}
			for _, d := range ds {
				f, known := first[d.Shard]
				switch {
				case !known:
					first[d.Shard] = d
				case f.Index != d.Index:
					return fmt.Errorf("shard %d: at %d and at %d", d.Shard, f.Index, d.Index)
				case f.Sum != d.Sum:
					x.t.Fatalf("shard %d at index %d: %016x and %016x", d.Shard, d.Index, f.Sum, d.Sum)
				}
			}
		}
		return nil
	})
}

// What Kafka's clients find in compacted topics, the same on one node and on three.
func TestLogCompaction(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			t.Parallel()
			x := compact(t, nodes)
			for _, test := range []struct {
				name string
				run  func(*compacted)
			}{
				{"the newest stay where they were", newestStay},
				{"tombstones go", tombstonesGo},
				{"transactions", compactedTransactions},
				{"the policy changes at once", policyChanges},
				{"nothing younger than the lag", youngStay},
			} {
				t.Run(test.name, func(t *testing.T) {
					x.t = t
					test.run(x)
				})
			}
			x.t = t
			x.equalDigests()
		})
	}
}

// newestStay: offsets never change, and a group that committed one that is gone goes on behind it.
func newestStay(x *compacted) {
	const topic = "accounts"
	x.create(topic)
	cl := x.client()
	committed := kadm.Offsets{}
	committed.AddOffset(topic, 0, 2, -1) // of b=1, which will be gone
	x.must(cmp.Or(kadm.NewClient(cl).CommitAllOffsets(x.ctx, "old", committed)))
	x.put(cl, topic, "a=1", "a=2", "b=1", "c=1", "a=3", "b", "c=2", "d=1")
	x.becomes(topic, 0, kgo.ReadUncommitted(), map[int64]string{4: "a=3", 5: "b", 6: "c=2", 7: "d=1"})
	x.becomes(topic, 5, kgo.ReadUncommitted(), map[int64]string{5: "b", 6: "c=2", 7: "d=1"})

	member := x.client(kgo.ConsumerGroup("old"), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	fs := member.PollFetches(x.ctx)
	x.must(fs.Err0())
	if r := fs.Records(); len(r) == 0 || r[0].Offset != 4 {
		x.t.Errorf("a member that was at offset 2 is given %v first, want offset 4", r)
	}
	x.put(cl, topic, "d=2", "e=1")
	x.becomes(topic, 0, kgo.ReadUncommitted(), map[int64]string{4: "a=3", 5: "b", 6: "c=2", 8: "d=2", 9: "e=1"})
}

func tombstonesGo(x *compacted) {
	const topic = "closed"
	x.create(topic, "delete.retention.ms", "100")
	x.put(x.client(), topic, "a=1", "b=1", "a", "c", "d=1")
	x.becomes(topic, 0, kgo.ReadUncommitted(), map[int64]string{1: "b=1", 4: "d=1"})
}

// compactedTransactions: what was aborted replaces nothing and goes; what is undecided keeps all behind it.
func compactedTransactions(x *compacted) {
	const topic = "ledger"
	x.create(topic)
	p, plain := x.client(kgo.TransactionalID(topic)), x.client()
	end := func(how kgo.TransactionEndTry, texts ...string) {
		x.t.Helper()
		x.must(p.BeginTransaction())
		x.put(p, topic, texts...)
		x.must(p.EndTransaction(x.ctx, how))
	}
	end(kgo.TryCommit, "a=1", "b=1")       // 0, 1; the marker is 2
	end(kgo.TryAbort, "a=aborted", "b")    // 3, 4; 5
	end(kgo.TryCommit, "b=2")              // 6; 7
	x.must(p.BeginTransaction())           // open from here on
	undecided := x.put(p, topic, "a=open") // 8
	x.put(plain, topic, "b=3", "b=4")      // 9, 10
	x.becomes(topic, 0, kgo.ReadCommitted(), map[int64]string{0: "a=1", 6: "b=2"})
	x.becomes(topic, 0, kgo.ReadUncommitted(), map[int64]string{0: "a=1", 6: "b=2", 8: "a=open", 9: "b=3", 10: "b=4"})
	if undecided != 8 {
		x.t.Errorf("the open transaction begins at %d", undecided)
	}
	x.must(p.EndTransaction(x.ctx, kgo.TryAbort)) // the marker is 11
	x.put(plain, topic, "c=1")                    // 12
	for _, level := range []kgo.IsolationLevel{kgo.ReadCommitted(), kgo.ReadUncommitted()} {
		x.becomes(topic, 0, level, map[int64]string{0: "a=1", 10: "b=4", 12: "c=1"})
	}
	end(kgo.TryCommit, "a=2")  // 13; 14
	x.put(plain, topic, "d=1") // 15
	x.becomes(topic, 0, kgo.ReadCommitted(), map[int64]string{10: "b=4", 12: "c=1", 13: "a=2", 15: "d=1"})
}

// policyChanges: a topic becomes compacted, and another kind again, by IncrementalAlterConfigs.
func policyChanges(x *compacted) {
	const topic = "orders"
	x.create(topic, "cleanup.policy", "delete")
	cl := x.client()
	x.must(cl.ProduceSync(x.ctx, &kgo.Record{Topic: topic, Value: []byte("no key")}).FirstErr())
	x.put(cl, topic, "a=1", "a=2", "a=3", "b=1")
	all := map[int64]string{0: "=no key", 1: "a=1", 2: "a=2", 3: "a=3", 4: "b=1"}
	x.becomes(topic, 0, kgo.ReadUncommitted(), all)

	x.alter(topic, "cleanup.policy", "compact")
	if err := cl.ProduceSync(x.ctx, &kgo.Record{Topic: topic, Value: []byte("no key")}).FirstErr(); !errors.Is(err, kerr.InvalidRecord) {
		x.t.Errorf("a record without key in a compacted topic: %v", err)
	}
	x.becomes(topic, 0, kgo.ReadUncommitted(), map[int64]string{0: "=no key", 3: "a=3", 4: "b=1"})

	x.alter(topic, "cleanup.policy", "compact,delete")
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 2, -1)
	deleted, err := kadm.NewClient(cl).DeleteRecords(x.ctx, offsets)
	x.must(cmp.Or(err, deleted.Error()))
	x.becomes(topic, 2, kgo.ReadUncommitted(), map[int64]string{3: "a=3", 4: "b=1"})

	x.alter(topic, "cleanup.policy", "delete")
	x.must(cl.ProduceSync(x.ctx, &kgo.Record{Topic: topic, Value: []byte("no key")}).FirstErr())
}

func youngStay(x *compacted) {
	const topic = "young"
	x.create(topic, "min.compaction.lag.ms", "3600000")
	cl := x.client()
	old := time.Now().Add(-2 * time.Hour)
	for i, text := range []string{"a=1", "a=2", "a=3"} {
		r := keyedRecord(topic, text)
		if r.Timestamp = old; i == 2 {
			r.Timestamp = time.Now()
		}
		x.must(cl.ProduceSync(x.ctx, r).FirstErr())
	}
	x.put(cl, topic, "a=4", "a=5")
	x.becomes(topic, 0, kgo.ReadUncommitted(), map[int64]string{1: "a=2", 2: "a=3", 3: "a=4", 4: "a=5"})
}

// Nodes end in the middle of passes, one after the other, and leaders change under them: every key's newest record is there
// at its offset, and the replicas are equal.
func TestFaultCompaction(t *testing.T) {
	t.Parallel()
	const keys, rounds, perRound = 50, 12, 120
	x := compact(t, 3)
	x.create(topic, "delete.retention.ms", "3600000")
	cl := x.client(kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	rng := seeded(t)
	newest := map[string]int64{}
	for round := range rounds {
		s := x.nodes[rng.IntN(3)]
		if round%3 != 0 {
			s = x.leaderOf(2 + uint64(rng.IntN(2)))
		}
		var rs []*kgo.Record
		for range perRound {
			r := keyedRecord(topic, fmt.Sprintf("key%d", rng.IntN(keys)))
			if rng.IntN(5) > 0 {
				r.Value = value(round, len(rs), 20+rng.IntN(500))
			}
			rs = append(rs, r)
		}
		half := len(rs) / 2
		x.must(cl.ProduceSync(x.ctx, rs[:half]...).FirstErr())
		down := make(chan struct{})
		go func() { defer close(down); s.stop() }()
		x.must(cl.ProduceSync(x.ctx, rs[half:]...).FirstErr())
		<-down
		x.must(s.start())
		for _, r := range rs {
			newest[string(r.Key)] = max(newest[string(r.Key)], r.Offset)
		}
	}
	x.ready()
	last := x.put(cl, topic, "last=1")
	want := map[int64]bool{last: true}
	for _, o := range newest {
		want[o] = true
	}
	eventually(t, "compaction", func() error {
		got, err := x.read(topic, 0, kgo.ReadUncommitted())
		if err != nil {
			return err
		}
		for o := range want {
			if _, ok := got[o]; !ok {
				t.Fatalf("the newest record of a key, at %d, is gone; there is %v", o, slices.Sorted(maps.Keys(got)))
			}
		}
		if len(got) != len(want) {
			return fmt.Errorf("%d records, want %d", len(got), len(want))
		}
		return nil
	})
	x.healthy(nil)
	x.equalDigests()
}

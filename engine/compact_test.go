package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
)

// keyed makes a batch of "key=value" records; "key" alone deletes its key.
func keyed(codec batch.Codec, pairs ...string) []byte {
	b := batch.NewBuilder()
	b.Codec = codec
	for _, p := range pairs {
		r := batch.Record{Timestamp: 1000}
		for i := range p {
			if p[i] == '=' {
				r.Key, r.Value = []byte(p[:i]), []byte(p[i+1:])
			}
		}
		if r.Key == nil {
			r.Key = []byte(p)
		}
		b.Append(r)
	}
	return b.Bytes()
}

// readKeyed reads a partition from an offset as a client does: what is at which offset.
func readKeyed(ns []*testNode, p broker.Partition, from broker.Offset) (map[broker.Offset]string, error) {
	err := fmt.Errorf("no node runs")
	for _, n := range ns {
		if n.e == nil {
			continue
		}
		var got map[broker.Offset]string
		if got, err = readKeyedAt(n.e, p, from); err == nil {
			return got, nil
		}
	}
	return nil, err
}

func readKeyedAt(e *Engine, p broker.Partition, from broker.Offset) (map[broker.Offset]string, error) {
	out := map[broker.Offset]string{}
	for {
		r, err := e.Read(context.Background(), &broker.Read{Partitions: []broker.ReadPartition{{Partition: p, Offset: from, Epoch: broker.NoEpoch, LastEpoch: broker.NoEpoch, MaxBytes: 300}}, MaxBytes: 300})
		if err != nil {
			return nil, err
		}
		x := r.Partitions[0]
		if x.Err != nil || len(x.Batches) == 0 {
			return out, x.Err
		}
		for _, b := range x.Batches {
			h, err := batch.DecodeHeader(b)
			if err != nil {
				return nil, err
			}
			if broker.Offset(h.LastOffset()) < from {
				return nil, fmt.Errorf("batch %v where offset %d was asked for", h, from)
			}
			for rec, err := range batch.Records(b) {
				if err != nil {
					return nil, err
				}
				if broker.Offset(rec.Offset) < from { // the first batch may begin below what was asked for
					continue
				}
				text := string(rec.Key)
				if rec.Value != nil {
					text += "=" + string(rec.Value)
				}
				out[broker.Offset(rec.Offset)] = text
			}
			from = broker.Offset(h.LastOffset()) + 1
		}
		r.Release()
	}
}

func createCompacted(t testing.TB, ns []*testNode, name string, configs map[string]string) *broker.Topic {
	t.Helper()
	all := map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "retention.ms": "-1", "delete.retention.ms": "3600000"}
	maps.Copy(all, configs)
	var topic *broker.Topic
	eventually(t, "create topic "+name, func() error {
		var err error
		topic, err = ns[0].e.CreateTopic(context.Background(), broker.Client{}, broker.TopicSpec{Name: name, Partitions: 1, ReplicationFactor: -1, Configs: all})
		if broker.CodeOf(err) == broker.CodeTopicExists {
			topic, err = ns[0].e.Topic(context.Background(), name)
		}
		return err
	})
	return topic
}

// compactsTo waits until a log holds exactly these records from an offset on.
func compactsTo(t testing.TB, ns []*testNode, p broker.Partition, from broker.Offset, want map[broker.Offset]string) {
	t.Helper()
	eventually(t, "compaction", func() error {
		got, err := readKeyed(ns, p, from)
		if err == nil && !maps.Equal(got, want) {
			err = fmt.Errorf("the log holds %v, want %v", got, want)
		}
		return err
	})
}

// A compacted topic on one node: the newest of each key stays where it was, what reads find there, and after a restart.
func TestCompaction(t *testing.T) {
	ns := newTestCluster(t, 1)
	e := ns[0].e
	topic := createCompacted(t, ns, "accounts", nil)
	p := broker.Partition{Topic: topic.ID}
	appendTo(t, ns, p, keyed(batch.CodecNone, "a=1", "b=1", "a=2"))
	appendTo(t, ns, p, keyed(batch.CodecZstd, "a=3", "c=1"))
	appendTo(t, ns, p, keyed(batch.CodecLZ4, "b=2", "c"))
	appendTo(t, ns, p, keyed(batch.CodecNone, "d=1"))
	want := map[broker.Offset]string{3: "a=3", 5: "b=2", 6: "c", 7: "d=1"}
	compactsTo(t, ns, p, 0, want)

	// A read at an offset that is gone finds what comes next; the log's ends and times are right.
	for from, first := range map[broker.Offset]broker.Offset{0: 3, 2: 3, 4: 5, 7: 7} {
		got, err := readKeyed(ns, p, from)
		if at := slices.Sorted(maps.Keys(got)); err != nil || len(at) == 0 || at[0] != first {
			t.Errorf("read from %d: %v %v, want %d first", from, got, err, first)
		}
	}
	for ts, want := range map[int64]broker.Offset{broker.TimestampEarliest: 0, broker.TimestampLatest: 8, 1000: 3, 1001: -1, broker.TimestampMax: 3} {
		if a, err := e.ListOffset(context.Background(), broker.OffsetQuery{Partition: p, Epoch: broker.NoEpoch, Timestamp: ts}); err != nil || a.Offset != want {
			t.Errorf("offset at %d: %+v %v, want %d", ts, a, err, want)
		}
	}
	// Who has no key, and who deletes where the policy does not, is refused.
	done := make(chan error, 1)
	e.Append(context.Background(), &broker.Append{Partition: p, Batch: records("no key"), Deadline: time.Now().Add(time.Minute), Done: func(_ broker.AppendResult, err error) { done <- err }})
	if err := <-done; broker.CodeOf(err) != broker.CodeInvalidRecord {
		t.Errorf("a record without key: %v", err)
	}
	if _, err := e.DeleteRecords(context.Background(), broker.Client{}, p, 3); broker.CodeOf(err) != broker.CodePolicyViolation {
		t.Errorf("delete records: %v", err)
	}

	ns[0].stop()
	ns[0].start()
	ns[0].ready()
	compactsTo(t, ns, p, 0, want)
	// It goes on from where it was; the policy may change.
	appendTo(t, ns, p, keyed(batch.CodecNone, "a=4", "c=2"))
	appendTo(t, ns, p, keyed(batch.CodecNone, "e=1"))
	compactsTo(t, ns, p, 0, map[broker.Offset]string{5: "b=2", 7: "d=1", 8: "a=4", 9: "c=2", 10: "e=1"})
	e = ns[0].e
	eventually(t, "change of policy", func() error {
		return e.AlterTopicConfig(context.Background(), broker.Client{}, "accounts", broker.ConfigAlteration{Changes: []broker.ConfigChange{
			{Key: "cleanup.policy", Op: broker.ConfigSet, Value: "compact,delete"}}})
	})
	eventually(t, "delete records", func() error {
		_, err := e.DeleteRecords(context.Background(), broker.Client{}, p, 8)
		return err
	})
	compactsTo(t, ns, p, 8, map[broker.Offset]string{8: "a=4", 9: "c=2", 10: "e=1"})
}

// Tombstones go once their time has passed, and not before what they delete.
func TestTombstonesGo(t *testing.T) {
	ns := newTestCluster(t, 1)
	topic := createCompacted(t, ns, "accounts", map[string]string{"delete.retention.ms": "200"})
	p := broker.Partition{Topic: topic.ID}
	appendTo(t, ns, p, keyed(batch.CodecNone, "a=1"))
	appendTo(t, ns, p, keyed(batch.CodecNone, "a", "b=1"))
	appendTo(t, ns, p, keyed(batch.CodecNone, "c"))
	appendTo(t, ns, p, keyed(batch.CodecNone, "d=1"))
	compactsTo(t, ns, p, 0, map[broker.Offset]string{2: "b=1", 4: "d=1"})
}

// Three nodes: replicas agree byte for byte, also one that was away, and a leader that comes in the middle goes on.
func TestCompactionOnThreeNodes(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createCompacted(t, ns, "accounts", nil)
	p := broker.Partition{Topic: topic.ID}
	want := map[broker.Offset]string{}
	next := broker.Offset(0)
	put := func(value string, keys ...string) {
		for _, k := range keys {
			for o, old := range want {
				if old[:2] == k+"=" {
					delete(want, o)
				}
			}
			text := k + "=" + value
			if r := appendTo(t, ns, p, keyed(batch.CodecZstd, text)); r.BaseOffset < next {
				t.Fatalf("%s at %d after %d", text, r.BaseOffset, next)
			} else {
				next = r.BaseOffset
			}
			want[next] = text
		}
	}
	for round := range 3 {
		put(fmt.Sprint(2*round), "a", "b", "c", "a", "d")
		ns[round].stop()
		put(fmt.Sprint(2*round+1), "a", "c", "e", string(rune('u'+round))) // the newest batch replaces nothing yet
		ns[round].start()
		ns[round].ready()
		compactsTo(t, ns, p, 0, want)
	}
	eventually(t, "equal digests", func() error {
		first := map[broker.ShardID]ReplicaDigest{}
		for _, n := range ns {
			ds, err := n.e.Digests()
			if err != nil {
				return err
			}
			for _, d := range ds {
				f, ok := first[d.Shard]
				switch {
				case !ok:
					first[d.Shard] = d
				case f.Index != d.Index:
					return fmt.Errorf("shard %d: replicas are at %d and %d", d.Shard, f.Index, d.Index)
				case f.Sum != d.Sum:
					t.Fatalf("shard %d at index %d: %016x and %016x", d.Shard, d.Index, f.Sum, d.Sum)
				}
			}
		}
		return nil
	})
}

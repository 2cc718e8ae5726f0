package catalog

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// Whatever is applied, rows, differences and encoded views say the same as memory (world.apply compares them), views
// never change, versions rise by one, and producer ids and replica ids are never given twice.
func TestRandomCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		c, err := PlanBootstrap("c", []*Node{testNode(1, ""), testNode(2, "")}, 1)
		if err != nil {
			t.Fatal(err)
		}
		w.apply(c)
		small := func(label string, n int) int { return rapid.IntRange(1, n).Draw(t, label) }
		next := broker.ProducerID(0)
		replicas := map[string]bool{"2/1": true, "3/1": true}
		for range rapid.IntRange(20, 60).Draw(t, "commands") {
			before := w.m.Snapshot()
			topic := fmt.Sprintf("t%d", small("topic", 5))
			shard, replica, node := broker.ShardID(1+small("shard", 3)), uint64(small("replica", 4)), broker.NodeID(small("node", 3))
			var msg command.Message
			switch small("command", 15) {
			case 1:
				shards, err := before.Spread(int32(small("partitions", 3)), "")
				if err != nil {
					t.Fatal(err)
				}
				msg = &command.TopicCreate{Topic: topicID(topic), Name: topic, Shards: shards}
			case 2:
				msg = &command.TopicDelete{Topic: topicID(topic)}
			case 3:
				msg = &command.TopicConfigure{Topic: topicID(topic), Configs: []command.ConfigItem{{Key: "k", Value: topic}}}
			case 4:
				n := testNode(int(node), "")
				n.Version = topic
				msg = &command.NodeRegister{Spec: n.Spec()}
			case 5:
				msg = &command.NodeRemove{Node: node}
			case 6, 10, 11:
				msg = &command.ReplicaAdd{Shard: shard, Replica: replica, Node: node, NonVoting: true}
			case 7, 12, 13:
				msg = &command.ReplicaPromote{Shard: shard, Replica: replica}
			case 8, 14, 15:
				msg = &command.ReplicaRemove{Shard: shard, Replica: replica}
			case 9:
				r := w.apply(&command.ProducerBlock{Node: node, Count: uint32(small("count", 10))}).(*command.ProducerBlockResult)
				if r.Code == broker.CodeNone {
					if r.First != next {
						t.Fatalf("block begins at %d, want %d", r.First, next)
					}
					next += broker.ProducerID(r.Count)
				}
				continue
			}
			w.apply(msg)
			after := w.m.Snapshot()
			if after != before && after.Version() != before.Version()+1 {
				t.Fatalf("version %d after %d", after.Version(), before.Version())
			}
			if add, ok := msg.(*command.ReplicaAdd); ok && after != before {
				id := fmt.Sprintf("%d/%d", add.Shard, add.Replica)
				if replicas[id] {
					t.Fatalf("replica %s was there before", id)
				}
				replicas[id] = true
			}
		}
	})
}

// TestGoldenView: what version 1 of the format wrote is read for ever.
func TestGoldenView(t *testing.T) {
	w := newWorld(t)
	n := testNode(1, "rack")
	n.AMQP = broker.Endpoint{Host: "::1", Port: 5672}
	c, err := PlanBootstrap("golden", []*Node{n}, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(c)
	w.apply(&command.ProducerBlock{Node: 1, Count: 7})
	w.apply(&command.TopicCreate{Topic: topicID("t"), Name: "t", Internal: true, Shards: []broker.ShardID{2, 2},
		Configs: []command.ConfigItem{{Key: "retention.ms", Value: "1"}}})
	const file = "testdata/golden/view_1.hex"
	got := hex.EncodeToString(w.m.Snapshot().AppendTo(nil))
	want, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Fatalf("%s is missing; it would be\n%s", file, got)
	}
	if err != nil || strings.TrimSpace(string(want)) != got {
		t.Fatalf("encoded\n%s\ngolden\n%s %v", got, want, err)
	}
}

func TestEndpoints(t *testing.T) {
	for _, s := range []string{"", "host:9092", "[::1]:5672", "10.0.0.1:1"} {
		e, err := ParseEndpoint(s)
		if err != nil || FormatEndpoint(e) != s {
			t.Errorf("%q: %+v, %v, again %q", s, e, err, FormatEndpoint(e))
		}
	}
	for _, s := range []string{"host", ":1", "host:", "host:99999", "[]:1"} {
		if e, err := ParseEndpoint(s); err == nil {
			t.Errorf("%q: accepted as %+v", s, e)
		}
	}
}

// Every key's default passes its own check, and DescribeConfigs shows every key once.
func TestConfigTable(t *testing.T) {
	for _, k := range ConfigKeys() {
		if err := k.check(k.Default); err != nil {
			t.Errorf("%s: default %q: %v", k.Key, k.Default, err)
		}
	}
	es := Entries(map[string]string{KeyRetentionMs: "5"}, 2)
	if len(es) != len(configKeys) {
		t.Fatalf("%d entries of %d keys", len(es), len(configKeys))
	}
	for i, e := range es {
		if i > 0 && e.Key <= es[i-1].Key {
			t.Errorf("%s after %s", e.Key, es[i-1].Key)
		}
		if e.Key == KeyRetentionMs && (e.Value != "5" || e.Source != broker.SourceTopic) || e.Key == KeyMinInsyncReplicas && (e.Value != "2" || !e.ReadOnly) {
			t.Errorf("%+v", e)
		}
	}
}

package catalog

import (
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

const goldenRows = "testdata/golden/rows_1.txt"

// goldenWorld has a row of every table: two nodes, shards with a replica that is being added, topics, slots.
func goldenWorld(t *testing.T) *world {
	w := newWorld(t)
	n := testNode(1, "rack")
	n.AMQP = broker.Endpoint{Host: "::1", Port: 5672}
	c, err := PlanBootstrap("golden", []*Node{n}, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.apply(c)
	w.apply(&command.NodeRegister{Spec: testNode(2, "").Spec()})
	w.apply(&command.ReplicaAdd{Shard: 2, Node: 2, Replica: 2, NonVoting: true})
	w.apply(&command.ProducerBlock{Node: 1, Count: 7})
	w.apply(&command.TopicCreate{Topic: topicID("t"), Name: "t", Internal: true, Shards: []broker.ShardID{2, 2},
		Configs: []command.ConfigItem{{Key: "retention.ms", Value: "1"}}})
	w.apply(&command.TopicCreate{Topic: topicID("u"), Name: "u", Shards: []broker.ShardID{2}})
	w.apply(&command.TopicDelete{Topic: topicID("u")})
	return w
}

const goldenObjects = "testdata/golden/objects_1.txt"

// TestGoldenObjects: the rows of exchanges, queues, bindings and quotas, too.
func TestGoldenObjects(t *testing.T) {
	w := goldenWorld(t)
	arguments := []command.ArgumentSpec{{Name: "a", Kind: uint8(broker.ArgumentInt), Int: -2}, {Name: "b", Kind: uint8(broker.ArgumentFloat), Float: 1 << 62},
		{Name: "c", Kind: uint8(broker.ArgumentText), Text: "x\x00y"}}
	w.apply(&command.ExchangeDeclare{Host: "/", Exchange: command.ExchangeSpec{Name: "x", Type: "topic", Durable: true, AutoDelete: true, Internal: true, Arguments: arguments}})
	w.apply(&command.QueueDeclare{Host: "/", Queue: command.QueueSpec{Name: "q", Exclusive: true, AutoDelete: true, Arguments: arguments}, Shard: 2,
		OwnerNode: 1, OwnerRun: 77, OwnerSession: 3})
	w.apply(&command.BindingAdd{Host: "/", Binding: command.BindingSpec{Source: "x", Destination: "q", Key: "k.*", Arguments: arguments}})
	w.apply(&command.BindingAdd{Host: "/", Binding: command.BindingSpec{Source: "x", Exchange: true, Destination: "amq.fanout"}})
	w.apply(&command.QuotaAlter{UserKind: 2, User: "u", ClientKind: 1, Changes: []command.QuotaChange{{Key: 1, Rate: 9}, {Key: 2, Rate: 10}}})
	written := w.rows.Describe(keyspace.TableExchange, keyspace.TableQueueName, keyspace.TableBinding, keyspace.TableQuota)
	b, err := os.ReadFile(goldenObjects)
	if err != nil {
		t.Fatalf("%v; it would be\n%s", err, written)
	}
	if written != string(b) {
		t.Errorf("written\n%sgolden\n%s", written, b)
	}
}

// TestGoldenRows: what version 1 wrote is read for ever, and written the same.
func TestGoldenRows(t *testing.T) {
	w := goldenWorld(t)
	written := w.rows.Describe(keyspace.TableCluster, keyspace.TableNode, keyspace.TableTopic, keyspace.TableName, keyspace.TableShard, keyspace.TableChange)
	slots := slices.Collect(strings.Lines(w.rows.Describe(keyspace.TableSlot)))
	if len(slots) != Slots {
		t.Fatalf("%d slots", len(slots))
	}
	written += slots[0] + slots[Slots-1]
	b, err := os.ReadFile(goldenRows)
	if err != nil {
		t.Fatalf("%v; it would be\n%s", err, written)
	}
	if written != string(b) {
		t.Errorf("written\n%sgolden\n%s", written, b)
	}
	rows := readRows(t, string(b))
	slot, ok, err := rows.Get(keyspace.AppendSlotKey(nil, 0))
	if err != nil || !ok {
		t.Fatal(err)
	}
	for i := uint32(1); i < Slots-1; i++ { // all alike, so the file spares them
		rows.Set(keyspace.AppendSlotKey(nil, i), slot)
	}
	rows.Commit()
	m, err := Load(rows)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Snapshot().Describe(), w.m.Snapshot().Describe(); got != want {
		t.Errorf("read\n%s\nwant\n%s", got, want)
	}
}

// readRows reads what keyspace.Mem.Describe printed.
func readRows(t *testing.T, text string) *keyspace.Mem {
	m := &keyspace.Mem{}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		key, err := hex.DecodeString(k)
		if err != nil {
			t.Fatal(err)
		}
		value, err := hex.DecodeString(v)
		if err != nil {
			t.Fatal(err)
		}
		m.Set(key, value)
	}
	m.Commit()
	return m
}

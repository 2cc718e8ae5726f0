package catalog

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// world is a catalog, its rows, and a follower without a replica that is told differences.
type world struct {
	t     failer
	m     *Machine
	rows  *keyspace.Mem
	feed  Feed
	far   *View
	facts Facts
}

// failer is what a test, a fuzz target and a rapid check have in common.
type failer interface {
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newWorld(t failer) *world {
	return &world{t: t, m: New(), rows: &keyspace.Mem{}, far: EmptyView(),
		facts: Facts{Alive: make(map[broker.NodeID]bool), Shards: make(map[broker.ShardID]ShardFacts)}}
}

// apply applies a command and checks that rows, differences and encoded views all say the same.
func (w *world) apply(msg command.Message) command.Message {
	before := w.m.Snapshot()
	told := before.Describe()
	out, err := w.m.Apply(nil, msg.AppendTo(nil), w.rows)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rows.Commit()
	if before.Describe() != told {
		w.t.Fatalf("apply changed an older view:\n%s\nwas\n%s", before.Describe(), told)
	}
	view := w.m.Snapshot()
	again, err := Load(w.rows)
	if err != nil {
		w.t.Fatal(err)
	}
	w.feed.Add(view)
	if w.far, err = Follow(w.far, w.feed.Since(nil, w.far.Version())); err != nil {
		w.t.Fatal(err)
	}
	whole, err := DecodeView(view.AppendTo(nil))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, v := range map[string]*View{"rows": again.Snapshot(), "differences": w.far, "encoded": whole} {
		if v.Describe() != view.Describe() || string(v.AppendTo(nil)) != string(view.AppendTo(nil)) {
			w.t.Fatalf("from %s:\n%s\nin memory:\n%s", name, v.Describe(), view.Describe())
		}
	}
	r, err := command.Decode(out)
	if err != nil {
		w.t.Fatal(err)
	}
	if c, ok := r.(*command.CatalogResult); ok && c.Code != broker.CodeNone && view != before {
		w.t.Fatalf("refused with %v, yet changed", c.Code)
	}
	return r
}

func testNode(id int, rack string) *Node {
	return &Node{ID: broker.NodeID(id), RPC: fmt.Sprintf("n%d:1", id), Raft: fmt.Sprintf("n%d:2", id),
		Kafka: broker.Endpoint{Host: fmt.Sprintf("n%d", id), Port: 9092}, Rack: rack, Version: "1"}
}

func topicID(name string) (id broker.TopicID) {
	copy(id[:], "id-of-"+name)
	return id
}

type args map[string]string

func (a args) number(key string, def int64) int64 {
	v, ok := a[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (a args) configs(input string) (map[string]string, []command.ConfigItem) {
	m, items := make(map[string]string), []command.ConfigItem(nil)
	for line := range strings.Lines(input) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		m[k] = v
		items = append(items, command.ConfigItem{Key: k, Value: v})
	}
	return m, items
}

func resultString(m command.Message) string {
	switch r := m.(type) {
	case *command.CatalogResult:
		return fmt.Sprintf("%v version=%d\n", r.Code, r.Version)
	case *command.ProducerBlockResult:
		return fmt.Sprintf("%v version=%d first=%d count=%d\n", r.Code, r.Version, r.First, r.Count)
	}
	return m.String()
}

func (w *world) run(d *datadriven.TestData) string {
	a := args{}
	for _, arg := range d.CmdArgs {
		a[arg.Key] = strings.Join(arg.Vals, ",")
	}
	v := w.m.Snapshot()
	shard, replica, node := broker.ShardID(a.number("shard", 2)), uint64(a.number("replica", 0)), broker.NodeID(a.number("node", 0))
	switch d.Cmd {
	case "bootstrap":
		var nodes []*Node
		for i := range a.number("nodes", 1) {
			nodes = append(nodes, testNode(int(i)+1, ""))
		}
		c, err := PlanBootstrap(a["cluster"], nodes, int(a.number("per-node", 0)))
		if err != nil {
			return err.Error() + "\n"
		}
		return resultString(w.apply(c))
	case "register":
		n := testNode(int(node), a["rack"])
		if r, ok := a["raft"]; ok {
			n.Raft = r
		}
		return resultString(w.apply(&command.NodeRegister{Spec: n.Spec()}))
	case "remove-node":
		return resultString(w.apply(&command.NodeRemove{Node: node}))
	case "producers":
		return resultString(w.apply(&command.ProducerBlock{Node: node, Count: uint32(a.number("count", 1000))}))
	case "create":
		name := d.CmdArgs[0].Key
		configs, items := a.configs(d.Input)
		if err := CheckTopicName(name); err != nil {
			return err.Error() + "\n"
		}
		if err := ValidateConfigs(configs, v.Majority()); err != nil {
			return err.Error() + "\n"
		}
		if err := v.CheckReplicationFactor(int32(a.number("factor", -1))); err != nil {
			return err.Error() + "\n"
		}
		shards, err := v.Spread(int32(a.number("partitions", 1)), configs[KeyColocate])
		if err != nil {
			return err.Error() + "\n"
		}
		s := ""
		if c := v.CollidesWith(name); c != "" {
			s = fmt.Sprintf("its metrics collide with those of %s\n", c)
		}
		id := topicID(name)
		if i, ok := a["id"]; ok {
			id = topicID(i)
		}
		return s + resultString(w.apply(&command.TopicCreate{Topic: id, Name: name, Shards: shards, Configs: items}))
	case "delete":
		return resultString(w.apply(&command.TopicDelete{Topic: topicID(d.CmdArgs[0].Key)}))
	case "configure":
		_, items := a.configs(d.Input)
		return resultString(w.apply(&command.TopicConfigure{Topic: topicID(d.CmdArgs[0].Key), ExpectedVersion: uint64(a.number("expect", 0)), Configs: items}))
	case "grow":
		shards, err := v.Spread(int32(a.number("by", 1)), "")
		if err != nil {
			return err.Error() + "\n"
		}
		return resultString(w.apply(&command.TopicGrow{Topic: topicID(d.CmdArgs[0].Key), From: uint32(a.number("from", 0)), Shards: shards}))
	case "effective":
		t, _ := v.Topic(d.CmdArgs[0].Key)
		return fmt.Sprintf("%+v\n", t.Effective())
	case "shard-create":
		return resultString(w.apply(&command.ShardCreate{Spec: command.ShardSpec{Shard: shard, Replicas: []command.ReplicaSpec{{Replica: 1, Node: node}}}}))
	case "replica-add":
		return resultString(w.apply(&command.ReplicaAdd{Shard: shard, Replica: replica, Node: node, NonVoting: true}))
	case "replica-promote":
		return resultString(w.apply(&command.ReplicaPromote{Shard: shard, Replica: replica}))
	case "replica-remove":
		return resultString(w.apply(&command.ReplicaRemove{Shard: shard, Replica: replica}))
	case "partitions-of":
		var s strings.Builder
		for _, p := range v.PartitionsOf(shard) {
			t, _ := v.TopicByID(p.Topic)
			fmt.Fprintf(&s, "%s-%d\n", t.Name, p.Index)
		}
		return s.String()
	case "slot":
		slot, owner := v.Owner(d.CmdArgs[0].Key)
		return fmt.Sprintf("slot %d on shard %d since version %d\n", slot, owner.Shard, owner.Version)
	case "exchange", "drop-exchange", "queue", "drop-queue", "bind", "unbind":
		return resultString(w.apply(objectCommand(v, d, a)))
	case "objects":
		var s strings.Builder
		for _, o := range v.Declared() {
			fmt.Fprintln(&s, o)
		}
		return s.String()
	case "quota":
		return resultString(w.apply(quotaCommand(a)))
	case "quotas":
		var s strings.Builder
		for _, q := range v.Quotas().List {
			fmt.Fprintln(&s, quotaObject(&q))
		}
		return s.String()
	case "view":
		return w.m.Describe()
	case "healthy": // every node alive, every replica of the catalog in Raft, caught up and whole
		for _, n := range v.Nodes() {
			w.facts.Alive[n.ID] = true
		}
		for _, s := range v.Shards() {
			f := ShardFacts{Known: true, Leader: s.Replicas[0].ID, Replicas: make(map[uint64]Health)}
			for _, r := range s.Replicas {
				h := Health{Raft: Voter, CaughtUp: true, Whole: true}
				if r.State == ReplicaJoining {
					h.Raft = NonVoter
				}
				f.Replicas[r.ID] = h
			}
			w.facts.Shards[s.ID] = f
		}
		return "ok\n"
	case "fact":
		if n, ok := a["dead"]; ok {
			id, _ := strconv.Atoi(n)
			w.facts.Alive[broker.NodeID(id)] = false
			return "ok\n"
		}
		h := w.facts.Shards[shard].Replicas[replica]
		switch a["raft"] {
		case "none":
			h.Raft = NotMember
		case "expelled":
			h.Raft = Expelled
		case "voter":
			h.Raft = Voter
		}
		h.Damaged = h.Damaged || a["damaged"] == "yes"
		h.Whole = h.Whole && a["whole"] != "no"
		w.facts.Shards[shard].Replicas[replica] = h
		return "ok\n"
	case "plan":
		var s strings.Builder
		for _, st := range Plan(v, w.facts) {
			fmt.Fprintln(&s, st)
		}
		if s.Len() == 0 {
			return "nothing\n"
		}
		return s.String()
	}
	d.Fatalf(w.t.(*testing.T), "unknown verb %s", d.Cmd)
	return ""
}

// objectCommand: names are the words behind the verb, attributes are flags.
func objectCommand(v *View, d *datadriven.TestData, a args) command.Message {
	name := d.CmdArgs[0].Key
	has := func(flag string) bool { _, ok := a[flag]; return ok }
	switch d.Cmd {
	case "exchange":
		return &command.ExchangeDeclare{Host: "/", Exchange: command.ExchangeSpec{Name: name, Type: a["type"], AutoDelete: has("auto-delete"), Internal: has("internal")}}
	case "drop-exchange":
		return &command.ExchangeDelete{Host: "/", Name: name, IfUnused: has("if-unused")}
	case "queue":
		return &command.QueueDeclare{Host: "/", Shard: broker.ShardID(a.number("shard", 2)), OwnerSession: uint64(a.number("owner", 0)),
			Queue: command.QueueSpec{Name: name, Durable: true, Exclusive: has("owner"), Arguments: []command.ArgumentSpec{{Name: "x-max-length", Kind: uint8(broker.ArgumentInt), Int: a.number("max", 0)}}}}
	case "drop-queue":
		id := uint64(a.number("id", 0))
		if q, ok := v.Queue("/", name); ok && id == 0 {
			id = uint64(q.ID)
		}
		return &command.QueueDelete{Queue: id}
	}
	b := command.BindingSpec{Source: name, Destination: a["to"], Key: a["key"]}
	if has("to-exchange") {
		b.Exchange, b.Destination = true, a["to-exchange"]
	}
	if d.Cmd == "bind" {
		return &command.BindingAdd{Host: "/", Binding: b}
	}
	return &command.BindingRemove{Host: "/", Binding: b}
}

// quotaCommand: user and client are names, or * for the default; producer and consumer are rates.
func quotaCommand(a args) *command.QuotaAlter {
	c := &command.QuotaAlter{}
	for _, n := range []struct {
		arg  string
		kind *uint8
		name *string
	}{{"user", &c.UserKind, &c.User}, {"client", &c.ClientKind, &c.ClientID}} {
		switch v, ok := a[n.arg]; {
		case v == "*":
			*n.kind = uint8(broker.QuotaDefault)
		case ok:
			*n.kind, *n.name = uint8(broker.QuotaNamed), v
		}
	}
	if _, ok := a["producer"]; ok {
		c.Changes = append(c.Changes, command.QuotaChange{Key: uint8(broker.QuotaProducerBytes), Rate: a.number("producer", 0)})
	}
	if _, ok := a["consumer"]; ok {
		c.Changes = append(c.Changes, command.QuotaChange{Key: uint8(broker.QuotaConsumerBytes), Rate: a.number("consumer", 0)})
	}
	return c
}

func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { w.t = t; return w.run(d) })
	})
}

package group

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// drawCommand draws a command for one of few groups, so that most of them meet something.
func drawCommand(t *rapid.T, m *Machine) command.Message {
	name := rapid.SampledFrom([]string{"a", "b", "b\x00", "ba"}).Draw(t, "group")
	stored, ok := m.Group(name)
	version, generation, member := uint64(0), broker.Generation(0), ""
	if ok {
		version, generation = stored.Version, stored.Generation
		if len(stored.Members) > 0 {
			member = stored.Members[0].ID
		}
	}
	topic := rapid.IntRange(1, 3).Draw(t, "topic")
	switch rapid.IntRange(0, 9).Draw(t, "command") {
	case 0, 1, 2:
		s := drawState(t)
		s.Generation = max(generation+broker.Generation(rapid.IntRange(-1, 2).Draw(t, "ahead")), 0)
		if rapid.IntRange(0, 5).Draw(t, "stale") == 0 {
			version++
		}
		return &command.GroupStore{Group: name, Generation: s.Generation, ExpectedVersion: version, State: s.AppendTo(nil)}
	case 3:
		return &command.GroupDelete{Group: name}
	case 4:
		return &command.OffsetDelete{Group: name, Offsets: []command.OffsetDeleteItem{{TopicID: broker.TopicID{byte(topic)}, Topic: fmt.Sprint("t", topic)}}}
	case 5:
		c := &command.GroupSweep{Budget: uint32(rapid.IntRange(0, 5).Draw(t, "budget")), OffsetsRetentionMs: 300_000}
		if rapid.Bool().Draw(t, "deleted") {
			c.DeletedTopics = []broker.TopicID{{byte(topic)}}
		}
		return c
	}
	c := &command.OffsetCommit{Group: name, Generation: -1, RetentionMs: int64(rapid.IntRange(-1, 1).Draw(t, "retention")) * 500_000}
	if member != "" {
		c.Member, c.Generation = member, generation
	}
	for range rapid.IntRange(0, 3).Draw(t, "offsets") {
		c.Offsets = append(c.Offsets, command.OffsetCommitItem{TopicID: broker.TopicID{byte(topic)}, Topic: fmt.Sprint("t", topic),
			Partition: int32(rapid.IntRange(-1, 3).Draw(t, "partition")), Offset: broker.Offset(rapid.IntRange(-1, 9).Draw(t, "offset")), Metadata: "m"})
	}
	return c
}

// Two replicas that apply the same commands agree, also when one of them restarts at any time (world.apply compares
// rows and memory after every command); in the end, swept and deleted, nothing is left.
func TestReplicasAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		other, rows := NewMachine(), &keyspace.Mem{}
		for i := range rapid.IntRange(1, 60).Draw(t, "commands") {
			w.now += int64(rapid.IntRange(0, 200_000).Draw(t, "ms"))
			msg := drawCommand(t, w.m)
			w.apply(msg)
			if _, _, err := other.Apply(nil, Context{Index: w.index, Clock: uint64(w.now)}, msg.AppendTo(nil), rows); err != nil {
				t.Fatal(err)
			}
			rows.Commit()
			if i%7 == 0 {
				var err error
				if other, err = LoadMachine(rows); err != nil {
					t.Fatal(err)
				}
			}
			if other.Dump() != w.m.Dump() || other.String() != w.m.String() || rows.Describe() != w.rows.Describe() {
				t.Fatalf("after %v\none\n%v\n%sother\n%v\n%s", msg, w.m, w.m.Dump(), other, other.Dump())
			}
		}
		for _, s := range w.m.Groups() {
			if len(s.Members) > 0 {
				empty := &State{Generation: s.Generation}
				w.apply(&command.GroupStore{Group: s.Group, Generation: s.Generation, ExpectedVersion: s.Version, State: empty.AppendTo(nil)})
			}
		}
		w.now += 1_000_000
		for range 200 {
			w.apply(&command.GroupSweep{Budget: 1, OffsetsRetentionMs: 0})
		}
		if len(w.m.names) != 0 || len(w.m.topics) != 0 || w.rows.Len() != 1 {
			t.Fatalf("left:\n%v\n%s%s", w.m, w.m.Dump(), w.rows.Describe())
		}
	})
}

// A cache that does not know a topic, or knows its predecessor, must not make a consumer start anew.
func TestDoubtfulFetch(t *testing.T) {
	w := newWorld(t)
	w.commit(args{"offset": "7"}, "g")
	ids := map[string]broker.TopicID{"orders": w.ids["orders"]}
	resolve := func(topic string) (broker.TopicID, bool) { id, ok := ids[topic]; return id, ok }
	orders, payments := []broker.TopicPartition{{Topic: "orders"}}, []broker.TopicPartition{{Topic: "payments"}}
	if w.m.Doubtful("g", orders, resolve) || w.m.Doubtful("g", payments, resolve) || w.m.Doubtful("g", nil, resolve) || w.m.Doubtful("none", nil, resolve) {
		t.Error("doubtful, though the topic is known")
	}
	for _, stale := range []map[string]broker.TopicID{{}, {"orders": {9}}} {
		ids = stale
		if !w.m.Doubtful("g", orders, resolve) || !w.m.Doubtful("g", nil, resolve) || w.m.Doubtful("g", payments, resolve) {
			t.Errorf("with %v: wrong", stale)
		}
		if o := w.m.Fetch("g", orders, resolve)[0].Offset; o != -1 {
			t.Errorf("with %v: %d", stale, o)
		}
	}
}

package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
)

// delta is in what two views differ. Unchanged things are the same pointer, so finding it compares no contents.
type delta struct {
	nodes  []*Node
	shards []*Shard
	topics []*Topic         // new or changed
	gone   []broker.TopicID // deleted
	slots  []Slot
}

func diff(before, after *View) delta {
	var d delta
	d.nodes, _ = merge(before.nodes, after.nodes, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	d.shards, _ = merge(before.shards, after.shards, func(a, b *Shard) int { return cmp.Compare(a.ID, b.ID) })
	var gone []*Topic
	d.topics, gone = merge(before.byID, after.byID, func(a, b *Topic) int { return compareTopicID(a, b.ID) })
	for _, t := range gone {
		d.gone = append(d.gone, t.ID)
	}
	if before.slots != after.slots {
		for i := range after.slots {
			if before.slots[i] != after.slots[i] {
				d.slots = append(d.slots, Slot(i))
			}
		}
	}
	return d
}

// merge walks two sorted lists and gives what is new or another pointer in the second, and what only the first has.
func merge[T comparable](before, after []T, compare func(a, b T) int) (set, gone []T) {
	i := 0
	for _, x := range after {
		for i < len(before) && compare(before[i], x) < 0 {
			gone = append(gone, before[i])
			i++
		}
		if i < len(before) && compare(before[i], x) == 0 {
			if before[i] != x {
				set = append(set, x)
			}
			i++
			continue
		}
		set = append(set, x)
	}
	return set, append(gone, before[i:]...)
}

// AppendTo appends the whole view: what a node without a replica of the catalog starts from.
func (v *View) AppendTo(b []byte) []byte { return AppendDelta(b, EmptyView(), v) }

// DecodeView reads what AppendTo wrote.
func DecodeView(b []byte) (*View, error) { return EmptyView().Patch(b) }

// AppendDelta appends what turns before into after. Patch of a view with before's version gives after.
//
//	format | from version | to version | cluster id | next producer id | nodes | shards | topics gone | topics | slots | objects, if any differ
func AppendDelta(b []byte, before, after *View) []byte {
	d := diff(before, after)
	b = appendU64(append(b, formatVersion), before.version)
	b = appendU64(appendText(appendU64(b, after.version), after.clusterID), uint64(after.producers))
	b = appendU32(b, uint32(len(d.nodes)))
	for _, n := range d.nodes {
		b = appendNode(b, n)
	}
	b = appendU32(b, uint32(len(d.shards)))
	for _, s := range d.shards {
		b = appendShard(b, s)
	}
	b = appendU32(b, uint32(len(d.gone)))
	for _, id := range d.gone {
		b = append(b, id[:]...)
	}
	b = appendU32(b, uint32(len(d.topics)))
	for _, t := range d.topics {
		b = appendTopic(b, t)
	}
	b = appendU32(b, uint32(len(d.slots)))
	for _, s := range d.slots {
		o := after.slots[s]
		b = appendU64(appendU64(append(b, byte(s>>8), byte(s)), uint64(o.Shard)), o.Version)
	}
	return appendObjects(b, before, after)
}

// Patch makes the view that a delta leads to. It fails when the delta does not begin at v's version; then ask for
// everything.
func (v *View) Patch(b []byte) (*View, error) {
	c := &cursor{b: b}
	c.version()
	if from := c.u64(); !c.failed && from != v.version {
		return nil, fmt.Errorf("patch catalog version %d: the difference begins at version %d", v.version, from)
	}
	next := *v
	next.version, next.clusterID, next.producers = c.u64(), c.text(), int64(c.u64())
	c.failed = c.failed || next.version < v.version
	// Each list is strictly ascending: equal differences have equal bytes.
	nodes := make([]*Node, c.count(nodeBytesMin))
	for i := range nodes {
		nodes[i] = c.node()
		c.failed = c.failed || i > 0 && nodes[i].ID <= nodes[i-1].ID
	}
	shards := make([]*Shard, c.count(shardBytesMin))
	for i := range shards {
		shards[i] = c.shard()
		c.failed = c.failed || i > 0 && shards[i].ID <= shards[i-1].ID
	}
	gone := make(map[broker.TopicID]bool)
	var last broker.TopicID
	for i := range c.count(len(last)) {
		var id broker.TopicID
		copy(id[:], c.take(len(id)))
		_, known := v.TopicByID(id)
		c.failed = c.failed || !known || i > 0 && bytes.Compare(id[:], last[:]) <= 0
		gone[id], last = true, id
	}
	topics := make([]*Topic, c.count(topicBytesMin))
	for i := range topics {
		topics[i] = c.topic()
		id := topics[i].ID
		c.failed = c.failed || gone[id] || i > 0 && compareTopicID(topics[i-1], id) >= 0
		gone[id] = true // what is set again replaces the old one
	}
	if n := c.count(slotChangeBytes); n > 0 {
		slots := *v.slots
		next.slots = &slots
		previous := -1
		for range n {
			s := Slot(c.u8())<<8 | Slot(c.u8())
			o := SlotOwner{Shard: broker.ShardID(c.u64()), Version: c.u64()}
			if s >= Slots || int(s) <= previous || slots[s] == o {
				c.failed = true
				break
			}
			slots[s], previous = o, int(s)
		}
	}
	next.objects = c.objects(v)
	if err := c.end("view"); err != nil {
		return nil, err
	}
	next.tabulate(v)
	next.nodes = override(v.nodes, nodes, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	next.shards = override(v.shards, shards, func(a, b *Shard) int { return cmp.Compare(a.ID, b.ID) })
	next.topics = append(slices.DeleteFunc(slices.Clone(v.topics), func(t *Topic) bool { return gone[t.ID] }), topics...)
	return &next, next.index()
}

// override is before with each of set put in place of its equal, or added.
func override[T any](before, set []T, compare func(a, b T) int) []T {
	out := append([]T(nil), before...)
	for _, x := range set {
		i, found := slices.BinarySearchFunc(out, x, compare)
		out = put(out, i, found, x)
	}
	return out
}

// Feed keeps the latest views so that followers of the catalog are told differences. It is not safe for concurrent use.
type Feed struct {
	views []*View // ascending, at most FeedViews
}

// Add notes the newest view.
func (f *Feed) Add(v *View) {
	if n := len(f.views); n > 0 && f.views[n-1].version >= v.version {
		return
	}
	if len(f.views) == FeedViews {
		f.views = append(f.views[:0:0], f.views[1:]...)
	}
	f.views = append(f.views, v)
}

// Since appends what brings a follower from its version to the newest: a difference, or everything (from version 0) when
// the version is too old. Nothing is appended when there is nothing new.
func (f *Feed) Since(b []byte, version uint64) []byte {
	if len(f.views) == 0 {
		return b
	}
	newest := f.views[len(f.views)-1]
	if newest.version <= version {
		return b
	}
	for _, v := range f.views {
		if v.version == version {
			return AppendDelta(b, v, newest)
		}
	}
	return newest.AppendTo(b)
}

// Follow is the follower's side: it makes the view that an answer of Since leads to, whatever it begins at.
func Follow(v *View, b []byte) (*View, error) {
	if len(b) == 0 {
		return v, nil
	}
	c := &cursor{b: b}
	c.version()
	if from := c.u64(); !c.failed && from == 0 {
		return DecodeView(b)
	}
	return v.Patch(b)
}

// String prints one line.
func (f *Feed) String() string {
	var s strings.Builder
	s.WriteString("feed of versions")
	for _, v := range f.views {
		fmt.Fprintf(&s, " %d", v.version)
	}
	return s.String()
}

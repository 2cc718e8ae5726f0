package catalog

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
)

// View is the whole catalog at one version. It is never changed: it may be read by anyone at any time and kept as long
// as they like. The next view shares everything that did not change, so making one copies pointers, not topics.
type View struct {
	clusterID string
	version   uint64
	producers int64 // the first producer id that was never given
	nodes     []*Node
	shards    []*Shard
	topics    []*Topic // by name
	byID      []*Topic // the same, by id
	slots     *[Slots]SlotOwner
	objects   []*Object // by key
	quotas    *broker.QuotaTable
}

// EmptyView is the catalog before bootstrap, version 0.
func EmptyView() *View { return &View{slots: new([Slots]SlotOwner), quotas: &broker.QuotaTable{}} }

// ClusterID is empty before bootstrap.
func (v *View) ClusterID() string { return v.clusterID }

// Version grows by one with every applied change.
func (v *View) Version() uint64 { return v.version }

// NextProducerID is the first producer id that no block holds.
func (v *View) NextProducerID() broker.ProducerID { return broker.ProducerID(v.producers) }

// Nodes lists the registered nodes by id, without those removed.
func (v *View) Nodes() []*Node {
	ns := make([]*Node, 0, len(v.nodes))
	for _, n := range v.nodes {
		if !n.Removed {
			ns = append(ns, n)
		}
	}
	return ns
}

// Node finds a node by id; a removed one is not found.
func (v *View) Node(id broker.NodeID) (*Node, bool) {
	n, ok := v.anyNode(id)
	return n, ok && !n.Removed
}

func (v *View) anyNode(id broker.NodeID) (*Node, bool) {
	i, ok := slices.BinarySearchFunc(v.nodes, id, func(n *Node, id broker.NodeID) int { return cmp.Compare(n.ID, id) })
	if !ok {
		return nil, false
	}
	return v.nodes[i], true
}

// Shards lists all shards by id, the catalog's first. The slice must not be changed.
func (v *View) Shards() []*Shard { return v.shards }

// Shard finds a shard by id.
func (v *View) Shard(id broker.ShardID) (*Shard, bool) {
	i, ok := slices.BinarySearchFunc(v.shards, id, func(s *Shard, id broker.ShardID) int { return cmp.Compare(s.ID, id) })
	if !ok {
		return nil, false
	}
	return v.shards[i], true
}

// Topics lists all topics by name. The slice must not be changed.
func (v *View) Topics() []*Topic { return v.topics }

// Topic finds a topic by name.
func (v *View) Topic(name string) (*Topic, bool) {
	i, ok := slices.BinarySearchFunc(v.topics, name, func(t *Topic, n string) int { return strings.Compare(t.Name, n) })
	if !ok {
		return nil, false
	}
	return v.topics[i], true
}

// TopicByID finds a topic by id.
func (v *View) TopicByID(id broker.TopicID) (*Topic, bool) {
	i, ok := slices.BinarySearchFunc(v.byID, id, compareTopicID)
	if !ok {
		return nil, false
	}
	return v.byID[i], true
}

func compareTopicID(t *Topic, id broker.TopicID) int { return bytes.Compare(t.ID[:], id[:]) }

// Slot says who owns a slot.
func (v *View) Slot(s Slot) SlotOwner { return v.slots[s%Slots] }

// Owner says who coordinates a group or a transactional id.
func (v *View) Owner(name string) (Slot, SlotOwner) {
	s := SlotOf(name)
	return s, v.Slot(s)
}

// SlotsOf lists the slots that a shard owns, ascending.
func (v *View) SlotsOf(shard broker.ShardID) []Slot {
	var out []Slot
	for i, o := range v.slots {
		if o.Shard == shard {
			out = append(out, Slot(i))
		}
	}
	return out
}

// PartitionsOf lists the partitions a shard should have, by topic id and index. The shard's leader reconciles its own
// with it: what is listed and not there is created, what is there and not listed was deleted.
func (v *View) PartitionsOf(shard broker.ShardID) []broker.Partition {
	var out []broker.Partition
	for _, t := range v.byID {
		for i, s := range t.Shards {
			if s == shard {
				out = append(out, broker.Partition{Topic: t.ID, Index: int32(i)})
			}
		}
	}
	return out
}

// String prints one line.
func (v *View) String() string {
	return fmt.Sprintf("catalog %q version=%d nodes=%d shards=%d topics=%d next-producer=%d",
		v.clusterID, v.version, len(v.Nodes()), len(v.shards), len(v.topics), v.producers)
}

// Describe prints everything, slots as runs.
func (v *View) Describe() string {
	var b strings.Builder
	fmt.Fprintln(&b, v)
	for _, n := range v.nodes {
		fmt.Fprintf(&b, "  %v\n", n)
	}
	for _, s := range v.shards {
		fmt.Fprintf(&b, "  %v slots=%d partitions=%d\n", s, len(v.SlotsOf(s.ID)), len(v.PartitionsOf(s.ID)))
	}
	for _, t := range v.topics {
		fmt.Fprintf(&b, "  %v\n", t)
	}
	for _, o := range v.objects {
		fmt.Fprintf(&b, "  %v\n", o)
	}
	return b.String()
}

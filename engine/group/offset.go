package group

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// position names one committed offset within a group.
type position struct {
	topic     broker.TopicID
	name      string
	partition int32
}

func compareID(a, b broker.TopicID) int { return bytes.Compare(a[:], b[:]) }

// compare is the order of the rows.
func (p position) compare(q position) int {
	return cmp.Or(compareID(p.topic, q.topic), strings.Compare(p.name, q.name), cmp.Compare(p.partition, q.partition))
}

func (p position) key(group string) []byte {
	return keyspace.AppendOffsetKey(nil, group, p.topic, p.name, p.partition)
}

// String prints name-partition and the topic's id.
func (p position) String() string { return fmt.Sprintf("%s-%d(%v)", p.name, p.partition, p.topic) }

// Offset is one committed offset.
type Offset struct {
	Offset   broker.Offset
	Epoch    broker.LeaderEpoch
	Metadata string
	// CommittedAt is the replicated time of the commit, ms.
	CommittedAt uint64
	// RetentionMs is what the committer asked for; −1: the configured time.
	RetentionMs int64
	// Written is the place among the commits of the shard; 0 if no transaction could be open on the group then, so that
	// every pending offset is a later one.
	Written uint64
}

// String prints one line.
func (o Offset) String() string {
	s := fmt.Sprintf("%d epoch=%d at=%d", o.Offset, o.Epoch, o.CommittedAt)
	if o.RetentionMs >= 0 {
		s += fmt.Sprintf(" retention=%dms", o.RetentionMs)
	}
	if o.Metadata != "" {
		s += fmt.Sprintf(" %q", o.Metadata)
	}
	return s
}

// offsetVersion is the format with Written behind the rest.
const offsetVersion = 2

func (o Offset) appendTo(b []byte) []byte {
	version := byte(formatVersion)
	if o.Written > 0 {
		version = offsetVersion
	}
	b = appendU32(appendU64(append(b, version), uint64(o.Offset)), uint32(o.Epoch))
	b = appendText(appendU64(appendU64(b, o.CommittedAt), uint64(o.RetentionMs)), o.Metadata)
	if o.Written > 0 {
		b = appendU64(b, o.Written)
	}
	return b
}

func decodeOffset(b []byte) (Offset, error) {
	c := &cursor{b: b}
	version := c.u8()
	c.failed = version != formatVersion && version != offsetVersion
	o := Offset{Offset: broker.Offset(c.u64()), Epoch: broker.LeaderEpoch(c.u32()), CommittedAt: c.u64(), RetentionMs: int64(c.u64()), Metadata: c.text()}
	if version == offsetVersion {
		o.Written = c.u64()
		c.failed = c.failed || o.Written == 0
	}
	return o, c.end("offset")
}

// Fetch answers an OffsetFetch. With nil partitions it gives all that the group has, by topic id and partition; else
// one answer per partition asked, −1 where nothing is committed. Resolve gives the id that a topic's name has now:
// positions of a deleted topic of the same name are not its own.
func (m *Machine) Fetch(group string, partitions []broker.TopicPartition, resolve func(topic string) (broker.TopicID, bool)) []broker.CommittedOffset {
	g, ok := m.groups[group]
	if partitions == nil {
		if !ok {
			return nil
		}
		out := make([]broker.CommittedOffset, 0, len(g.order))
		for _, p := range g.order {
			if id, known := resolve(p.name); known && id == p.topic {
				out = append(out, g.offsets[p].answer(broker.TopicPartition{Topic: p.name, Partition: p.partition}))
			}
		}
		return out
	}
	out := make([]broker.CommittedOffset, 0, len(partitions))
	for _, tp := range partitions {
		o := Offset{Offset: -1, Epoch: broker.NoEpoch}
		if id, known := resolve(tp.Topic); known && ok {
			if found, there := g.offsets[position{id, tp.Topic, tp.Partition}]; there {
				o = found
			}
		}
		out = append(out, o.answer(tp))
	}
	return out
}

// Doubtful says whether Fetch could answer wrongly for want of a newer look at the catalog: the group has a position of a
// topic of that name, under another id than resolve gives, or resolve does not know the name. Then take a linearizable
// look at the catalog first; after that, what Fetch does not find was committed for a topic that is deleted. (Telling a
// consumer −1 for a topic that a stale cache lacks would make it start anew.)
func (m *Machine) Doubtful(group string, partitions []broker.TopicPartition, resolve func(topic string) (broker.TopicID, bool)) bool {
	g, ok := m.groups[group]
	if !ok {
		return false
	}
	asked := make(map[string]bool, len(partitions))
	for _, tp := range partitions {
		asked[tp.Topic] = true
	}
	for _, p := range g.order {
		if partitions == nil || asked[p.name] {
			if id, known := resolve(p.name); !known || id != p.topic {
				return true
			}
		}
	}
	return false
}

func (o Offset) answer(tp broker.TopicPartition) broker.CommittedOffset {
	return broker.CommittedOffset{TopicPartition: tp, Offset: o.Offset, Epoch: o.Epoch, Metadata: o.Metadata}
}

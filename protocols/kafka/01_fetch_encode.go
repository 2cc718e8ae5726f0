package kafka

import (
	"encoding/binary"

	"github.com/tallymq/tallymq/engine/broker"
)

// The response of Fetch is the one that we encode ourselves, because the codec would copy every batch:
//
//	[throttle 4][error 2, 7+][session 4, 7+][topics: [name | id, 13+][partitions:
//	    [index 4][error 2][high watermark 8][last stable 8][log start 8, 5+][aborted][read replica 4, 11+][size][batches]
//	    [tags: 0 diverging epoch, 1 current leader] ]]
//	[tags: 0 addresses, 16+]
//
// The differential test decodes it with the codec and encodes it again.

func (a *fetched) encode(o *outgoing, correlation int32) {
	flexible := a.version >= fetchVersionFlexible
	start, spliced := o.begin(correlation, flexible)
	w := writer{outgoing: o, flexible: flexible}
	w.int32(a.restMs)
	if a.version >= fetchVersionSessions {
		w.int16(a.code)
		w.int32(a.session)
	}
	w.array(len(a.topics))
	for i := range a.topics {
		w.fetchedTopic(a.version, &a.topics[i])
	}
	w.addresses(a.brokers)
	o.end(start, spliced)
}

// writer appends the protocol's primitive types.
type writer struct {
	*outgoing
	flexible bool
}

func (w *writer) int16(v int16) { w.own = binary.BigEndian.AppendUint16(w.own, uint16(v)) }
func (w *writer) int32(v int32) { w.own = binary.BigEndian.AppendUint32(w.own, uint32(v)) }
func (w *writer) int64(v int64) { w.own = binary.BigEndian.AppendUint64(w.own, uint64(v)) }

// array, also the length of bytes: 32 bits or, in flexible versions, a varint of one more.
func (w *writer) array(n int) {
	if w.flexible {
		w.own = binary.AppendUvarint(w.own, uint64(n)+1)
		return
	}
	w.int32(int32(n))
}

func (w *writer) string(s string) {
	if w.flexible {
		w.own = binary.AppendUvarint(w.own, uint64(len(s))+1)
	} else {
		w.int16(int16(len(s)))
	}
	w.own = append(w.own, s...)
}

func (w *writer) tags(n int) {
	if w.flexible {
		w.own = binary.AppendUvarint(w.own, uint64(n))
	}
}

func (w *writer) fetchedTopic(version int16, t *fetchedTopic) {
	if version >= fetchVersionIDs {
		w.own = append(w.own, t.id[:]...)
	} else {
		w.string(t.name)
	}
	w.array(len(t.partitions))
	for i := range t.partitions {
		w.fetchedPartition(version, &t.partitions[i])
	}
	w.tags(0)
}

func (w *writer) fetchedPartition(version int16, p *fetchedPartition) {
	w.int32(p.index)
	w.int16(readErrors.code(p.Err))
	w.int64(int64(p.HighWatermark))
	w.int64(int64(p.LastStableOffset))
	if version >= 5 {
		w.int64(int64(p.LogStartOffset))
	}
	w.array(len(p.Aborted))
	for _, a := range p.Aborted {
		w.int64(int64(a.Producer))
		w.int64(int64(a.First))
		w.tags(0)
	}
	if version >= 11 {
		w.int32(-1) // preferred read replica
	}
	size := 0
	for _, b := range p.Batches {
		size += len(b)
	}
	w.array(size)
	for _, b := range p.Batches {
		w.splice(b)
	}
	w.partitionTags(p)
}

// partitionTags: each tagged field is [tag][size][fields][no tags].
func (w *writer) partitionTags(p *fetchedPartition) {
	node, epoch := leader(p.Err)
	diverging := p.Diverging != nil && p.Err == nil
	moved := node >= 0
	if !w.flexible {
		return
	}
	n := 0
	for _, set := range []bool{diverging, moved} {
		if set {
			n++
		}
	}
	w.tags(n)
	if diverging {
		w.own = append(w.own, 0, 13)
		w.int32(int32(p.Diverging.Epoch))
		w.int64(int64(p.Diverging.End))
		w.own = append(w.own, 0)
	}
	if moved {
		w.own = append(w.own, 1, 9)
		w.int32(node)
		w.int32(epoch)
		w.own = append(w.own, 0)
	}
}

// addresses is the response's tag 0, if there are any.
func (w *writer) addresses(nodes []broker.Node) {
	if len(nodes) == 0 {
		w.tags(0)
		return
	}
	w.tags(1)
	field := writer{outgoing: &outgoing{}, flexible: true}
	field.array(len(nodes))
	for _, n := range nodes {
		field.int32(int32(n.ID))
		field.string(n.Kafka.Host)
		field.int32(n.Kafka.Port)
		if n.Rack == "" {
			field.own = append(field.own, 0) // null
		} else {
			field.string(n.Rack)
		}
		field.tags(0)
	}
	w.own = binary.AppendUvarint(append(w.own, 0), uint64(len(field.own)))
	w.own = append(w.own, field.own...)
}

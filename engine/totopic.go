package engine

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/partition"
	"github.com/tallymq/tallymq/engine/routing"
)

// headerKafkaKey is the header of a message that names its record's key, where the routing key names the topic.
const headerKafkaKey = "x-kafka-key"

// topicTarget is a partition that a message goes to, by way of an exchange of type x-kafka-topic.
type topicTarget struct {
	topic *catalog.Topic
	at    broker.Partition
	shard broker.ShardID
	key   []byte // of the record; nil: none
}

// targets finds the partitions of the topics that a message goes to. A topic that is not there is none: it is unroutable.
func (s *session) targets(m *broker.Message, topics []routing.TopicTarget) (out []topicTarget) {
	v := s.e.view.Load()
	for _, x := range topics {
		t, ok := v.Topic(x.Topic)
		if !ok || len(t.Shards) == 0 {
			continue
		}
		y := topicTarget{topic: t, key: recordKey(m, x.Keyed)}
		// Without a key it is this connection's own partition, so that what it publishes keeps its order.
		by := y.key
		if by == nil {
			by = binary.BigEndian.AppendUint64(nil, s.id.Number)
		}
		y.at = broker.Partition{Topic: t.ID, Index: partitionFor(by, len(t.Shards))}
		y.shard = t.Shards[y.at.Index]
		out = append(out, y)
	}
	return out
}

func recordKey(m *broker.Message, keyed bool) []byte {
	if keyed {
		return []byte(m.Key)
	}
	for i := range m.Headers {
		if h := &m.Headers[i]; h.Name == headerKafkaKey {
			return []byte(valueText(&h.Value))
		}
	}
	return nil
}

// record is a message as a topic's consumers read it: the body is the value, headers that have a text are headers.
func record(m *broker.Message, key []byte) batch.Record {
	stamp := m.Timestamp
	if stamp <= 0 {
		stamp = time.Now().UnixMilli()
	}
	r := batch.Record{Timestamp: stamp, Key: key, Value: m.Body}
	if r.Value == nil {
		r.Value = []byte{}
	}
	for i := range m.Headers {
		if h := &m.Headers[i]; h.Name != headerKafkaKey && h.Value.Kind != broker.ArgumentVoid {
			r.Headers = append(r.Headers, batch.RecordHeader{Key: h.Name, Value: []byte(valueText(&h.Value))})
		}
	}
	if m.MessageID != "" {
		r.Headers = append(r.Headers, batch.RecordHeader{Key: "amqp.message-id", Value: []byte(m.MessageID)})
	}
	return r
}

// appendCommand is the command that appends a batch to a partition, under any leader (CodeInvalidRecord, CodeBatchTooLarge).
func appendCommand(t *catalog.Topic, at broker.Partition, b []byte) (*command.Append, error) {
	cfg := partitionConfigOf(t)
	h := partition.Head{Partition: at, Config: cfg.basic, Compaction: cfg.compaction}
	info, err := validate(&broker.Append{Partition: at, Batch: b}, &h)
	if err != nil {
		return nil, err
	}
	c := commandOf(at, b, &info, cfg.basic.LogAppendTime)
	return &c, nil
}

// appended is what a partition answers.
func appended(out []byte, err error, op string, at broker.Partition) error {
	if err != nil {
		return asBroker(err, op, at.String())
	}
	var r command.AppendResult
	if err := r.Decode(out); err != nil {
		return broker.Errorf(broker.CodeInternal, op, at.String(), "result: %w", err)
	}
	if r.Code != broker.CodeNone {
		return broker.Refuse(r.Code, op, at.String())
	}
	return nil
}

// topicMessage is a message on its way to a topic, outside of a transaction.
type topicMessage struct {
	topicTarget
	cmd   *command.Append
	bytes []byte
}

// topicMessages makes the records of a message, one for each of its topics.
func topicMessages(m *broker.Message, targets []topicTarget) ([]topicMessage, error) {
	var out []topicMessage
	for _, t := range targets {
		b := batch.NewBuilder()
		b.Append(record(m, t.key))
		bytes := b.Bytes()
		cmd, err := appendCommand(t.topic, t.at, bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, topicMessage{t, cmd, bytes})
	}
	return out, nil
}

// append proposes the record; done hears whether the partition has it.
func (y *topicMessage) append(ctx context.Context, e *Engine, done func(error)) {
	e.proposeAsync(ctx, y.shard, 0, y.cmd.AppendHead(nil), y.bytes, func(out []byte, err error) { done(appended(out, err, "publish", y.at)) })
}

// topicPart is what a transaction appends to one partition.
type topicPart struct {
	topicTarget
	records []batch.Record
	bytes   int // about
}

// record adds a message's record.
func (w *work) record(m *broker.Message, target topicTarget) {
	var p *topicPart
	for _, have := range w.topics {
		if have.at == target.at {
			p = have
		}
	}
	if p == nil {
		p = &topicPart{topicTarget: target}
		w.topics = append(w.topics, p)
	}
	r := record(m, target.key)
	p.records = append(p.records, r)
	p.bytes += recordBytes(&r)
}

// recordBytes is about what a record takes in a batch, rather more.
func recordBytes(r *batch.Record) int {
	n := len(r.Key) + len(r.Value) + recordOverheadBytes
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + recordOverheadBytes
	}
	return n
}

// recordOverheadBytes is what a record, or a header, takes at most beside its texts.
const recordOverheadBytes = 32

// commands are the batches of the part under a transactional producer, in their order.
func (p *topicPart) commands(id producerIdentity, number uint64) (cmds []*command.Append, batches [][]byte, err error) {
	most := int(partitionConfigOf(p.topic).basic.BatchBytesMax)
	for from := 0; from < len(p.records); {
		b := batch.NewBuilder()
		b.Transactional, b.ProducerID, b.ProducerEpoch, b.BaseSequence = true, int64(id.id), int16(id.epoch), int32(from)
		for bytes := batch.HeaderBytes; from < len(p.records); from++ {
			if bytes += recordBytes(&p.records[from]); bytes > most && b.Len() > 0 {
				break
			}
			b.Append(p.records[from])
		}
		bytes := b.Bytes()
		cmd, err := appendCommand(p.topic, p.at, bytes)
		if err != nil {
			return nil, nil, err
		}
		cmd.Number = number
		cmds, batches = append(cmds, cmd), append(batches, bytes)
	}
	return cmds, batches, nil
}

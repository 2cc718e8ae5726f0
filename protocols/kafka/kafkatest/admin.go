package kafkatest

import (
	"context"
	"maps"

	"github.com/tallymq/tallymq/engine/broker"
)

// AlterTopicConfig sets and deletes keys; "unknown" is not one.
func (b *Broker) AlterTopicConfig(ctx context.Context, _ broker.Client, name string, a broker.ConfigAlteration) error {
	t, err := b.Topic(ctx, name)
	if err != nil {
		return err
	}
	configs := map[string]string{}
	if !a.Replace {
		maps.Copy(configs, t.Configs)
	}
	for _, c := range a.Changes {
		switch {
		case c.Key == "unknown":
			return broker.Errorf(broker.CodeInvalidConfig, "alter topic", "topic "+name, "the key %q is not known", c.Key)
		case c.Op == broker.ConfigDelete:
			delete(configs, c.Key)
		case c.Op == broker.ConfigAppend:
			configs[c.Key] += "," + c.Value
		default:
			configs[c.Key] = c.Value
		}
	}
	if a.ValidateOnly {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := *t
	changed.Configs = configs
	b.topics[name].info = &changed
	return nil
}

// GrowTopic adds empty partitions.
func (b *Broker) GrowTopic(ctx context.Context, _ broker.Client, name string, count int32, validateOnly bool) error {
	t, err := b.Topic(ctx, name)
	switch {
	case err != nil:
		return err
	case int(count) <= len(t.Partitions):
		return broker.Refuse(broker.CodeInvalidPartitions, "grow topic", "topic "+name)
	case validateOnly:
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := *t
	for i := int32(len(t.Partitions)); i < count; i++ {
		changed.Partitions = append(changed.Partitions, broker.PartitionInfo{Index: i, Shard: 2, Leader: 1, Epoch: 3, Replicas: []broker.NodeID{1}})
		b.topics[name].logs = append(b.topics[name].logs, &partitionLog{epoch: 3, sequences: map[sequence]broker.Offset{}})
	}
	b.topics[name].info = &changed
	return nil
}

// DeleteRecords checks the offset and says where the log would begin.
func (b *Broker) DeleteRecords(_ context.Context, _ broker.Client, p broker.Partition, before broker.Offset) (broker.Offset, error) {
	if err := b.refuse("delete records", p.String()); err != nil {
		return -1, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(p)
	switch {
	case l == nil:
		return -1, broker.Refuse(broker.CodeUnknownTopicID, "delete records", p.String())
	case before == -1:
		return l.end, nil
	case before < 0 || before > l.end:
		return -1, broker.Refuse(broker.CodeOffsetOutOfRange, "delete records", p.String())
	}
	return before, nil
}

// DeleteOffsets forgets offsets of a group without members; with members its topics are kept.
func (b *Broker) DeleteOffsets(_ context.Context, _ broker.Client, name string, ps []broker.TopicPartition) ([]error, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[name]
	if g == nil {
		return nil, broker.Refuse(broker.CodeGroupNotFound, "delete offsets", "group "+name)
	}
	errs := make([]error, len(ps))
	for i, p := range ps {
		if len(g.members) > 0 {
			errs[i] = broker.Refuse(broker.CodeGroupNotEmpty, "delete offsets", "group "+name)
			continue
		}
		delete(g.offsets, p)
	}
	return errs, nil
}

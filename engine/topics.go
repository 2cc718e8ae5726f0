package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// AutoCreate says whether metadata requests may create topics.
func (e *Engine) AutoCreate() bool { return e.opt.AutoCreateTopics }

// DefaultPartitions is the number of partitions of a topic that names none.
func (e *Engine) DefaultPartitions() int32 { return e.opt.DefaultPartitions }

// FindTopic finds a topic by id, or by name where the id is zero.
func (e *Engine) FindTopic(ctx context.Context, name string, id broker.TopicID) (broker.TopicRef, error) {
	look := func(v *catalog.View) (*catalog.Topic, bool) { return v.Topic(name) }
	if !id.IsZero() {
		look = func(v *catalog.View) (*catalog.Topic, bool) { return v.TopicByID(id) }
	}
	_, t, err := find(ctx, e, look)
	switch {
	case err != nil:
		return broker.TopicRef{}, err
	case t == nil && id.IsZero():
		return broker.TopicRef{}, broker.Refuse(broker.CodeUnknownTopic, "find topic", "topic "+name)
	case t == nil:
		return broker.TopicRef{}, broker.Refuse(broker.CodeUnknownTopicID, "find topic", "topic id "+id.String())
	}
	return broker.TopicRef{ID: t.ID, Name: t.Name, Partitions: int32(len(t.Shards))}, nil
}

// Topic finds a topic by name, looking twice before it calls it unknown.
func (e *Engine) Topic(ctx context.Context, name string) (*broker.Topic, error) {
	v, t, err := find(ctx, e, func(v *catalog.View) (*catalog.Topic, bool) { return v.Topic(name) })
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, broker.Refuse(broker.CodeUnknownTopic, "find topic", "topic "+name)
	}
	return e.brokerTopic(v, t), nil
}

// TopicByID finds a topic by id.
func (e *Engine) TopicByID(ctx context.Context, id broker.TopicID) (*broker.Topic, error) {
	v, t, err := find(ctx, e, func(v *catalog.View) (*catalog.Topic, bool) { return v.TopicByID(id) })
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, broker.Refuse(broker.CodeUnknownTopicID, "find topic", "topic id "+id.String())
	}
	return e.brokerTopic(v, t), nil
}

// find looks in the cache and, if it is not there, once more after a linearizable look
// at the catalog: nothing is called unknown before that.
func find(ctx context.Context, e *Engine, look func(*catalog.View) (*catalog.Topic, bool)) (*catalog.View, *catalog.Topic, error) {
	v := e.view.Load()
	if t, ok := look(v); ok && !actCatalogDoubted.Now() {
		return v, t, nil
	}
	if err := e.freshView(ctx); err != nil {
		return nil, nil, err
	}
	v = e.view.Load()
	t, _ := look(v)
	return v, t, nil
}

// ListTopics gives all topics by name.
func (e *Engine) ListTopics(context.Context) ([]*broker.Topic, error) {
	v := e.view.Load()
	if v.Version() == 0 {
		return nil, broker.Errorf(broker.CodeUnavailable, "list topics", "", "the catalog is not known yet")
	}
	ts := v.Topics()
	out := make([]*broker.Topic, 0, len(ts))
	for _, t := range ts {
		out = append(out, e.brokerTopic(v, t))
	}
	return out, nil
}

func (e *Engine) brokerTopic(v *catalog.View, t *catalog.Topic) *broker.Topic {
	b := &broker.Topic{ID: t.ID, Name: t.Name, Configs: t.Configs, Partitions: make([]broker.PartitionInfo, 0, len(t.Shards))}
	known := map[broker.ShardID]broker.PartitionInfo{}
	for i, s := range t.Shards {
		p, ok := known[s]
		if !ok {
			p = e.partitionInfo(v, int32(i), s)
			known[s] = p
		}
		p.Index = int32(i)
		b.Partitions = append(b.Partitions, p)
	}
	return b
}

// CreateTopic creates a topic, its partitions, and waits until every live node knows it.
func (e *Engine) CreateTopic(ctx context.Context, c broker.Client, s broker.TopicSpec) (*broker.Topic, error) {
	op, res := "create topic", "topic "+s.Name
	if err := e.freshView(ctx); err != nil {
		return nil, err
	}
	v := e.view.Load()
	if err := catalog.CheckTopicName(s.Name); err != nil {
		return nil, err
	}
	if _, ok := v.Topic(s.Name); ok {
		return nil, broker.Refuse(broker.CodeTopicExists, op, res)
	}
	if s.Partitions == -1 {
		s.Partitions = e.opt.DefaultPartitions
	}
	if s.Partitions < 1 || s.Partitions > partitionsPerTopicMax {
		return nil, broker.Errorf(broker.CodeInvalidPartitions, op, res, "%d partitions: want 1 to %d", s.Partitions, partitionsPerTopicMax)
	}
	if err := v.CheckReplicationFactor(s.ReplicationFactor); err != nil {
		return nil, err
	}
	if err := catalog.ValidateConfigs(s.Configs, v.Majority()); err != nil {
		return nil, err
	}
	shards, err := v.Spread(s.Partitions, s.Configs[catalog.KeyColocate])
	if err != nil {
		return nil, err
	}
	t := &catalog.Topic{Name: s.Name, Shards: shards, Configs: maps.Clone(s.Configs)}
	if _, err := rand.Read(t.ID[:]); err != nil {
		return nil, broker.Errorf(broker.CodeInternal, op, res, "%w", err)
	}
	t.ID[6], t.ID[8] = t.ID[6]&0x0f|0x40, t.ID[8]&0x3f|0x80 // a random UUID, RFC 9562 section 5.4
	if s.ValidateOnly {
		return e.brokerTopic(v, t), nil
	}
	cmd := command.TopicCreate{Topic: t.ID, Name: t.Name, Shards: shards}
	for _, k := range sortedKeys(s.Configs) {
		cmd.Configs = append(cmd.Configs, command.ConfigItem{Key: k, Value: s.Configs[k]})
	}
	version, err := e.changeCatalog(ctx, op, res, cmd.AppendTo(nil))
	if err != nil {
		return nil, err
	}
	e.log.Info("topic created", "topic", t.Name, "id", t.ID, "partitions", len(shards), "principal", c.Principal)
	if err := e.waitView(ctx, version); err != nil {
		return nil, err
	}
	if made, ok := e.view.Load().TopicByID(t.ID); ok {
		t = made // it knows its configuration's version
	}
	if err := e.createPartitions(ctx, t, 0); err != nil {
		return nil, err
	}
	e.spread(ctx, version)
	return e.brokerTopic(e.view.Load(), t), nil
}

// partitionConfig is what the shards need of a topic's configuration.
type partitionConfig struct {
	basic      command.PartitionConfig
	compaction command.CompactionConfig // zero: not compacted
}

func partitionConfigOf(t *catalog.Topic) partitionConfig {
	f := t.Effective()
	c := partitionConfig{basic: command.PartitionConfig{Version: max(t.ConfigVersion, 1), BatchBytesMax: uint32(f.MaxMessageBytes), RetentionMs: f.RetentionMs,
		RetentionBytes: f.RetentionBytes, LogAppendTime: f.LogAppendTime, DeleteOld: f.Delete}}
	if f.Compact {
		c.compaction = command.CompactionConfig{Compact: true, DeleteRetentionMs: f.DeleteRetentionMs, MinLagMs: f.MinCompactionLagMs,
			MaxLagMs: f.MaxCompactionLagMs, DirtyMillionths: f.DirtyMillionths}
	}
	return c
}

// createPartitions makes the shards own the topic's partitions from one on, at once. What fails
// here is made good by the shard's leader, which reconciles with the catalog.
func (e *Engine) createPartitions(ctx context.Context, t *catalog.Topic, from int) error {
	cfg := partitionConfigOf(t)
	err := e.eachPartition(ctx, t, from, func(i int32) []byte {
		cmd := command.PartitionCreate{Topic: t.ID, Partition: i, Config: cfg.basic, Compaction: cfg.compaction}
		return cmd.AppendTo(nil)
	})
	if err != nil {
		return broker.Errorf(broker.CodeOutcomeUnknown, "create topic", "topic "+t.Name, "the topic has its partitions; its shards follow: %w", err)
	}
	return nil
}

// eachPartition proposes a command for every partition from one on, some at once, and gives the first error.
func (e *Engine) eachPartition(ctx context.Context, t *catalog.Topic, from int, cmd func(i int32) []byte) error {
	var wg sync.WaitGroup
	errs := make([]error, len(t.Shards))
	for i := from; i < len(t.Shards); i++ {
		wg.Add(1)
		e.proposeAsync(ctx, t.Shards[i], 0, cmd(int32(i)), nil, func(_ []byte, err error) {
			errs[i] = err
			wg.Done()
		})
		if (i+1)%createChunk == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
	return firstOf(errs)
}

// DeleteTopic forgets a topic and waits until every live node has.
func (e *Engine) DeleteTopic(ctx context.Context, c broker.Client, name string, id broker.TopicID) (*broker.Topic, error) {
	var t *broker.Topic
	var err error
	if name != "" {
		t, err = e.Topic(ctx, name)
	} else {
		t, err = e.TopicByID(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	cmd := command.TopicDelete{Topic: t.ID}
	version, err := e.changeCatalog(ctx, "delete topic", "topic "+t.Name, cmd.AppendTo(nil))
	if err != nil {
		return nil, err
	}
	e.log.Info("topic deleted", "topic", t.Name, "id", t.ID, "principal", c.Principal)
	if err := e.waitView(ctx, version); err != nil {
		return nil, err
	}
	e.spread(ctx, version)
	return t, nil
}

// TopicConfig lists every key with its value in force.
func (e *Engine) TopicConfig(ctx context.Context, name string) ([]broker.ConfigEntry, error) {
	t, err := e.Topic(ctx, name)
	if err != nil {
		return nil, err
	}
	return catalog.Entries(t.Configs, e.view.Load().Majority()), nil
}

// NodeConfig lists what clients may see of a node's configuration.
func (e *Engine) NodeConfig(_ context.Context, node broker.NodeID) ([]broker.ConfigEntry, error) {
	if _, ok := e.view.Load().Node(node); !ok {
		return nil, broker.Errorf(broker.CodeInvalidRequest, "describe node", fmt.Sprintf("node %d", node), "no such node")
	}
	entry := func(key, value string, t broker.ConfigType, doc string) broker.ConfigEntry {
		return broker.ConfigEntry{Key: key, Value: value, Source: broker.SourceNode, Type: t, ReadOnly: true, Doc: doc}
	}
	return []broker.ConfigEntry{
		entry("auto.create.topics.enable", fmt.Sprint(e.opt.AutoCreateTopics), broker.TypeBool, "Create topics that metadata requests name."),
		entry("broker.id", fmt.Sprint(node), broker.TypeInt, "The node's id."),
		entry("default.replication.factor", fmt.Sprint(catalog.Replicas(len(e.view.Load().Nodes()))), broker.TypeInt, "Replicas of every shard."),
		entry("log.flush.interval.messages", "1", broker.TypeLong, "Every record is fsynced by a majority before it is acknowledged."),
		entry("num.partitions", fmt.Sprint(e.opt.DefaultPartitions), broker.TypeInt, "Partitions of a topic that names no number."),
		entry("offsets.retention.minutes", fmt.Sprint(int64(e.opt.OffsetsRetention/time.Minute)), broker.TypeInt, "How long an empty group's offsets are kept."),
	}, nil
}

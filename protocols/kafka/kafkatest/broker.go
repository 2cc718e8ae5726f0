package kafkatest

import (
	"context"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
)

// Broker is a cluster of one node, in memory. The zero value is not usable; see New.
type Broker struct {
	// Refuse, if set, is asked before each operation; an error is its answer.
	Refuse func(op, resource string) error
	// Hold, if set, gets each append before it is done; calling finish does it. Held appends keep their order of arrival in the log.
	Hold func(a *broker.Append, finish func())
	// Members lists further nodes, which lead nothing.
	Members []broker.Node
	// Create says whether topics come into being when asked for.
	Create bool

	mu        sync.Mutex
	address   broker.Endpoint
	topics    map[string]*topic
	byID      map[broker.TopicID]*topic
	changed   chan struct{} // closed and renewed at every append
	producers int64
	accepted  uint64
	created   uint64
	groups    map[string]*group
	quotas    *broker.QuotaTable
	appends   int
	borrowed  int
}

var _ broker.Broker = (*Broker)(nil)

// New makes an empty broker whose node 1 advertises the address.
func New(address broker.Endpoint) *Broker {
	return &Broker{
		address: address, topics: map[string]*topic{}, byID: map[broker.TopicID]*topic{},
		changed: make(chan struct{}), groups: map[string]*group{}, quotas: &broker.QuotaTable{},
	}
}

// Appends counts the batches appended, Borrowed the reads not released.
func (b *Broker) Appends() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.appends
}

// Borrowed counts the reads that were not released yet.
func (b *Broker) Borrowed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.borrowed
}

func (b *Broker) refuse(op, resource string) error {
	if b.Refuse == nil {
		return nil
	}
	return b.Refuse(op, resource)
}

// Appended has nothing to do: nothing is gathered.
func (b *Broker) Appended(string) {}

// Self is node 1.
func (b *Broker) Self() broker.NodeID { return 1 }

// ClusterID is fixed.
func (b *Broker) ClusterID() string { return "kafkatest" }

// Controller is node 1.
func (b *Broker) Controller() broker.NodeID { return 1 }

// Nodes are this one and Members.
func (b *Broker) Nodes() []broker.Node {
	return append([]broker.Node{{ID: 1, Kafka: b.address, Alive: true, Rack: "r1"}}, b.Members...)
}

// AutoCreate is Create.
func (b *Broker) AutoCreate() bool { return b.Create }

// DefaultPartitions is 1.
func (b *Broker) DefaultPartitions() int32 { return 1 }

// topic is a topic with its logs.
type topic struct {
	info *broker.Topic
	logs []*partitionLog
}

// Topic finds a topic by name.
func (b *Broker) Topic(_ context.Context, name string) (*broker.Topic, error) {
	if err := b.refuse("topic", name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.topics[name]; t != nil {
		return t.info, nil
	}
	return nil, broker.Refuse(broker.CodeUnknownTopic, "find topic", "topic "+name)
}

// FindTopic finds a topic by id, or by name where the id is zero.
func (b *Broker) FindTopic(ctx context.Context, name string, id broker.TopicID) (broker.TopicRef, error) {
	var t *broker.Topic
	var err error
	if id.IsZero() {
		t, err = b.Topic(ctx, name)
	} else {
		t, err = b.TopicByID(ctx, id)
	}
	if err != nil {
		return broker.TopicRef{}, err
	}
	return broker.TopicRef{ID: t.ID, Name: t.Name, Partitions: int32(len(t.Partitions))}, nil
}

// TopicByID finds a topic by id.
func (b *Broker) TopicByID(_ context.Context, id broker.TopicID) (*broker.Topic, error) {
	if err := b.refuse("topic", id.String()); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := b.byID[id]; t != nil {
		return t.info, nil
	}
	return nil, broker.Refuse(broker.CodeUnknownTopicID, "find topic", "topic "+id.String())
}

// ListTopics lists them by name.
func (b *Broker) ListTopics(context.Context) ([]*broker.Topic, error) {
	if err := b.refuse("list topics", ""); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	ts := make([]*broker.Topic, 0, len(b.topics))
	for _, t := range b.topics {
		ts = append(ts, t.info)
	}
	slices.SortFunc(ts, func(x, y *broker.Topic) int { return strings.Compare(x.Name, y.Name) })
	return ts, nil
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// CreateTopic creates a topic, unless it is only to be validated.
func (b *Broker) CreateTopic(ctx context.Context, _ broker.Client, s broker.TopicSpec) (*broker.Topic, error) {
	const op = "create topic"
	if err := b.refuse(op, s.Name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !topicName.MatchString(s.Name):
		return nil, broker.Refuse(broker.CodeInvalidTopic, op, "topic "+s.Name)
	case b.topics[s.Name] != nil:
		return nil, broker.Refuse(broker.CodeTopicExists, op, "topic "+s.Name)
	case s.Partitions == 0 || s.Partitions < -1:
		return nil, broker.Refuse(broker.CodeInvalidPartitions, op, "topic "+s.Name)
	case s.ReplicationFactor > 1:
		return nil, broker.Refuse(broker.CodeInvalidReplicationFactor, op, "topic "+s.Name)
	}
	b.created++
	t := &topic{info: &broker.Topic{Name: s.Name, Configs: s.Configs}}
	binary.BigEndian.PutUint64(t.info.ID[8:], b.created)
	for i := range max(s.Partitions, 1) {
		t.info.Partitions = append(t.info.Partitions, broker.PartitionInfo{Index: i, Shard: 2, Leader: 1, Epoch: 3, Replicas: []broker.NodeID{1}})
		t.logs = append(t.logs, &partitionLog{epoch: 3, sequences: map[sequence]broker.Offset{}})
	}
	if !s.ValidateOnly {
		b.topics[s.Name], b.byID[t.info.ID] = t, t
	}
	return t.info, nil
}

// DeleteTopic deletes a topic.
func (b *Broker) DeleteTopic(_ context.Context, _ broker.Client, name string, id broker.TopicID) (*broker.Topic, error) {
	if err := b.refuse("delete topic", name); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[name]
	code := broker.CodeUnknownTopic
	if name == "" {
		t = b.byID[id]
		code = broker.CodeUnknownTopicID
	}
	if t == nil {
		return nil, broker.Refuse(code, "delete topic", name)
	}
	delete(b.topics, t.info.Name)
	delete(b.byID, t.info.ID)
	return t.info, nil
}

// TopicConfig has one key with a default and those that were given.
func (b *Broker) TopicConfig(ctx context.Context, name string) ([]broker.ConfigEntry, error) {
	t, err := b.Topic(ctx, name)
	if err != nil {
		return nil, err
	}
	es := []broker.ConfigEntry{{Key: "retention.ms", Value: "604800000", Type: broker.TypeLong, Doc: "How long records are kept."}}
	keys := make([]string, 0, len(t.Configs))
	for k := range t.Configs {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		es = append(es, broker.ConfigEntry{Key: k, Value: t.Configs[k], Source: broker.SourceTopic, NoEffect: true, Doc: "As given."})
	}
	return es, nil
}

// NodeConfig has one key, and a secret.
func (b *Broker) NodeConfig(_ context.Context, node broker.NodeID) ([]broker.ConfigEntry, error) {
	if node != 1 {
		return nil, broker.Refuse(broker.CodeInvalidRequest, "describe config", "node")
	}
	return []broker.ConfigEntry{
		{Key: "num.partitions", Value: "1", Source: broker.SourceNode, Type: broker.TypeInt, ReadOnly: true},
		{Key: "secret", Value: "hidden", Source: broker.SourceNode, Sensitive: true},
	}, nil
}

// InitProducer gives a fresh id.
func (b *Broker) InitProducer(context.Context, broker.Client) (broker.ProducerID, broker.ProducerEpoch, error) {
	if err := b.refuse("init producer", ""); err != nil {
		return -1, -1, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.producers++
	return broker.ProducerID(b.producers), 0, nil
}

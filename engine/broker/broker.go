package broker

import "context"

// Broker is all that a front end sees of the engine. Every method may be called
// concurrently. A context that ends makes a call return early: for a call that
// writes, with CodeOutcomeUnknown unless it certainly was not proposed.
type Broker interface {
	Cluster
	Topics
	Logs
	Producers
	Transactions
	Groups
	Operations
	Quotas
}

// Cluster tells who is there.
type Cluster interface {
	// Self is this node.
	Self() NodeID
	// ClusterID is the cluster's stable identity, chosen at bootstrap.
	ClusterID() string
	// Nodes lists the registered nodes by id, with the addresses they advertise.
	Nodes() []Node
	// Controller is the node that leads the catalog, or NoNode.
	Controller() NodeID
}

// Node is one member of the cluster.
type Node struct {
	ID    NodeID
	Kafka Endpoint // what Kafka clients connect to
	AMQP  Endpoint
	Rack  string
	Alive bool // its registration was renewed lately, as this node knows
}

// Endpoint is an advertised address.
type Endpoint struct {
	Host string
	Port int32
}

// Topics creates, finds and describes topics. Look-ups are answered from this
// node's cache of the catalog; nothing is called unknown before a linearizable look.
type Topics interface {
	// FindTopic finds a topic by id, or by name where the id is zero, and tells what a request needs to name its
	// partitions: it costs the same however many there are. CodeUnknownTopic or CodeUnknownTopicID.
	FindTopic(ctx context.Context, name string, id TopicID) (TopicRef, error)
	// Topic finds a topic by name.
	Topic(ctx context.Context, name string) (*Topic, error)
	// TopicByID finds a topic by id (CodeUnknownTopicID).
	TopicByID(ctx context.Context, id TopicID) (*Topic, error)
	// ListTopics gives all topics by name.
	ListTopics(ctx context.Context) ([]*Topic, error)
	// CreateTopic answers when every live node's cache has the topic. With
	// ValidateOnly nothing is created and the would-be topic is returned.
	CreateTopic(ctx context.Context, c Client, s TopicSpec) (*Topic, error)
	// DeleteTopic answers when every live node's cache has forgotten the topic.
	// Exactly one of name and id is given.
	DeleteTopic(ctx context.Context, c Client, name string, id TopicID) (*Topic, error)
	// AlterTopicConfig makes all of the changes, or none, and answers when every live node's cache has them and the
	// partitions go by them. With replace, keys that no change names get their default (Kafka's AlterConfigs).
	AlterTopicConfig(ctx context.Context, c Client, name string, a ConfigAlteration) error
	// GrowTopic gives a topic more partitions, count in all; answered as CreateTopic is. CodeInvalidPartitions when it
	// has as many or more.
	GrowTopic(ctx context.Context, c Client, name string, count int32, validateOnly bool) error
	// TopicConfig lists every topic configuration key with its value in force.
	TopicConfig(ctx context.Context, name string) ([]ConfigEntry, error)
	// NodeConfig lists the configuration in force on a node that clients may see.
	NodeConfig(ctx context.Context, node NodeID) ([]ConfigEntry, error)
	// AutoCreate says whether an unknown topic named in a metadata request may be created.
	AutoCreate() bool
	// DefaultPartitions is the number of partitions for a topic that names none.
	DefaultPartitions() int32
}

// TopicRef names a topic and the range of its partitions: 0 to Partitions−1.
type TopicRef struct {
	ID         TopicID
	Name       string
	Partitions int32
}

// Topic is a snapshot of one topic; it is never changed after it was returned.
type Topic struct {
	ID         TopicID
	Name       string
	Internal   bool
	Partitions []PartitionInfo // by index, 0..n-1
	Configs    map[string]string
}

// PartitionInfo tells where a partition lives. Leader is the true leader as this
// node knows it, NoNode when none is known.
type PartitionInfo struct {
	Index    int32
	Shard    ShardID
	Leader   NodeID
	Epoch    LeaderEpoch
	Replicas []NodeID // voting replicas, the preferred leader first
	Offline  []NodeID // those whose node is not alive
	Joining  []NodeID // replicas that catch up, and will vote
}

// TopicSpec asks for a topic.
type TopicSpec struct {
	Name              string
	Partitions        int32 // −1: the default
	ReplicationFactor int32 // −1: the cluster's
	Configs           map[string]string
	ValidateOnly      bool
}

// ConfigSource says where a value comes from (Kafka: ConfigSource).
type ConfigSource uint8

// The sources.
const (
	SourceDefault ConfigSource = iota
	SourceTopic
	SourceNode
)

// ConfigType is the type of a value, as Kafka's DescribeConfigs 3 names them.
type ConfigType uint8

// The types.
const (
	TypeString ConfigType = iota
	TypeBool
	TypeInt
	TypeLong
	TypeDouble
	TypeList
)

// ConfigOp is what a ConfigChange does with its value (KIP-339).
type ConfigOp uint8

// The operations. Append and Subtract are for lists.
const (
	ConfigSet ConfigOp = iota
	ConfigDelete
	ConfigAppend
	ConfigSubtract
)

// ConfigChange changes one key.
type ConfigChange struct {
	Key   string
	Op    ConfigOp
	Value string // ignored by ConfigDelete
}

// ConfigAlteration is what becomes of a topic's configuration. No key is named twice.
type ConfigAlteration struct {
	Changes      []ConfigChange
	Replace      bool // what is not named gets its default
	ValidateOnly bool
}

// ConfigEntry is one key with the value in force.
type ConfigEntry struct {
	Key       string
	Value     string
	Source    ConfigSource
	Type      ConfigType
	ReadOnly  bool
	Sensitive bool
	NoEffect  bool // accepted for Kafka's clients' sake; changes nothing here
	Doc       string
}

// Producers hands out producer ids.
type Producers interface {
	// InitProducer gives a fresh id with epoch 0 for an idempotent producer. An id
	// is never given twice.
	InitProducer(ctx context.Context, c Client) (ProducerID, ProducerEpoch, error)
}

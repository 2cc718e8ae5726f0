package catalog

import "github.com/tallymq/tallymq/internal/invariant"

// Limits of this package, each with its unit and its reason.
const (
	// Slots is the number of coordinator slots, fixed for ever at bootstrap: participants store slot numbers.
	Slots = 1024
	// TopicNameBytesMax is Kafka's.
	TopicNameBytesMax = 249
	// PartitionsPerTopicMax bounds one TopicCreate.
	PartitionsPerTopicMax = 100_000
	// ReplicasWanted is how many replicas a shard gets when there are that many nodes, else one: two replicas
	// tolerate no failure and double the chance of one.
	ReplicasWanted = 3
	// DataShardsPerNode at bootstrap: enough to use several cores and Raft pipelines, few enough that commits share syncs.
	DataShardsPerNode = 4
	// ProducerBlockMax bounds how many producer ids one node takes at once.
	ProducerBlockMax = 1 << 20
	// FeedViews is how many past views are kept to answer with a difference instead of everything.
	FeedViews = 32
	// NodesMax bounds the cluster, so that a decoded view is bounded by its bytes and a plan by its shards.
	NodesMax = 1000
	// ObjectNameBytesMax is what a short string of AMQP holds: names of exchanges and queues, binding keys.
	ObjectNameBytesMax = 255
	// ExchangesMax, QueuesMax and BindingsMax bound what clients may make every node keep in memory (some 500 bytes each).
	ExchangesMax = 100_000
	QueuesMax    = 100_000
	BindingsMax  = 1_000_000
	// QuotaNameBytesMax bounds a user or client id that has a quota, QuotasMax their number.
	QuotaNameBytesMax = 255
	QuotasMax         = 10_000
	// ShardsMax bounds the shards of a cluster.
	ShardsMax = 10_000
)

func init() {
	invariant.Check(Slots&(Slots-1) == 0, "slots %d must be a power of two", Slots)
	invariant.Check(ReplicasWanted%2 == 1, "replicas wanted %d must be odd", ReplicasWanted)
}

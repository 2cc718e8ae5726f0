package broker

import (
	"context"
	"time"
)

// Transactions is producers with a transactional id. Only the coordinator of an id answers for it; others refuse with
// CodeNotCoordinator. Every call may be repeated: a repeated one gets the first one's answer or is refused.
type Transactions interface {
	// Accepted numbers a connection of a client that was accepted just now, before anything of it is answered. The number
	// goes into Client.Connection: by it a request that comes late over an older connection is told from the client's own.
	Accepted() uint64
	// TransactionCoordinator finds the node that coordinates a transactional id; CodeUnavailable when its shard has no leader.
	TransactionCoordinator(ctx context.Context, id string) (Node, error)
	// InitTransactional makes the caller the producer of a transactional id: it aborts what its predecessor left open, and
	// fences it.
	InitTransactional(ctx context.Context, q *InitTransactional) (ProducerID, ProducerEpoch, error)
	// AddPartitions adds partitions to the open transaction, and begins one if none is open. First protocol version only:
	// under the second Append does it. The answer comes when each partition knows the transaction.
	AddPartitions(ctx context.Context, q *AddPartitions) error
	// VerifyPartitions says, per partition in the order given, whether it is in the open transaction (CodeNotInTransaction).
	VerifyPartitions(ctx context.Context, q *AddPartitions) ([]error, error)
	// AddGroup is AddPartitions for a consumer group.
	AddGroup(ctx context.Context, q *AddGroup) error
	// EndTransaction commits or aborts. It answers when that is decided for ever; partitions and groups of other shards are
	// told after it. Under the second protocol version the producer goes on with what is returned.
	EndTransaction(ctx context.Context, q *EndTransaction) (ProducerID, ProducerEpoch, error)
	// OfferOffsets makes positions of a group part of the open transaction: they come into force with its commit. Only the
	// group's coordinator answers, per offset in the order given; the error is for all.
	OfferOffsets(ctx context.Context, q *OfferOffsets) ([]error, error)
	// DescribeTransaction shows a transactional id; CodeUnknownTransactionalID.
	DescribeTransaction(ctx context.Context, id string) (*TransactionDescription, error)
	// ListTransactions lists the transactional ids that this node coordinates, by id.
	ListTransactions(ctx context.Context) ([]TransactionDescription, error)
	// DescribeProducers lists the producers that a partition remembers, by id. Only its leader answers.
	DescribeProducers(ctx context.Context, p Partition) ([]ProducerDescription, error)
	// AbortTransaction is an operator's: it aborts the open transaction of an id and fences its producer.
	AbortTransaction(ctx context.Context, c Client, id string) error
	// EndForeign is what tools ask that know a partition and a producer only (WriteTxnMarkers): the transaction that holds
	// the partition is aborted whole, or nothing happens. A commit is refused.
	EndForeign(ctx context.Context, c Client, p Partition, id ProducerID, epoch ProducerEpoch, commit bool) error
}

// Protocol is the version of the transaction protocol that a request speaks.
type Protocol uint8

// The versions: under the second one (KIP-890) the epoch rises with each transaction.
const (
	ProtocolV1 Protocol = 1
	ProtocolV2 Protocol = 2
)

// TransactionalProducer is a producer's claim: who it is.
type TransactionalProducer struct {
	Client   Client
	ID       string // transactional.id
	Producer ProducerID
	Epoch    ProducerEpoch
	Protocol Protocol
}

// InitTransactional asks for an identity. Producer and epoch −1: whoever the id has now is fenced; else the caller claims
// to be that one (KIP-360).
type InitTransactional struct {
	Client   Client
	ID       string
	Timeout  time.Duration
	Producer ProducerID
	Epoch    ProducerEpoch
}

// AddPartitions names partitions.
type AddPartitions struct {
	TransactionalProducer
	Partitions []Partition
}

// AddGroup names a group.
type AddGroup struct {
	TransactionalProducer
	Group string
}

// EndTransaction commits or aborts.
type EndTransaction struct {
	TransactionalProducer
	Commit bool
}

// OfferOffsets are positions of a group. The member's claim is checked as with CommitOffsets, but a producer without one may
// offer to a group that has members.
type OfferOffsets struct {
	TransactionalProducer
	Member  GroupMember
	Offsets []CommitOffset
}

// TransactionState is Kafka's name of a state: "Empty", "Ongoing", "CompleteCommit", "CompleteAbort".
type TransactionState string

// TransactionDescription is a transactional id as DescribeTransactions shows it.
type TransactionDescription struct {
	ID         string
	Producer   ProducerID
	Epoch      ProducerEpoch
	State      TransactionState
	Timeout    time.Duration
	Number     uint64        // of the open transaction, or the last one
	Age        time.Duration // of the open transaction, negative if none is open
	Partitions []Partition   // of the open transaction
	Groups     []string      // of the open transaction
	Owed       int           // decided transactions that somebody was not told of yet
}

// ProducerDescription is a producer as a partition knows it.
type ProducerDescription struct {
	Producer         ProducerID
	Epoch            ProducerEpoch
	LastSequence     int32  // −1: none in this epoch
	LastTimestamp    int64  // ms, replicated time of its last change
	CoordinatorEpoch int32  // −1: not known
	TransactionStart Offset // of the open transaction, −1 if there is none
}

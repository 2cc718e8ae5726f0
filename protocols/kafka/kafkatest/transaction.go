package kafkatest

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
)

// This broker has no transactions: it answers as one whose every request of a transaction is refused.

func (b *Broker) noTransactions(op, resource string) error {
	if err := b.refuse(op, resource); err != nil {
		return err
	}
	return broker.Refuse(broker.CodeTransactionsUnsupported, op, resource)
}

// Accepted numbers connections.
func (b *Broker) Accepted() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted++
	return b.accepted
}

// TransactionCoordinator refuses.
func (b *Broker) TransactionCoordinator(_ context.Context, id string) (broker.Node, error) {
	return broker.Node{}, b.noTransactions("find coordinator", id)
}

// InitTransactional refuses.
func (b *Broker) InitTransactional(_ context.Context, q *broker.InitTransactional) (broker.ProducerID, broker.ProducerEpoch, error) {
	return -1, -1, b.noTransactions("init producer", q.ID)
}

// AddPartitions refuses.
func (b *Broker) AddPartitions(_ context.Context, q *broker.AddPartitions) error {
	return b.noTransactions("add partitions", q.ID)
}

// VerifyPartitions refuses.
func (b *Broker) VerifyPartitions(_ context.Context, q *broker.AddPartitions) ([]error, error) {
	return nil, b.noTransactions("verify partitions", q.ID)
}

// AddGroup refuses.
func (b *Broker) AddGroup(_ context.Context, q *broker.AddGroup) error {
	return b.noTransactions("add group", q.ID)
}

// EndTransaction refuses.
func (b *Broker) EndTransaction(_ context.Context, q *broker.EndTransaction) (broker.ProducerID, broker.ProducerEpoch, error) {
	return -1, -1, b.noTransactions("end transaction", q.ID)
}

// OfferOffsets refuses.
func (b *Broker) OfferOffsets(_ context.Context, q *broker.OfferOffsets) ([]error, error) {
	return nil, b.noTransactions("offer offsets", q.ID)
}

// DescribeTransaction refuses.
func (b *Broker) DescribeTransaction(_ context.Context, id string) (*broker.TransactionDescription, error) {
	return nil, b.noTransactions("describe transaction", id)
}

// ListTransactions lists none.
func (b *Broker) ListTransactions(context.Context) ([]broker.TransactionDescription, error) {
	return nil, b.refuse("list transactions", "")
}

// DescribeProducers lists none.
func (b *Broker) DescribeProducers(_ context.Context, p broker.Partition) ([]broker.ProducerDescription, error) {
	return nil, b.refuse("describe producers", p.String())
}

// AbortTransaction refuses.
func (b *Broker) AbortTransaction(_ context.Context, _ broker.Client, id string) error {
	return b.noTransactions("abort transaction", id)
}

// EndForeign refuses.
func (b *Broker) EndForeign(_ context.Context, _ broker.Client, p broker.Partition, _ broker.ProducerID, _ broker.ProducerEpoch, _ bool) error {
	return b.noTransactions("end transaction of another", p.String())
}

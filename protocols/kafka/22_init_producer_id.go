package kafka

import (
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerId (key 22): a fresh id for an idempotent producer.
//
// Behaviour
//   - Without a transactional id: a new id with epoch 0, also when the client names an old one, as in Kafka.
//   - With one: its coordinator makes the client its producer, aborts what a predecessor left open and fences it. Nobody is
//     asked to come again while that abort reaches its partitions. A time-out out of bounds: INVALID_TRANSACTION_TIMEOUT.
//
// Versions
//   - 2 flexible; 3 the id and epoch that the client has (KIP-360); 4 PRODUCER_FENCED; 5 nothing here.
func initProducerIDLayout() *layout { return parseLayout("n w 3+:l 3+:h") }

// initVersionFenced is the first that knows PRODUCER_FENCED; none is told that a transaction can be aborted: none is open.
const (
	initVersionFenced  int16 = 4
	initAbortableNever int16 = 1<<15 - 1
)

func initProducerID(r *request, q *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if q.TransactionalID != nil {
		id, epoch, err := r.server.broker.InitTransactional(r.ctx, &broker.InitTransactional{
			Client: r.client, ID: *q.TransactionalID, Timeout: time.Duration(q.TransactionTimeoutMillis) * time.Millisecond,
			Producer: broker.ProducerID(q.ProducerID), Epoch: broker.ProducerEpoch(q.ProducerEpoch),
		})
		if err != nil {
			resp.ErrorCode = r.refused(err, q.Version, initVersionFenced, initAbortableNever)
			return resp
		}
		resp.ProducerID, resp.ProducerEpoch = int64(id), int16(epoch)
		return resp
	}
	id, epoch, err := r.server.broker.InitProducer(r.ctx, r.client)
	if err != nil {
		resp.ErrorCode = producerErrors.code(err)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = int64(id), int16(epoch)
	return resp
}

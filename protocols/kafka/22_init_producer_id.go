package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerId (key 22): a fresh id for an idempotent producer.
//
// Behaviour
//   - Without a transactional id: a new id with epoch 0, also when the client names an old one, as in Kafka.
//   - With one: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, until transactions exist.
//
// Versions
//   - 2 flexible; 3 the id and epoch that the client has (KIP-360); 4 and 5 nothing here.
func initProducerIDLayout() *layout { return parseLayout("n w 3+:l 3+:h") }

func initProducerID(r *request, q *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if q.TransactionalID != nil {
		resp.ErrorCode = producerErrors.code(broker.Refuse(broker.CodeTransactionsUnsupported, "init producer", *q.TransactionalID))
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

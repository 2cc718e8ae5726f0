package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddOffsetsToTxn (key 25): a group becomes part of the open transaction, and one begins if none is open.
//
// Behaviour
//   - As AddPartitionsToTxn. Here a group is a participant of its own; it has no partition of a topic of offsets.
//
// Versions
//   - 2 PRODUCER_FENCED; 3 flexible; 4 TRANSACTION_ABORTABLE. Clients of the second protocol version do not send it.
func addOffsetsToTxnLayout() *layout { return parseLayout("s l h s") }

func addOffsetsToTxn(r *request, q *kmsg.AddOffsetsToTxnRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	err := r.server.broker.AddGroup(r.ctx, &broker.AddGroup{TransactionalProducer: r.producer(q.TransactionalID, q.ProducerID, q.ProducerEpoch, false), Group: q.Group})
	resp.ErrorCode = r.refused(err, q.Version, addVersionFenced, 4)
	return resp
}

package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// EndTxn (key 26): commits or aborts the open transaction.
//
// Behaviour
//   - Answered when the outcome is decided for ever. Partitions and groups on other shards are told after it; the next
//     transaction does not wait for them.
//   - A retry gets the first one's answer as long as nothing came after it. The opposite outcome: INVALID_TXN_STATE.
//   - A commit of nothing: INVALID_TXN_STATE. An abort of nothing is one under the second protocol version only.
//
// Versions
//   - 2 PRODUCER_FENCED; 3 flexible; 4 TRANSACTION_ABORTABLE; 5 the second protocol version: the answer has the producer id
//     and epoch to go on with (KIP-890).
func endTxnLayout() *layout { return parseLayout("s l h b") }

const endVersionSecond = 5

func endTxn(r *request, q *kmsg.EndTxnRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.EndTxnResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	id, epoch, err := r.server.broker.EndTransaction(r.ctx, &broker.EndTransaction{
		TransactionalProducer: r.producer(q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Version >= endVersionSecond), Commit: q.Commit,
	})
	if err != nil {
		resp.ErrorCode = r.refused(err, q.Version, addVersionFenced, 4)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = int64(id), int16(epoch)
	return resp
}

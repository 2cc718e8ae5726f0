package kafka

import (
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTransactions (key 65): transactional ids, each by its coordinator.
//
// Behaviour
//   - An id that is not known: TRANSACTIONAL_ID_NOT_FOUND. Groups that take part are not shown: Kafka's answer has partitions
//     only. Start timestamp −1 when no transaction is open.
//
// Versions
//   - 0, flexible.
func describeTransactionsLayout() *layout { return parseLayout("( s )") }

func describeTransactions(r *request, q *kmsg.DescribeTransactionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	resp.TransactionStates = make([]kmsg.DescribeTransactionsResponseTransactionState, len(q.TransactionalIDs))
	fanOut(len(q.TransactionalIDs), func(i int) { resp.TransactionStates[i] = describeTransaction(r, q.TransactionalIDs[i]) })
	return resp
}

func describeTransaction(r *request, id string) kmsg.DescribeTransactionsResponseTransactionState {
	out := kmsg.NewDescribeTransactionsResponseTransactionState()
	out.TransactionalID, out.ProducerID, out.ProducerEpoch, out.StartTimestamp = id, -1, -1, -1
	d, err := r.server.broker.DescribeTransaction(r.ctx, id)
	switch {
	case broker.CodeOf(err) == broker.CodeUnknownTransactionalID:
		out.ErrorCode = errTransactionalIDNotFound
		return out
	case err != nil:
		out.ErrorCode = txnErrors.code(err)
		return out
	}
	out.State, out.TimeoutMillis = string(d.State), int32(d.Timeout.Milliseconds())
	out.ProducerID, out.ProducerEpoch = int64(d.Producer), int16(d.Epoch)
	if d.Age >= 0 {
		out.StartTimestamp = time.Now().Add(-d.Age).UnixMilli()
	}
	places := map[broker.TopicID]int{}
	for _, p := range d.Partitions {
		at, ok := places[p.Topic]
		if !ok {
			t, err := r.server.broker.FindTopic(r.ctx, "", p.Topic)
			if err != nil {
				continue // deleted meanwhile
			}
			at = len(out.Topics)
			places[p.Topic] = at
			out.Topics = append(out.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: t.Name})
		}
		out.Topics[at].Partitions = append(out.Topics[at].Partitions, p.Index)
	}
	return out
}

package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers (key 61): the producers that a partition remembers, and which of them have a transaction open there.
//
// Behaviour
//   - Only the partition's leader answers. The coordinator epoch is not kept per producer: −1.
//
// Versions
//   - 0, flexible.
func describeProducersLayout() *layout { return parseLayout("[ s ( w ) ]") }

func describeProducers(r *request, q *kmsg.DescribeProducersRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeProducersResponse)
	resp.Topics = make([]kmsg.DescribeProducersResponseTopic, len(q.Topics))
	for i := range q.Topics {
		from, to := &q.Topics[i], &resp.Topics[i]
		to.Topic = from.Topic
		to.Partitions = make([]kmsg.DescribeProducersResponseTopicPartition, len(from.Partitions))
		ref, err := r.server.broker.FindTopic(r.ctx, from.Topic, broker.TopicID{})
		fanOut(len(from.Partitions), func(j int) {
			out := &to.Partitions[j]
			out.Partition = from.Partitions[j]
			refusal := err
			if refusal == nil {
				refusal = hasPartition("describe producers", ref, out.Partition)
			}
			var ps []broker.ProducerDescription
			if refusal == nil {
				ps, refusal = r.server.broker.DescribeProducers(r.ctx, broker.Partition{Topic: ref.ID, Index: out.Partition})
			}
			out.ErrorCode, out.ErrorMessage = readErrors.code(refusal), text(refusal)
			for _, p := range ps {
				out.ActiveProducers = append(out.ActiveProducers, kmsg.DescribeProducersResponseTopicPartitionActiveProducer{
					ProducerID: int64(p.Producer), ProducerEpoch: int32(p.Epoch), LastSequence: p.LastSequence, LastTimestamp: p.LastTimestamp,
					CoordinatorEpoch: p.CoordinatorEpoch, CurrentTxnStartOffset: int64(p.TransactionStart),
				})
			}
		})
	}
	return resp
}

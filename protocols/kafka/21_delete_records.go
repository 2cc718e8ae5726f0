package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords (key 21): moves the log start of partitions up (KIP-107).
//
// Behaviour
//   - Offset −1: up to the log's end. Beyond it: OFFSET_OUT_OF_RANGE. At or below the log start nothing changes.
//   - The low watermark answered is the log start, the same on every replica: it is a replicated decision.
//   - Only the leader answers. Past the request's time-out the outcome is unknown: REQUEST_TIMED_OUT.
//   - A partition named twice: INVALID_REQUEST.
//   - A topic whose cleanup.policy has no delete: POLICY_VIOLATION, as in Kafka.
//
// Versions
//   - 2 flexible.
func deleteRecordsLayout() *layout { return parseLayout("[ s [ w l ] ] w") }

func deleteRecords(r *request, q *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DeleteRecordsResponse)
	ctx, cancel := r.within(q.TimeoutMillis)
	defer cancel()
	type ask struct {
		topic broker.TopicRef
		in    *kmsg.DeleteRecordsRequestTopicPartition
		out   *kmsg.DeleteRecordsResponseTopicPartition
	}
	var asks []ask
	named := map[broker.TopicPartition]int{}
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			named[broker.TopicPartition{Topic: q.Topics[i].Topic, Partition: q.Topics[i].Partitions[j].Partition}]++
		}
	}
	resp.Topics = make([]kmsg.DeleteRecordsResponseTopic, len(q.Topics))
	for i := range q.Topics {
		from, to := &q.Topics[i], &resp.Topics[i]
		to.Topic = from.Topic
		to.Partitions = make([]kmsg.DeleteRecordsResponseTopicPartition, len(from.Partitions))
		t, err := r.server.broker.FindTopic(r.ctx, from.Topic, broker.TopicID{})
		for j := range from.Partitions {
			in, out := &from.Partitions[j], &to.Partitions[j]
			out.Default()
			out.Partition, out.LowWatermark = in.Partition, -1
			refusal := err
			if refusal == nil {
				refusal = hasPartition("delete records", t, in.Partition)
			}
			switch {
			case refusal != nil:
				out.ErrorCode = trimErrors.code(refusal)
			case named[broker.TopicPartition{Topic: from.Topic, Partition: in.Partition}] > 1:
				out.ErrorCode = errInvalidRequest
			default:
				asks = append(asks, ask{t, in, out})
			}
		}
	}
	fanOut(len(asks), func(i int) {
		a := asks[i]
		start, err := r.server.broker.DeleteRecords(ctx, r.client, broker.Partition{Topic: a.topic.ID, Index: a.in.Partition}, broker.Offset(a.in.Offset))
		if err != nil {
			a.out.ErrorCode = trimErrors.code(err)
			return
		}
		a.out.LowWatermark = int64(start)
	})
	return resp
}

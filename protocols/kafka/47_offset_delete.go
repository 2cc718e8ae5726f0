package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetDelete (key 47): forgets committed offsets of a group (KIP-496).
//
// Behaviour
//   - A topic that a member consumes: GROUP_SUBSCRIBED_TO_TOPIC, and its offsets stay. A group whose members' topics are not
//     known (no consumer group, or in the middle of a rebalance): NON_EMPTY_GROUP for all.
//   - An offset that was never committed is as good as deleted.
//
// Versions
//   - 0 is the only one.
func offsetDeleteLayout() *layout { return parseLayout("s [ s ( w ) ]") }

func offsetDelete(r *request, q *kmsg.OffsetDeleteRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetDeleteResponse)
	var asked []broker.TopicPartition
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			asked = append(asked, broker.TopicPartition{Topic: q.Topics[i].Topic, Partition: q.Topics[i].Partitions[j].Partition})
		}
	}
	errs, err := r.server.broker.DeleteOffsets(r.ctx, r.client, q.Group, asked)
	if err != nil {
		resp.ErrorCode = commitErrors.code(err)
		return resp
	}
	n := 0
	for i := range q.Topics {
		t := kmsg.NewOffsetDeleteResponseTopic()
		t.Topic = q.Topics[i].Topic
		for _, p := range q.Topics[i].Partitions {
			out := kmsg.NewOffsetDeleteResponseTopicPartition()
			out.Partition, out.ErrorCode = p.Partition, offsetDeleteErrors.code(errs[n])
			t.Partitions = append(t.Partitions, out)
			n++
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

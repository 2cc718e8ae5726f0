package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch (key 23): where a leader's epoch ended, by which a consumer finds that its log diverged.
//
// Behaviour
//   - The greatest epoch not above the one asked for, and the offset after its last record; (−1, −1) when the log has none. Too small an
//     end would read as truncation and rewind the consumer, so the engine answers after a read index or not at all.
//
// Versions
//   - 2 is the first with the epoch that the client knows (KIP-320); 3 replica id, ignored; 4 flexible.
func offsetForLeaderEpochLayout() *layout { return parseLayout("3+:w [ s [ w 2+:w w ] ]") }

func offsetForLeaderEpoch(r *request, q *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	type ask struct {
		topic broker.TopicRef
		in    *kmsg.OffsetForLeaderEpochRequestTopicPartition
		out   *kmsg.OffsetForLeaderEpochResponseTopicPartition
	}
	var asks []ask
	resp.Topics = make([]kmsg.OffsetForLeaderEpochResponseTopic, len(q.Topics))
	for i := range q.Topics {
		from, to := &q.Topics[i], &resp.Topics[i]
		to.Topic = from.Topic
		to.Partitions = make([]kmsg.OffsetForLeaderEpochResponseTopicPartition, len(from.Partitions))
		t, err := r.server.broker.FindTopic(r.ctx, from.Topic, broker.TopicID{})
		for j := range from.Partitions {
			in, out := &from.Partitions[j], &to.Partitions[j]
			out.Default()
			out.Partition, out.LeaderEpoch, out.EndOffset = in.Partition, -1, -1
			refusal := err
			if refusal == nil {
				refusal = hasPartition("epoch end", t, in.Partition)
			}
			if refusal != nil {
				out.ErrorCode = readErrors.code(refusal)
				continue
			}
			asks = append(asks, ask{t, in, out})
		}
	}
	fanOut(len(asks), func(i int) {
		a := asks[i]
		got, err := r.server.broker.EpochEnd(r.ctx, broker.EpochQuery{
			Client:       r.client,
			Partition:    broker.Partition{Topic: a.topic.ID, Index: a.in.Partition},
			CurrentEpoch: broker.LeaderEpoch(a.in.CurrentLeaderEpoch),
			Epoch:        broker.LeaderEpoch(a.in.LeaderEpoch),
		})
		if err != nil {
			a.out.ErrorCode = readErrors.code(err)
			return
		}
		a.out.LeaderEpoch, a.out.EndOffset = int32(got.Epoch), int64(got.End)
	})
	return resp
}

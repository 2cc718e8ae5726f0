package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListOffsets (key 2): offsets by timestamp, or the first and the last.
//
// Behaviour
//   - −1 latest (with read_committed: the last stable offset), −2 earliest, −3 the record of the greatest timestamp, else the first
//     record at or after a time; offset −1 when there is none.
//   - −4 (earliest local) is the earliest, −5 (last tiered) none, as on a Kafka without tiered storage.
//   - A partition named twice: INVALID_REQUEST, as in Kafka, for each time.
//   - Partitions are asked for together, so that they share a read index.
//
// Versions
//   - 1 is the first with one offset per partition; 2 isolation level; 4 leader epoch; 6 flexible; 7 −3; 8 −4; 9 −5; 10 a time-out.
func listOffsetsLayout() *layout { return parseLayout("w 2+:b [ s [ w 4+:w l ] ] 10+:w") }

const (
	timestampEarliestLocal int64 = -4
	timestampLastTiered    int64 = -5
)

func listOffsets(r *request, q *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListOffsetsResponse)
	type ask struct {
		topic broker.TopicRef
		in    *kmsg.ListOffsetsRequestTopicPartition
		out   *kmsg.ListOffsetsResponseTopicPartition
	}
	var asks []ask
	resp.Topics = make([]kmsg.ListOffsetsResponseTopic, len(q.Topics))
	named := map[broker.TopicPartition]int{}
	for i := range q.Topics {
		for j := range q.Topics[i].Partitions {
			named[broker.TopicPartition{Topic: q.Topics[i].Topic, Partition: q.Topics[i].Partitions[j].Partition}]++
		}
	}
	for i := range q.Topics {
		from, to := &q.Topics[i], &resp.Topics[i]
		to.Topic = from.Topic
		to.Partitions = make([]kmsg.ListOffsetsResponseTopicPartition, len(from.Partitions))
		t, err := r.server.broker.FindTopic(r.ctx, from.Topic, broker.TopicID{})
		for j := range from.Partitions {
			in, out := &from.Partitions[j], &to.Partitions[j]
			out.Default()
			out.Partition = in.Partition
			refusal := err
			if refusal == nil {
				refusal = hasPartition("list offset", t, in.Partition)
			}
			switch {
			case named[broker.TopicPartition{Topic: from.Topic, Partition: in.Partition}] > 1:
				out.ErrorCode = errInvalidRequest
			case refusal != nil:
				out.ErrorCode = readErrors.code(refusal)
			case in.Timestamp == timestampLastTiered:
			default:
				asks = append(asks, ask{t, in, out})
			}
		}
	}
	fanOut(len(asks), func(i int) {
		a := asks[i]
		query := broker.OffsetQuery{
			Client:    r.client,
			Partition: broker.Partition{Topic: a.topic.ID, Index: a.in.Partition},
			Epoch:     broker.LeaderEpoch(a.in.CurrentLeaderEpoch),
			Timestamp: a.in.Timestamp,
			Committed: q.IsolationLevel == 1,
		}
		if query.Timestamp == timestampEarliestLocal {
			query.Timestamp = broker.TimestampEarliest
		}
		got, err := r.server.broker.ListOffset(r.ctx, query)
		if err != nil {
			a.out.ErrorCode = readErrors.code(err)
			return
		}
		a.out.Offset, a.out.Timestamp, a.out.LeaderEpoch = int64(got.Offset), got.Timestamp, int32(got.Epoch)
	})
	return resp
}

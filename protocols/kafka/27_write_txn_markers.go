package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// WriteTxnMarkers (key 27): on Kafka, what coordinators send to partitions; and tools, to end a hanging transaction.
//
// Behaviour
//   - Written as asked, a marker in one partition would tear a transaction. So an abort aborts the whole transaction that
//     holds the partition, through its coordinator; a commit is refused with INVALID_TXN_STATE, and so is the abort of what
//     is decided or not open.
//   - Coordinators here do not use it.
//
// Versions
//   - 1 is the only one that Kafka 4.1 serves; flexible.
func writeTxnMarkersLayout() *layout { return parseLayout("[ l h b [ s ( w ) ] w ]") }

func writeTxnMarkers(r *request, q *kmsg.WriteTxnMarkersRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	resp.Markers = make([]kmsg.WriteTxnMarkersResponseMarker, len(q.Markers))
	for i := range q.Markers {
		in, out := &q.Markers[i], &resp.Markers[i]
		out.ProducerID = in.ProducerID
		for _, t := range in.Topics {
			topic := kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: t.Topic}
			ref, err := r.server.broker.FindTopic(r.ctx, t.Topic, broker.TopicID{})
			for _, index := range t.Partitions {
				refusal := err
				if refusal == nil {
					refusal = hasPartition("write markers", ref, index)
				}
				if refusal == nil {
					refusal = r.server.broker.EndForeign(r.ctx, r.client, broker.Partition{Topic: ref.ID, Index: index}, broker.ProducerID(in.ProducerID),
						broker.ProducerEpoch(in.ProducerEpoch), in.Committed)
				}
				topic.Partitions = append(topic.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: index, ErrorCode: markerErrors.code(refusal)})
			}
			out.Topics = append(out.Topics, topic)
		}
	}
	return resp
}

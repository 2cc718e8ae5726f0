package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions (key 37): gives topics more partitions (KIP-195).
//
// Behaviour
//   - The count is that of all partitions afterwards; one that is not greater than today's: INVALID_PARTITIONS.
//   - Each topic has its own result; it is answered when every live node knows the partitions. Past the request's time-out the
//     outcome is unknown: REQUEST_TIMED_OUT.
//   - A topic named twice: INVALID_REQUEST. Assigning replicas by hand: INVALID_REPLICA_ASSIGNMENT.
//
// Versions
//   - 2 flexible.
func createPartitionsLayout() *layout { return parseLayout("[ s w [ ( w ) ] ] w b") }

func createPartitions(r *request, q *kmsg.CreatePartitionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.CreatePartitionsResponse)
	ctx, cancel := r.within(q.TimeoutMillis)
	defer cancel()
	named := map[string]int{}
	for i := range q.Topics {
		named[q.Topics[i].Topic]++
	}
	resp.Topics = make([]kmsg.CreatePartitionsResponseTopic, len(q.Topics))
	fanOut(len(q.Topics), func(i int) {
		in, out := &q.Topics[i], &resp.Topics[i]
		out.Default()
		out.Topic = in.Topic
		var err error
		switch {
		case named[in.Topic] > 1:
			err = broker.Errorf(broker.CodeInvalidRequest, "create partitions", "topic "+in.Topic, "it is named twice in one request")
		case in.Assignment != nil:
			err = broker.Errorf(broker.CodeInvalidReplicaAssignment, "create partitions", "topic "+in.Topic, "replicas are placed by the cluster")
		default:
			err = r.server.broker.GrowTopic(ctx, r.client, in.Topic, in.Count, q.ValidateOnly)
		}
		out.ErrorCode, out.ErrorMessage = topicErrors.code(err), text(err)
	})
	return resp
}

package kafka

import (
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments (key 46): the partitions whose replicas are changing (KIP-455).
//
// Behaviour
//   - They are those of the shards that the cluster is giving a replica: while it catches up, it is one that is being added. Which one
//     goes, if one does, is decided after that, so none is listed as being removed.
//   - Topics null: every partition. Partitions that are not changing, and those that there are not, are left out, as in Kafka.
//
// Versions
//   - 0 is the only one, flexible.
func listReassignmentsLayout() *layout { return parseLayout("w [ s ( w ) ]") }

func listReassignments(r *request, q *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	ts, err := r.server.broker.ListTopics(r.ctx)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicErrors.code(err), text(err)
		return resp
	}
	wanted := map[string][]int32{}
	for _, t := range q.Topics {
		wanted[t.Topic] = append(wanted[t.Topic], t.Partitions...)
	}
	for _, t := range ts {
		to := kmsg.NewListPartitionReassignmentsResponseTopic()
		to.Topic = t.Name
		for i := range t.Partitions {
			p := &t.Partitions[i]
			if len(p.Joining) > 0 && (q.Topics == nil || slices.Contains(wanted[t.Name], p.Index)) {
				to.Partitions = append(to.Partitions, changing(p))
			}
		}
		if len(to.Partitions) > 0 {
			resp.Topics = append(resp.Topics, to)
		}
	}
	return resp
}

func changing(p *broker.PartitionInfo) kmsg.ListPartitionReassignmentsResponseTopicPartition {
	out := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
	out.Partition, out.RemovingReplicas = p.Index, []int32{}
	out.Replicas, _, _ = splitReplicas(slices.Concat(p.Replicas, p.Joining), nil)
	out.AddingReplicas, _, _ = splitReplicas(p.Joining, nil)
	return out
}

package kafka

import (
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments (key 45): asks for other replicas of single partitions (KIP-455).
//
// Behaviour
//   - Partitions live in shards, and it is shards that have replicas. The cluster places them: it replaces what is damaged or was
//     removed, and fills new nodes. So another list of replicas than today's is refused with INVALID_REPLICA_ASSIGNMENT; today's list,
//     in today's order, is there already.
//   - Cancelling: NO_REASSIGNMENT_IN_PROGRESS; when the cluster is moving the partition's shard, POLICY_VIOLATION: it goes on.
//   - A partition named twice: INVALID_REQUEST.
//
// Versions
//   - 0 flexible from the start; 1 whether the number of replicas may change, which it cannot.
func alterReassignmentsLayout() *layout { return parseLayout("w 1+:b [ s [ w ( w ) ] ]") }

func alterReassignments(r *request, q *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	resp.AllowReplicationFactorChange = q.AllowReplicationFactorChange
	named := map[broker.TopicPartition]int{}
	for _, t := range q.Topics {
		for _, p := range t.Partitions {
			named[broker.TopicPartition{Topic: t.Topic, Partition: p.Partition}]++
		}
	}
	for _, from := range q.Topics {
		to := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		to.Topic = from.Topic
		t, err := r.server.broker.Topic(r.ctx, from.Topic)
		for i := range from.Partitions {
			in, out := &from.Partitions[i], kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			out.Partition = in.Partition
			switch {
			case err != nil:
				out.ErrorCode, out.ErrorMessage = topicErrors.code(err), text(err)
			case named[broker.TopicPartition{Topic: from.Topic, Partition: in.Partition}] > 1:
				out.ErrorCode = errInvalidRequest
			default:
				out.ErrorCode, out.ErrorMessage = reassign(t, in)
			}
			to.Partitions = append(to.Partitions, out)
		}
		resp.Topics = append(resp.Topics, to)
	}
	return resp
}

// reassign judges what is asked for one partition.
func reassign(t *broker.Topic, in *kmsg.AlterPartitionAssignmentsRequestTopicPartition) (int16, *string) {
	refuse := func(code broker.Code, format string, args ...any) (int16, *string) {
		err := broker.Errorf(code, "reassign partition", "topic "+t.Name, format, args...)
		return topicErrors.code(err), text(err)
	}
	if in.Partition < 0 || int(in.Partition) >= len(t.Partitions) {
		return refuse(broker.CodeUnknownTopic, "no partition %d of %d", in.Partition, len(t.Partitions))
	}
	p := &t.Partitions[in.Partition]
	replicas, _, _ := splitReplicas(p.Replicas, nil)
	switch {
	case in.Replicas == nil && len(p.Joining) == 0:
		why := "nothing is moving"
		return errNoReassignmentInProgress, &why
	case in.Replicas == nil:
		return refuse(broker.CodePolicyViolation, "the cluster is moving shard %d, and goes on", p.Shard)
	case !slices.Equal(in.Replicas, replicas):
		return refuse(broker.CodeInvalidReplicaAssignment, "replicas %v: those of shard %d, which has other partitions too, are placed by the cluster: %v", in.Replicas, p.Shard, replicas)
	}
	return errNone, nil
}

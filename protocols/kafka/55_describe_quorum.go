package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeQuorum (key 55): how the replicas of the cluster's metadata stand (KIP-595, KIP-836, KIP-853).
//
// Behaviour
//   - The one partition that has a quorum for clients is __cluster_metadata-0: here the catalog's shard. It can be neither read nor written
//     by clients. Any other: UNKNOWN_TOPIC_OR_PARTITION.
//   - Offsets are Raft's indexes of applied entries, as each node told last; −1 where one did not lately. Replicas that catch up are
//     observers. Times of fetches are unknown (−1): followers here do not fetch.
//   - Any node answers, as it knows it.
//
// Versions
//   - 0 flexible from the start; 1 times; 2 messages, directory ids (none), addresses of the nodes.
func describeQuorumLayout() *layout { return parseLayout("[ s [ w ] ]") }

const metadataTopic = "__cluster_metadata"

func describeQuorum(r *request, q *kmsg.DescribeQuorumRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeQuorumResponse)
	quorum, err := r.server.broker.CatalogQuorum(r.ctx)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicErrors.code(err), text(err)
		return resp
	}
	for _, from := range q.Topics {
		to := kmsg.NewDescribeQuorumResponseTopic()
		to.Topic = from.Topic
		for _, p := range from.Partitions {
			out := kmsg.NewDescribeQuorumResponseTopicPartition()
			out.Partition = p.Partition
			if from.Topic == metadataTopic && p.Partition == 0 {
				describeReplicas(quorum, &out)
			} else {
				out.ErrorCode, out.LeaderID, out.HighWatermark = errUnknownTopicOrPartition, int32(broker.NoNode), -1
			}
			to.Partitions = append(to.Partitions, out)
		}
		resp.Topics = append(resp.Topics, to)
	}
	for _, n := range r.server.broker.Nodes() {
		out, l := kmsg.NewDescribeQuorumResponseNode(), kmsg.NewDescribeQuorumResponseNodeListener()
		out.NodeID, l.Name, l.Host, l.Port = int32(n.ID), "KAFKA", n.Kafka.Host, uint16(n.Kafka.Port)
		out.Listeners = append(out.Listeners, l)
		resp.Nodes = append(resp.Nodes, out)
	}
	return resp
}

func describeReplicas(q broker.Quorum, out *kmsg.DescribeQuorumResponseTopicPartition) {
	out.LeaderID, out.LeaderEpoch, out.HighWatermark = int32(q.Leader), int32(q.Epoch), q.Applied
	out.CurrentVoters, out.Observers = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}, []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	for _, r := range q.Replicas {
		s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		s.ReplicaID, s.LogEndOffset = int32(r.Node), r.Applied
		if r.Voting {
			out.CurrentVoters = append(out.CurrentVoters, s)
		} else {
			out.Observers = append(out.Observers, s)
		}
	}
}

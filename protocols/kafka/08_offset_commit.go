package kafka

import (
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetCommit (key 8): stores a group's positions.
//
// Behaviour
//   - One commit for all partitions; each has its own error.
//   - An empty member id with generation −1 is a commit from outside the group.
//   - Retention: what versions 2 to 4 name, else the configured time.
//
// Versions
//   - 2 to 4 a retention time; 6 leader epoch; 7 group.instance.id (KIP-345); 8 flexible; 9 names the member's epoch, the
//     same field (KIP-848).
//   - 10 is not served: topic ids, with the new group protocol.
func offsetCommitLayout() *layout { return parseLayout("s w s 7+:n 2-4:l [ s [ w l 6+:w n ] ]") }

func offsetCommit(r *request, q *kmsg.OffsetCommitRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetCommitResponse)
	commit := &broker.CommitOffsets{
		GroupMember: broker.GroupMember{
			Client: r.client, Group: q.Group, MemberID: q.MemberID, InstanceID: deref(q.InstanceID), Generation: broker.Generation(q.Generation),
		},
		Retention: -1,
	}
	if q.Version <= 4 && q.RetentionTimeMillis >= 0 {
		commit.Retention = time.Duration(min(q.RetentionTimeMillis, retentionMillisMax)) * time.Millisecond
	}
	var places []*kmsg.OffsetCommitResponseTopicPartition
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(q.Topics))
	for i := range q.Topics {
		from, to := &q.Topics[i], &resp.Topics[i]
		to.Topic = from.Topic
		to.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(from.Partitions))
		for j := range from.Partitions {
			in, out := &from.Partitions[j], &to.Partitions[j]
			out.Partition = in.Partition
			commit.Offsets = append(commit.Offsets, broker.CommitOffset{
				Topic: from.Topic, Partition: in.Partition, Offset: broker.Offset(in.Offset), Epoch: broker.LeaderEpoch(in.LeaderEpoch), Metadata: deref(in.Metadata),
			})
			places = append(places, out)
		}
	}
	errs, err := r.server.broker.CommitOffsets(r.ctx, commit)
	for i, out := range places {
		if err != nil {
			out.ErrorCode = commitErrors.code(err)
			continue
		}
		out.ErrorCode = commitErrors.code(errs[i])
	}
	return resp
}

// retentionMillisMax is what fits a time.Duration.
const retentionMillisMax = int64(1<<63-1) / int64(time.Millisecond)

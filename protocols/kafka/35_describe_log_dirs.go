package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs (key 35): what this node's disk holds (KIP-113, KIP-827).
//
// Behaviour
//   - A node has one folder. It answers for its own replicas, leading or following; what it does not host is left out, as in Kafka.
//   - A size is that of the log's batches. They lie in the node's journal once, with those of all other partitions.
//   - The lag is 0: what is not applied here is not known to be committed here either. No replica is a future one.
//   - While the node does not know its topics yet: KAFKA_STORAGE_ERROR for the folder.
//   - Topics null: all of them. A topic without partitions: none of its own.
//
// Versions
//   - 1 is the first of Kafka 4; 2 flexible; 3 an error for all; 4 size and free space of the volume, −1 where unknown.
func describeLogDirsLayout() *layout { return parseLayout("[ s ( w ) ]") }

func describeLogDirs(r *request, q *kmsg.DescribeLogDirsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	dir, err := r.server.broker.LogDir(r.ctx)
	out := kmsg.NewDescribeLogDirsResponseDir()
	if err != nil {
		out.ErrorCode = errKafkaStorage
	}
	out.Dir, out.TotalBytes, out.UsableBytes = dir.Path, dir.TotalBytes, dir.FreeBytes
	wanted := map[broker.TopicPartition]bool{}
	for _, t := range q.Topics {
		for _, p := range t.Partitions {
			wanted[broker.TopicPartition{Topic: t.Topic, Partition: p}] = true
		}
	}
	for _, l := range dir.Logs {
		if q.Topics != nil && !wanted[broker.TopicPartition{Topic: l.Topic, Partition: l.Index}] {
			continue
		}
		if n := len(out.Topics); n == 0 || out.Topics[n-1].Topic != l.Topic {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = l.Topic
			out.Topics = append(out.Topics, t)
		}
		t := &out.Topics[len(out.Topics)-1]
		p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		p.Partition, p.Size = l.Index, l.Bytes
		t.Partitions = append(t.Partitions, p)
	}
	resp.Dirs = append(resp.Dirs, out)
	return resp
}

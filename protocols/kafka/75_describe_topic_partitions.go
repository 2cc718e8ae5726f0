package kafka

import (
	"cmp"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTopicPartitions (key 75): topics and their partitions, page by page (KIP-966).
//
// Behaviour
//   - Topics come by name, whatever order they were asked for in; none named: all of them. The cursor is where the page begins:
//     topics before it are left out.
//   - A page has at most as many partitions as asked for, and at most describedPartitionsMax; the next cursor names the first that
//     is left, null when there is none.
//   - Eligible and last known leaders are empty: a leader is always one of the replicas with every acknowledged record.
//
// Versions
//   - 0 is the only one, flexible.
func describeTopicPartitionsLayout() *layout { return parseLayout("[ s ] w { s w }") }

func describeTopicPartitions(r *request, q *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	page := &describedPage{left: min(max(int(q.ResponsePartitionLimit), 1), describedPartitionsMax), alive: aliveNodes(r.server.broker), from: q.Cursor}
	if len(q.Topics) == 0 {
		ts, err := r.server.broker.ListTopics(r.ctx)
		if err != nil {
			r.server.quiet.log(r.server.log, "topics not listed", "err", err) // the response has no place for it
		}
		for _, t := range ts {
			if !page.add(resp, t.Name, t, nil) {
				break
			}
		}
		return resp
	}
	names := make([]string, 0, len(q.Topics))
	for _, t := range q.Topics {
		names = append(names, t.Topic)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if page.passed(name) {
			continue
		}
		t, err := r.server.broker.Topic(r.ctx, name)
		if !page.add(resp, name, t, err) {
			break
		}
	}
	return resp
}

// describedPage is one answer in the making.
type describedPage struct {
	left  int // partitions that still fit
	alive map[broker.NodeID]bool
	from  *kmsg.DescribeTopicPartitionsRequestCursor
}

// passed says whether a topic comes before the cursor.
func (p *describedPage) passed(name string) bool {
	return p.from != nil && cmp.Less(name, p.from.Topic)
}

// add describes a topic as far as it fits; false: the page is full, and the cursor set.
func (p *describedPage) add(resp *kmsg.DescribeTopicPartitionsResponse, name string, t *broker.Topic, err error) bool {
	if p.passed(name) {
		return true
	}
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic = &name
	if err != nil {
		out.ErrorCode = metadataErrors.code(err)
		resp.Topics = append(resp.Topics, out)
		return true
	}
	first := 0
	if p.from != nil && p.from.Topic == name {
		first = max(int(p.from.Partition), 0)
	}
	next := func(partition int) bool {
		c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
		c.Topic, c.Partition = name, int32(partition)
		resp.NextCursor = &c
		return false
	}
	if p.left == 0 {
		return next(first)
	}
	out.TopicID, out.IsInternal, out.AuthorizedOperations = t.ID, t.Internal, topicOperations
	for i := first; i < len(t.Partitions) && p.left > 0; i++ {
		out.Partitions = append(out.Partitions, p.partition(&t.Partitions[i]))
		p.left--
		first = i + 1
	}
	resp.Topics = append(resp.Topics, out)
	if first < len(t.Partitions) {
		return next(first)
	}
	return true
}

func (p *describedPage) partition(from *broker.PartitionInfo) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	to := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	to.Partition, to.LeaderID, to.LeaderEpoch = from.Index, int32(from.Leader), int32(from.Epoch)
	if from.Leader == broker.NoNode || !p.alive[from.Leader] {
		to.ErrorCode, to.LeaderID = errLeaderNotAvailable, int32(broker.NoNode)
	}
	to.Replicas, to.ISR, to.OfflineReplicas = splitReplicas(from.Replicas, p.alive)
	to.EligibleLeaderReplicas, to.LastKnownELR = []int32{}, []int32{}
	return to
}

// aliveNodes are the nodes that clients are told of.
func aliveNodes(b broker.Broker) map[broker.NodeID]bool {
	alive := map[broker.NodeID]bool{}
	for _, n := range b.Nodes() {
		if n.Alive || n.ID == b.Self() {
			alive[n.ID] = true
		}
	}
	return alive
}

// splitReplicas tells those whose node is alive, which are in sync here, from the others.
func splitReplicas(nodes []broker.NodeID, alive map[broker.NodeID]bool) (all, inSync, offline []int32) {
	for _, n := range nodes {
		all = append(all, int32(n))
		if alive[n] {
			inSync = append(inSync, int32(n))
		} else {
			offline = append(offline, int32(n))
		}
	}
	return all, inSync, offline
}

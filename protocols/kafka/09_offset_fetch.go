package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetFetch (key 9): a group's committed positions.
//
// Behaviour
//   - Topics null: all the group has. A position never committed: offset −1, empty metadata, no error.
//   - With require stable, waits for pending transactional offsets as long as the engine does.
//
// Versions
//   - 2 null topics and an error for all; 5 leader epoch; 6 flexible; 7 require stable (KIP-447); 8 several groups; 9 the
//     member, which is checked (KIP-848).
//   - 10 is not served: topic ids, with the new group protocol.
func offsetFetchLayout() *layout {
	return parseLayout("0-7:s 0-7:[ s ( w ) ] 8+:[ s 9+:n 9+:w [ s ( w ) ] ] 7+:b")
}

func offsetFetch(r *request, q *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.OffsetFetchResponse)
	if q.Version >= 8 {
		resp.Groups = make([]kmsg.OffsetFetchResponseGroup, len(q.Groups))
		fanOut(len(q.Groups), func(i int) { resp.Groups[i] = offsetsOf(r, q, &q.Groups[i]) })
		return resp
	}
	g := kmsg.OffsetFetchRequestGroup{Group: q.Group, MemberEpoch: -1}
	if q.Topics != nil {
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for i := range q.Topics {
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: q.Topics[i].Topic, Partitions: q.Topics[i].Partitions})
	}
	got := offsetsOf(r, q, &g)
	resp.ErrorCode = got.ErrorCode
	for _, t := range got.Topics {
		old := kmsg.OffsetFetchResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			old.Partitions = append(old.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, old)
	}
	return resp
}

// offsetsOf answers for one group. When all is refused, version 1 has only the partitions to say so with.
func offsetsOf(r *request, q *kmsg.OffsetFetchRequest, g *kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = g.Group
	query := &broker.FetchOffsets{
		GroupMember: broker.GroupMember{
			Client: r.client, Group: g.Group, MemberID: deref(g.MemberID), Generation: broker.Generation(g.MemberEpoch),
		},
		Stable: q.RequireStable,
	}
	if g.Topics != nil {
		query.Partitions = []broker.TopicPartition{}
	}
	for _, t := range g.Topics {
		for _, p := range t.Partitions {
			query.Partitions = append(query.Partitions, broker.TopicPartition{Topic: t.Topic, Partition: p})
		}
	}
	got, err := r.server.broker.FetchOffsets(r.ctx, query)
	if err != nil {
		out.ErrorCode = lookErrors.code(err)
		if q.Version >= 2 {
			return out
		}
		got = nil
		for _, p := range query.Partitions {
			got = append(got, broker.CommittedOffset{TopicPartition: p, Offset: -1, Epoch: broker.NoEpoch, Err: err})
		}
	}
	// Grouped by topic, in the order in which the topics came.
	places := map[string]int{}
	for i := range got {
		at, ok := places[got[i].Topic]
		if !ok {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic = got[i].Topic
			at = len(out.Topics)
			places[t.Topic] = at
			out.Topics = append(out.Topics, t)
		}
		p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = got[i].Partition, int64(got[i].Offset), int32(got[i].Epoch)
		p.Metadata, p.ErrorCode = &got[i].Metadata, lookErrors.code(got[i].Err)
		out.Topics[at].Partitions = append(out.Topics[at].Partitions, p)
	}
	return out
}

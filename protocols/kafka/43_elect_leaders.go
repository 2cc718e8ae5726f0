package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectLeaders (key 43): hands leaderships to the preferred replicas (KIP-183, KIP-460).
//
// Behaviour
//   - The preferred leader is the first replica that Metadata names. Partitions of one shard are led together, so electing for one
//     moves its shard; the others have the same preferred leader.
//   - Who leads already: ELECTION_NOT_NEEDED. The preferred node is away or short of disk space: PREFERRED_LEADER_NOT_AVAILABLE, and
//     nothing changes. Answered when this node sees the new leader; past the request's time-out: REQUEST_TIMED_OUT.
//   - An unclean election (type 1) would elect a leader that may lack acknowledged records, and is never held: ELECTION_NOT_NEEDED where
//     there is a leader, else ELIGIBLE_LEADERS_NOT_AVAILABLE.
//   - Topics null: every partition; then only those whose leader was to change are answered, as in Kafka.
//   - The cluster spreads leaderships by itself, too, and may move one again when a node leads two more than another.
//
// Versions
//   - 0 preferred elections only; 1 type of election; 2 flexible.
func electLeadersLayout() *layout { return parseLayout("1+:b [ s ( w ) ] w") }

// The types of elections.
const (
	electionPreferred int8 = 0
	electionUnclean   int8 = 1
)

// election is one partition asked for, and its outcome.
type election struct {
	topic  string
	index  int32
	id     broker.TopicID
	leader broker.NodeID
	err    error
}

func electLeaders(r *request, q *kmsg.ElectLeadersRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.ElectLeadersResponse)
	if q.ElectionType != electionPreferred && q.ElectionType != electionUnclean {
		resp.ErrorCode = errInvalidRequest
		return resp
	}
	es, err := electionsAsked(r, q)
	if err != nil {
		resp.ErrorCode = topicErrors.code(err)
		return resp
	}
	if q.ElectionType == electionUnclean {
		for i := range es {
			es[i].uncleanly()
		}
	} else {
		elect(r, q, es)
	}
	for i := range es {
		e := &es[i]
		if q.Topics == nil && broker.CodeOf(e.err) == broker.CodeElectionNotNeeded {
			continue
		}
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != e.topic {
			t := kmsg.NewElectLeadersResponseTopic()
			t.Topic = e.topic
			resp.Topics = append(resp.Topics, t)
		}
		p := kmsg.NewElectLeadersResponseTopicPartition()
		p.Partition, p.ErrorCode, p.ErrorMessage = e.index, topicErrors.code(e.err), text(e.err)
		t := &resp.Topics[len(resp.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return resp
}

// electionsAsked lists the partitions of a request; what is not there has its error.
func electionsAsked(r *request, q *kmsg.ElectLeadersRequest) (es []election, err error) {
	if q.Topics == nil {
		ts, err := r.server.broker.ListTopics(r.ctx)
		for _, t := range ts {
			for _, p := range t.Partitions {
				es = append(es, election{topic: t.Name, index: p.Index, id: t.ID, leader: p.Leader})
			}
		}
		return es, err
	}
	for _, asked := range q.Topics {
		t, err := r.server.broker.Topic(r.ctx, asked.Topic)
		for _, index := range asked.Partitions {
			e := election{topic: asked.Topic, index: index, leader: broker.NoNode, err: err}
			switch {
			case err != nil:
			case index < 0 || int(index) >= len(t.Partitions):
				e.err = broker.Errorf(broker.CodeUnknownTopic, "elect leader", "topic "+t.Name, "no partition %d of %d", index, len(t.Partitions))
			default:
				e.id, e.leader = t.ID, t.Partitions[index].Leader
			}
			es = append(es, e)
		}
	}
	return es, nil
}

// uncleanly refuses.
func (e *election) uncleanly() {
	switch {
	case e.err != nil:
	case e.leader != broker.NoNode:
		e.err = broker.Errorf(broker.CodeElectionNotNeeded, "elect leader", "topic "+e.topic, "node %d leads", e.leader)
	default:
		e.err = broker.Errorf(broker.CodeNoLeaderEligible, "elect leader", "topic "+e.topic, "only a majority elects")
	}
}

// elect has the broker elect for all that are there, at once.
func elect(r *request, q *kmsg.ElectLeadersRequest, es []election) {
	ctx, cancel := r.within(q.TimeoutMillis)
	defer cancel()
	var ps []broker.Partition
	var at []*election
	for i := range es {
		if es[i].err == nil {
			ps, at = append(ps, broker.Partition{Topic: es[i].id, Index: es[i].index}), append(at, &es[i])
		}
	}
	for i, err := range r.server.broker.ElectLeaders(ctx, r.client, ps) {
		at[i].err = err
	}
}

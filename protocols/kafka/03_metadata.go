package kafka

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata (key 3): nodes, topics, and which node leads which partition.
//
// Behaviour
//   - The true leader as this node knows it; LEADER_NOT_AVAILABLE when it knows none or its node is not alive.
//   - Topics null: all. Topics empty: none, except in version 0, where it is all.
//   - A topic that does not exist is created if the cluster and the request allow it, and the answer has it at once.
//   - In-sync replicas are the voters whose nodes are alive. The controller is the leader of the catalog.
//   - Authorised operations are those that exist for the resource: nobody is refused anything yet.
//
// Versions
//   - 1 controller, rack, internal; 2 cluster id; 4 permission to create (before: given); 5 offline replicas; 7 leader epoch;
//     8 authorised operations; 9 flexible; 10 topic ids; 12 look-up by id alone; 13 an error for all.
func metadataLayout() *layout {
	return parseLayout("[ 10+:u 0-9:s 10+:n ] 4+:b 8-10:b 8+:b")
}

const (
	// The bits of every operation that Kafka knows on a topic, a group and the cluster (AclOperation).
	topicOperations   int32 = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	groupOperations   int32 = 1<<3 | 1<<6 | 1<<8
	clusterOperations int32 = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

func metadata(r *request, q *kmsg.MetadataRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.MetadataResponse)
	b := r.server.broker
	id := b.ClusterID()
	resp.ClusterID = &id
	resp.ControllerID = int32(b.Controller())
	alive := map[broker.NodeID]bool{}
	for _, n := range b.Nodes() {
		if !n.Alive && n.ID != b.Self() {
			continue
		}
		alive[n.ID] = true
		m := kmsg.NewMetadataResponseBroker()
		m.NodeID, m.Host, m.Port, m.Rack = int32(n.ID), n.Kafka.Host, n.Kafka.Port, nullable(n.Rack)
		resp.Brokers = append(resp.Brokers, m)
	}
	if q.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOperations
	}
	if q.Topics == nil || q.Version == 0 && len(q.Topics) == 0 {
		ts, err := b.ListTopics(r.ctx)
		if err != nil && q.Version >= 13 {
			resp.ErrorCode = metadataErrors.code(err)
		}
		for _, t := range ts {
			resp.Topics = append(resp.Topics, describeTopic(t, alive, q))
		}
		return resp
	}
	resp.Topics = make([]kmsg.MetadataResponseTopic, len(q.Topics))
	fanOut(len(q.Topics), func(i int) { resp.Topics[i] = oneTopic(r, q, &q.Topics[i], alive) })
	return resp
}

// oneTopic answers for one topic that was asked for.
func oneTopic(r *request, q *kmsg.MetadataRequest, asked *kmsg.MetadataRequestTopic, alive map[broker.NodeID]bool) kmsg.MetadataResponseTopic {
	var t *broker.Topic
	var err error
	if asked.Topic == nil {
		t, err = r.server.broker.TopicByID(r.ctx, asked.TopicID)
	} else {
		t, err = r.server.broker.Topic(r.ctx, *asked.Topic)
		if broker.CodeOf(err) == broker.CodeUnknownTopic && r.server.broker.AutoCreate() && (q.AllowAutoTopicCreation || q.Version < 4) {
			t, err = createWanted(r.ctx, r.server.broker, r.client, *asked.Topic)
		}
	}
	if err == nil {
		return describeTopic(t, alive, q)
	}
	m := kmsg.NewMetadataResponseTopic()
	m.ErrorCode = metadataErrors.code(err)
	m.Topic, m.TopicID = asked.Topic, asked.TopicID
	if m.Topic == nil && q.Version < 12 {
		m.Topic = new(string)
	}
	return m
}

// createWanted makes a topic with the cluster's defaults; that another client did so meanwhile is as good.
func createWanted(ctx context.Context, b broker.Broker, c broker.Client, name string) (*broker.Topic, error) {
	t, err := b.CreateTopic(ctx, c, broker.TopicSpec{Name: name, Partitions: -1, ReplicationFactor: -1})
	if broker.CodeOf(err) == broker.CodeTopicExists {
		return b.Topic(ctx, name)
	}
	return t, err
}

func describeTopic(t *broker.Topic, alive map[broker.NodeID]bool, q *kmsg.MetadataRequest) kmsg.MetadataResponseTopic {
	m := kmsg.NewMetadataResponseTopic()
	name := t.Name
	m.Topic, m.TopicID, m.IsInternal = &name, t.ID, t.Internal
	if q.IncludeTopicAuthorizedOperations {
		m.AuthorizedOperations = topicOperations
	}
	m.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i := range t.Partitions {
		p, to := &t.Partitions[i], &m.Partitions[i]
		to.Default()
		to.Partition, to.Leader, to.LeaderEpoch = p.Index, int32(p.Leader), int32(p.Epoch)
		if p.Leader == broker.NoNode || !alive[p.Leader] {
			to.ErrorCode, to.Leader = errLeaderNotAvailable, int32(broker.NoNode)
		}
		to.Replicas, to.ISR, to.OfflineReplicas = splitReplicas(p.Replicas, alive)
	}
	return m
}

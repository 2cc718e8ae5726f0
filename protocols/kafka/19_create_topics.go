package kafka

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics (key 19): creates topics, or says whether it would.
//
// Behaviour
//   - Each topic has its own result; it is answered when every live node knows the topic.
//   - Past the request's time-out the outcome of a topic is unknown: REQUEST_TIMED_OUT.
//   - A topic named twice: INVALID_REQUEST, and it is not created. Assigning replicas by hand: INVALID_REPLICA_ASSIGNMENT.
//
// Versions
//   - 4 defaults by −1; 5 flexible, and the answer shows partitions, replicas and configs; 7 the topic's id.
func createTopicsLayout() *layout { return parseLayout("[ s w h [ w ( w ) ] [ s n ] ] w 1+:b") }

func createTopics(r *request, q *kmsg.CreateTopicsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.CreateTopicsResponse)
	ctx, cancel := r.within(q.TimeoutMillis)
	defer cancel()
	named := map[string]int{}
	for i := range q.Topics {
		named[q.Topics[i].Topic]++
	}
	resp.Topics = make([]kmsg.CreateTopicsResponseTopic, len(q.Topics))
	fanOut(len(q.Topics), func(i int) {
		in, out := &q.Topics[i], &resp.Topics[i]
		out.Default()
		out.Topic = in.Topic
		t, err := createTopic(ctx, r, q, in, named[in.Topic] > 1)
		if err != nil {
			out.ErrorCode, out.ErrorMessage = topicErrors.code(err), text(err)
			return
		}
		out.TopicID, out.NumPartitions = t.ID, int32(len(t.Partitions))
		if len(t.Partitions) > 0 {
			out.ReplicationFactor = int16(len(t.Partitions[0].Replicas))
		}
		if q.Version >= 5 {
			showConfigs(r, out, q.ValidateOnly)
		}
	})
	return resp
}

func createTopic(ctx context.Context, r *request, q *kmsg.CreateTopicsRequest, in *kmsg.CreateTopicsRequestTopic, twice bool) (*broker.Topic, error) {
	resource := "topic " + in.Topic
	switch {
	case twice:
		return nil, broker.Errorf(broker.CodeInvalidRequest, "create topic", resource, "it is named twice in one request")
	case len(in.ReplicaAssignment) > 0:
		return nil, broker.Errorf(broker.CodeInvalidReplicaAssignment, "create topic", resource, "replicas are placed by the cluster")
	}
	spec := broker.TopicSpec{
		Name: in.Topic, Partitions: in.NumPartitions, ReplicationFactor: int32(in.ReplicationFactor), ValidateOnly: q.ValidateOnly,
	}
	for _, c := range in.Configs {
		if c.Value == nil {
			return nil, broker.Errorf(broker.CodeInvalidConfig, "create topic", resource, "config %s is null", c.Name)
		}
		if _, ok := spec.Configs[c.Name]; ok {
			return nil, broker.Errorf(broker.CodeInvalidConfig, "create topic", resource, "config %s is given twice", c.Name)
		}
		if spec.Configs == nil {
			spec.Configs = map[string]string{}
		}
		spec.Configs[c.Name] = *c.Value
	}
	return r.server.broker.CreateTopic(ctx, r.client, spec)
}

// showConfigs adds what is in force. That it cannot be read does not unmake the topic (KIP-525).
func showConfigs(r *request, out *kmsg.CreateTopicsResponseTopic, validateOnly bool) {
	out.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	if validateOnly {
		return
	}
	entries, err := r.server.broker.TopicConfig(r.ctx, out.Topic)
	if err != nil {
		out.ConfigErrorCode = topicErrors.code(err)
		return
	}
	for _, e := range entries {
		out.Configs = append(out.Configs, kmsg.CreateTopicsResponseTopicConfig{
			Name: e.Key, Value: configValue(e), ReadOnly: e.ReadOnly, Source: int8(configSource(e.Source)), IsSensitive: e.Sensitive,
		})
	}
}

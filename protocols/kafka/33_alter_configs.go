package kafka

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs (key 33): replaces the configuration of topics. Deprecated in Kafka for IncrementalAlterConfigs, since
// what is not named goes back to its default, but still used.
//
// Behaviour
//   - Each resource has its own result: all of its keys or none. It is answered when every live node has the configuration and
//     the partitions go by it.
//   - A resource named twice, or a key twice in one: INVALID_REQUEST. A null value: INVALID_CONFIG.
//   - Nodes are configured by their own files, flags and environment: INVALID_REQUEST, as Kafka says for keys that need a restart.
//
// Versions
//   - 2 flexible.
func alterConfigsLayout() *layout { return parseLayout("[ b s [ s n ] ] b") }

func alterConfigs(r *request, q *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.AlterConfigsResponse)
	resp.Resources = make([]kmsg.AlterConfigsResponseResource, len(q.Resources))
	named := map[configResource]int{}
	for i := range q.Resources {
		named[configResource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	fanOut(len(q.Resources), func(i int) {
		in, out := &q.Resources[i], &resp.Resources[i]
		out.Default()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		res := configResource{in.ResourceType, in.ResourceName}
		a := broker.ConfigAlteration{Replace: true, ValidateOnly: q.ValidateOnly}
		for _, c := range in.Configs {
			a.Changes = append(a.Changes, broker.ConfigChange{Key: c.Name, Value: deref(c.Value)})
			if c.Value == nil {
				a.Changes = nil
				out.ErrorCode, out.ErrorMessage = refusedConfig(broker.CodeInvalidConfig, res, "config "+c.Name+" is null")
				return
			}
		}
		out.ErrorCode, out.ErrorMessage = alterConfig(r, res, named[res] > 1, a)
	})
	return resp
}

// configResource names what has a configuration.
type configResource struct {
	kind kmsg.ConfigResourceType
	name string
}

func refusedConfig(code broker.Code, res configResource, why string) (int16, *string) {
	err := broker.Errorf(code, "alter config", res.kind.String()+" "+res.name, "%s", why)
	return topicErrors.code(err), text(err)
}

// alterConfig changes one resource.
func alterConfig(r *request, res configResource, twice bool, a broker.ConfigAlteration) (int16, *string) {
	keys := map[string]bool{}
	for _, c := range a.Changes {
		if keys[c.Key] {
			return refusedConfig(broker.CodeInvalidRequest, res, "key "+c.Key+" is named twice")
		}
		keys[c.Key] = true
	}
	switch {
	case twice:
		return refusedConfig(broker.CodeInvalidRequest, res, "it is named twice in one request")
	case res.kind == kmsg.ConfigResourceTypeBroker:
		return refusedConfig(broker.CodeInvalidRequest, res, "nodes are configured by their files, flags and environment, not over the wire")
	case res.kind != kmsg.ConfigResourceTypeTopic:
		return refusedConfig(broker.CodeInvalidRequest, res, "resources of this type have no configuration here")
	}
	err := r.server.broker.AlterTopicConfig(r.ctx, r.client, res.name, a)
	return topicErrors.code(err), text(err)
}

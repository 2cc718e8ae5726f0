package kafka

import (
	"slices"
	"strconv"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeConfigs (key 32): the configuration in force of topics and nodes.
//
// Behaviour
//   - Names null: every key. A key that is not known is left out, as in Kafka.
//   - A node is named by its id; the empty name means the cluster's dynamic defaults, of which there are none.
//   - Any other resource: INVALID_REQUEST. A sensitive value is null.
//   - Synonyms: the one source that is in force. A key that changes nothing here says so in its documentation.
//
// Versions
//   - 1 sources and synonyms; 3 types and documentation; 4 flexible.
func describeConfigsLayout() *layout { return parseLayout("[ b s ( s ) ] 1+:b 3+:b") }

func describeConfigs(r *request, q *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := q.ResponseKind().(*kmsg.DescribeConfigsResponse)
	resp.Resources = make([]kmsg.DescribeConfigsResponseResource, len(q.Resources))
	fanOut(len(q.Resources), func(i int) {
		in, out := &q.Resources[i], &resp.Resources[i]
		out.Default()
		out.ResourceType, out.ResourceName = in.ResourceType, in.ResourceName
		entries, err := configOf(r, in)
		if err != nil {
			out.ErrorCode, out.ErrorMessage = topicErrors.code(err), text(err)
			return
		}
		for _, e := range entries {
			if in.ConfigNames == nil || slices.Contains(in.ConfigNames, e.Key) {
				out.Configs = append(out.Configs, describeConfig(q, e))
			}
		}
	})
	return resp
}

func configOf(r *request, in *kmsg.DescribeConfigsRequestResource) ([]broker.ConfigEntry, error) {
	switch in.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		return r.server.broker.TopicConfig(r.ctx, in.ResourceName)
	case kmsg.ConfigResourceTypeBroker:
		if in.ResourceName == "" {
			return nil, nil
		}
		id, err := strconv.ParseInt(in.ResourceName, 10, 32)
		if err != nil {
			return nil, broker.Errorf(broker.CodeInvalidRequest, "describe config", "node "+in.ResourceName, "not a node id")
		}
		return r.server.broker.NodeConfig(r.ctx, broker.NodeID(id))
	}
	return nil, broker.Errorf(broker.CodeInvalidRequest, "describe config", in.ResourceName, "resources of type %v have no configuration here", in.ResourceType)
}

func describeConfig(q *kmsg.DescribeConfigsRequest, e broker.ConfigEntry) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Key, configValue(e), e.ReadOnly, e.Sensitive
	c.IsDefault = e.Source == broker.SourceDefault
	c.Source, c.ConfigType = configSource(e.Source), configType(e.Type)
	if q.IncludeSynonyms {
		s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		s.Name, s.Value, s.Source = c.Name, c.Value, c.Source
		c.ConfigSynonyms = append(c.ConfigSynonyms, s)
	}
	if q.IncludeDocumentation {
		doc := e.Doc
		if e.NoEffect {
			doc += " Accepted for clients' sake; it has no effect here."
		}
		c.Documentation = &doc
	}
	return c
}

func configValue(e broker.ConfigEntry) *string {
	if e.Sensitive {
		return nil
	}
	return &e.Value
}

func configSource(s broker.ConfigSource) kmsg.ConfigSource {
	switch s {
	case broker.SourceTopic:
		return kmsg.ConfigSourceDynamicTopicConfig
	case broker.SourceNode:
		return kmsg.ConfigSourceStaticBrokerConfig
	default:
		return kmsg.ConfigSourceDefaultConfig
	}
}

func configType(t broker.ConfigType) kmsg.ConfigType {
	switch t {
	case broker.TypeBool:
		return kmsg.ConfigTypeBoolean
	case broker.TypeInt:
		return kmsg.ConfigTypeInt
	case broker.TypeLong:
		return kmsg.ConfigTypeLong
	case broker.TypeDouble:
		return kmsg.ConfigTypeDouble
	case broker.TypeList:
		return kmsg.ConfigTypeList
	default:
		return kmsg.ConfigTypeString
	}
}

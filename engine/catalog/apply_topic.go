package catalog

import (
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

func topicCreate(v *View, c *command.TopicCreate) (*View, broker.Code) {
	if !v.booted() {
		return v, broker.CodeUnavailable
	}
	if known, ok := v.TopicByID(c.Topic); ok {
		if known.Name == c.Name {
			return v, broker.CodeNone
		}
		return v, broker.CodeTopicExists
	}
	if err := CheckTopicName(c.Name); err != nil || c.Topic.IsZero() {
		return v, broker.CodeInvalidTopic
	}
	if _, taken := v.Topic(c.Name); taken {
		return v, broker.CodeTopicExists
	}
	if len(c.Shards) == 0 || len(c.Shards) > PartitionsPerTopicMax {
		return v, broker.CodeInvalidPartitions
	}
	for _, s := range c.Shards {
		if _, ok := v.Shard(s); !ok || s == CatalogShard {
			return v, broker.CodeInvalidRequest
		}
	}
	configs, ok := configMap(c.Configs)
	if !ok {
		return v, broker.CodeInvalidConfig
	}
	next := v.change()
	next.addTopic(&Topic{ID: c.Topic, Name: strings.Clone(c.Name), Internal: c.Internal, Shards: slices.Clone(c.Shards), Configs: configs,
		ConfigVersion: next.version})
	return next, broker.CodeNone
}

// configMap refuses what ValidateConfigs would, so that a proposer with other rules cannot plant a wrong value. Whether
// a key is known is checked by the proposer alone: the table grows, and replicas of two versions must agree.
func configMap(items []command.ConfigItem) (map[string]string, bool) {
	m := make(map[string]string, len(items))
	for _, it := range items {
		if _, twice := m[it.Key]; twice || it.Key == "" {
			return nil, false
		}
		m[strings.Clone(it.Key)] = strings.Clone(it.Value)
	}
	return m, true
}

func topicDelete(v *View, c *command.TopicDelete) (*View, broker.Code) {
	t, ok := v.TopicByID(c.Topic)
	if !ok {
		return v, broker.CodeUnknownTopicID
	}
	next := v.change()
	i, _ := slices.BinarySearchFunc(v.topics, t.Name, func(t *Topic, n string) int { return strings.Compare(t.Name, n) })
	j, _ := slices.BinarySearchFunc(v.byID, t.ID, compareTopicID)
	next.topics, next.byID = cut(v.topics, i), cut(v.byID, j)
	return next, broker.CodeNone
}

func topicConfigure(v *View, c *command.TopicConfigure) (*View, broker.Code) {
	t, ok := v.TopicByID(c.Topic)
	if !ok {
		return v, broker.CodeUnknownTopicID
	}
	if c.ExpectedVersion != 0 && c.ExpectedVersion != t.ConfigVersion {
		return v, broker.CodeUnavailable // somebody else's change came first: look again, retry
	}
	configs, ok := configMap(c.Configs)
	if !ok {
		return v, broker.CodeInvalidConfig
	}
	next := v.change()
	changed := *t
	changed.Configs, changed.ConfigVersion = configs, next.version
	next.addTopic(&changed)
	return next, broker.CodeNone
}

func topicGrow(v *View, c *command.TopicGrow) (*View, broker.Code) {
	t, ok := v.TopicByID(c.Topic)
	switch {
	case !ok:
		return v, broker.CodeUnknownTopicID
	case int(c.From) != len(t.Shards):
		return v, broker.CodeUnavailable // somebody else's change came first: look again
	case len(c.Shards) == 0 || len(t.Shards)+len(c.Shards) > PartitionsPerTopicMax:
		return v, broker.CodeInvalidPartitions
	}
	for _, s := range c.Shards {
		if _, ok := v.Shard(s); !ok || s == CatalogShard {
			return v, broker.CodeInvalidRequest
		}
	}
	next := v.change()
	changed := *t
	changed.Shards = slices.Concat(t.Shards, c.Shards)
	next.addTopic(&changed)
	return next, broker.CodeNone
}

// addTopic adds a topic, or replaces the one with its id (whose name never changes).
func (v *View) addTopic(t *Topic) {
	i, replace := slices.BinarySearchFunc(v.topics, t.Name, func(t *Topic, n string) int { return strings.Compare(t.Name, n) })
	j, _ := slices.BinarySearchFunc(v.byID, t.ID, compareTopicID)
	v.topics, v.byID = put(v.topics, i, replace, t), put(v.byID, j, replace, t)
}

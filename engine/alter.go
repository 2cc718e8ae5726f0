package engine

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// AlterTopicConfig changes a topic's configuration and waits until every live node knows it and the partitions go by it.
func (e *Engine) AlterTopicConfig(ctx context.Context, c broker.Client, name string, a broker.ConfigAlteration) error {
	op, res := "alter topic", "topic "+name
	for range changeTriesMax {
		if err := e.freshView(ctx); err != nil {
			return err
		}
		v := e.view.Load()
		t, ok := v.Topic(name)
		if !ok {
			return broker.Refuse(broker.CodeUnknownTopic, op, res)
		}
		configs, err := alter(t.Configs, a, res)
		if err == nil && configs[catalog.KeyColocate] != t.Configs[catalog.KeyColocate] {
			err = broker.Errorf(broker.CodeInvalidConfig, op, res, "key %q: partitions do not move; it can only be set when a topic is created", catalog.KeyColocate)
		}
		if err == nil {
			err = catalog.ValidateConfigs(configs, v.Majority())
		}
		if err != nil || a.ValidateOnly || maps.Equal(configs, t.Configs) {
			return err
		}
		cmd := command.TopicConfigure{Topic: t.ID, ExpectedVersion: t.ConfigVersion}
		for _, k := range sortedKeys(configs) {
			cmd.Configs = append(cmd.Configs, command.ConfigItem{Key: k, Value: configs[k]})
		}
		version, err := e.changeCatalog(ctx, op, res, cmd.AppendTo(nil))
		if broker.CodeOf(err) == broker.CodeUnavailable {
			continue // somebody else's change came first, or it certainly was not applied
		}
		if err != nil {
			return err
		}
		e.log.Info("topic altered", "topic", t.Name, "id", t.ID, "configs", configs, "principal", c.Principal)
		return e.configure(ctx, t.ID, version)
	}
	return broker.Errorf(broker.CodeUnavailable, op, res, "other changes came first, %d times", changeTriesMax)
}

// configure brings a configuration that the catalog has to the partitions, and to every live node's cache. What fails
// at the partitions is made good by their shards' leaders, which reconcile with the catalog.
func (e *Engine) configure(ctx context.Context, id broker.TopicID, version uint64) error {
	if err := e.waitView(ctx, version); err != nil {
		return err
	}
	t, ok := e.view.Load().TopicByID(id)
	if !ok {
		return broker.Refuse(broker.CodeUnknownTopicID, "alter topic", "topic id "+id.String())
	}
	cfg := partitionConfigOf(t)
	err := e.eachPartition(ctx, t, 0, func(i int32) []byte {
		cmd := command.PartitionConfigure{Topic: t.ID, Partition: i, Config: cfg.basic, Compaction: cfg.compaction}
		return cmd.AppendTo(nil)
	})
	if err != nil {
		return broker.Errorf(broker.CodeOutcomeUnknown, "alter topic", "topic "+t.Name, "the topic has its configuration; its partitions follow: %w", err)
	}
	e.spread(ctx, version)
	return nil
}

// alter computes a configuration.
func alter(configs map[string]string, a broker.ConfigAlteration, resource string) (map[string]string, error) {
	out := map[string]string{}
	if !a.Replace {
		maps.Copy(out, configs)
	}
	for _, ch := range a.Changes {
		switch ch.Op {
		case broker.ConfigSet:
			out[ch.Key] = ch.Value
		case broker.ConfigDelete:
			if !catalog.KnownKey(ch.Key) {
				return nil, broker.Errorf(broker.CodeInvalidConfig, "alter topic", resource, "the key %q is not known", ch.Key)
			}
			delete(out, ch.Key)
		default:
			list, err := catalog.List(configs, ch.Key)
			if err != nil {
				return nil, broker.Errorf(broker.CodeInvalidConfig, "alter topic", resource, "%w", err)
			}
			for _, item := range strings.Split(ch.Value, ",") {
				item = strings.TrimSpace(item)
				at := slices.Index(list, item)
				switch {
				case ch.Op == broker.ConfigAppend && at < 0:
					list = append(list, item)
				case ch.Op == broker.ConfigSubtract && at >= 0:
					list = slices.Delete(list, at, at+1)
				}
			}
			out[ch.Key] = strings.Join(list, ",")
		}
	}
	return out, nil
}

package engine

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
)

// GrowTopic adds partitions and waits until every live node knows them. Keys move to other partitions with it, as they
// do on Kafka: order per key holds within a partition.
func (e *Engine) GrowTopic(ctx context.Context, c broker.Client, name string, count int32, validateOnly bool) error {
	op, res := "grow topic", "topic "+name
	for range changeTriesMax {
		if err := e.freshView(ctx); err != nil {
			return err
		}
		v := e.view.Load()
		t, ok := v.Topic(name)
		switch {
		case !ok:
			return broker.Refuse(broker.CodeUnknownTopic, op, res)
		case int(count) <= len(t.Shards):
			return broker.Errorf(broker.CodeInvalidPartitions, op, res, "it has %d partitions; %d were asked for", len(t.Shards), count)
		case count > partitionsPerTopicMax:
			return broker.Errorf(broker.CodeInvalidPartitions, op, res, "%d partitions: want at most %d", count, partitionsPerTopicMax)
		}
		from := len(t.Shards)
		shards, err := v.Spread(count-int32(from), t.Effective().Colocate)
		if err != nil || validateOnly {
			return err
		}
		cmd := command.TopicGrow{Topic: t.ID, From: uint32(from), Shards: shards}
		version, err := e.changeCatalog(ctx, op, res, cmd.AppendTo(nil))
		if broker.CodeOf(err) == broker.CodeUnavailable {
			continue // somebody else's change came first, or it certainly was not applied
		}
		if err != nil {
			return err
		}
		e.log.Info("topic grown", "topic", t.Name, "id", t.ID, "from", from, "to", count, "principal", c.Principal)
		return e.grown(ctx, t, from, version)
	}
	return broker.Errorf(broker.CodeUnavailable, op, res, "other changes came first, %d times", changeTriesMax)
}

func (e *Engine) grown(ctx context.Context, t *catalog.Topic, from int, version uint64) error {
	if err := e.waitView(ctx, version); err != nil {
		return err
	}
	t, ok := e.view.Load().TopicByID(t.ID)
	if !ok {
		return broker.Refuse(broker.CodeUnknownTopicID, "grow topic", "")
	}
	if err := e.createPartitions(ctx, t, from); err != nil {
		return err
	}
	e.spread(ctx, version)
	return nil
}

package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest/check"
)

const (
	// probeEvery is the pause between questions to one node.
	probeEvery = 10 * time.Millisecond
	// probeTimeout bounds one question.
	probeTimeout = 5 * time.Second
)

// probe asks one node all along, whether it leads or not, where partitions end and what the group has committed: an answer
// that is no longer true is worse than none. Ends never fall, committed offsets never go back.
func (h *history) probe(ctx context.Context, seeds []string, node int32) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ClientID("probe"), kgo.RequestRetries(0), kgo.RetryTimeout(time.Second))
	if err != nil {
		return err
	}
	defer cl.Close()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		p := rand.Int32N(partitions)
		if n%2 == 0 {
			h.askEnd(ctx, cl.Broker(int(node)), p)
		} else {
			h.askCommitted(ctx, cl.Broker(int(node)), p)
		}
	}
}

// ask is one request with a bound, never repeated.
func ask[R kmsg.Response](ctx context.Context, b *kgo.Broker, q kmsg.Request) (r R, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	a, err := b.Request(ctx, q)
	if err != nil {
		return r, false
	}
	r, ok = a.(R)
	return r, ok
}

func (h *history) askEnd(ctx context.Context, b *kgo.Broker, p int32) {
	q := kmsg.NewPtrListOffsetsRequest()
	q.ReplicaID = -1
	t, tp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	tp.Partition, tp.Timestamp, tp.CurrentLeaderEpoch = p, -1, -1
	t.Topic, t.Partitions = topic, append(t.Partitions, tp)
	q.Topics = append(q.Topics, t)
	e := check.End{Partition: part(p), Span: check.Span{Call: h.now()}}
	r, ok := ask[*kmsg.ListOffsetsResponse](ctx, b, q)
	e.Return = h.now()
	if !ok || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].ErrorCode != 0 {
		return
	}
	e.Offset = r.Topics[0].Partitions[0].Offset
	h.mu.Lock()
	defer h.mu.Unlock()
	h.h.Ends = append(h.h.Ends, e)
}

func (h *history) askCommitted(ctx context.Context, b *kgo.Broker, p int32) {
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Group = group
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = topic, []int32{p}
	q.Topics = append(q.Topics, t)
	g, gt := kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.TopicID, gt.Partitions = topic, h.topicID, []int32{p}
	g.Group, g.Topics = group, append(g.Topics, gt)
	q.Groups = append(q.Groups, g)
	f := check.Fetch{Group: group, Partition: part(p), Span: check.Span{Call: h.now()}}
	r, ok := ask[*kmsg.OffsetFetchResponse](ctx, b, q)
	f.Return = h.now()
	if !ok || len(r.Groups) != 1 || r.Groups[0].ErrorCode != 0 || len(r.Groups[0].Topics) != 1 || len(r.Groups[0].Topics[0].Partitions) != 1 ||
		r.Groups[0].Topics[0].Partitions[0].ErrorCode != 0 {
		return
	}
	f.Offset = r.Groups[0].Topics[0].Partitions[0].Offset
	h.mu.Lock()
	defer h.mu.Unlock()
	h.h.Fetches = append(h.h.Fetches, f)
}

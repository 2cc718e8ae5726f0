package narrow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// patient clients wait for a node that is paused, as far as a client may.
var patient = []kgo.Opt{kgo.RequestTimeoutOverhead(20 * time.Second), kgo.RequestRetries(0)}

// asking sends a request to every node, again and again, without waiting for the answers
// to those before: some wait in a node that is paused, and are answered when it wakes.
func (x *narrow) asking(name string, every time.Duration, stop <-chan struct{}, ask func(b *kgo.Broker, n int)) <-chan error {
	const waitingMax = 40 // requests to one node
	_, done := x.begin(name, func(_ *simtest.Process, cl *kgo.Client) error {
		rooms := make([]chan struct{}, len(x.c.Names))
		for i := range rooms {
			rooms[i] = make(chan struct{}, waitingMax)
		}
		for n := 0; !stopped(stop, every); n++ {
			for i, room := range rooms {
				select {
				case room <- struct{}{}:
				default:
					continue
				}
				go func() {
					ask(cl.Broker(i+1), n)
					<-room
				}()
			}
		}
		return nil
	}, patient...)
	return done
}

// ask is one request with a bound; nil: no answer.
func ask[R kmsg.Response](b *kgo.Broker, q kmsg.Request) (r R, ok bool) {
	ctx, cancel := timeout(15 * time.Second)
	defer cancel()
	a, err := b.Request(ctx, q)
	if err != nil {
		return r, false
	}
	r, ok = a.(R)
	return r, ok
}

// topicID asks for the id of the topic.
func (x *narrow) topicID() (id [16]byte) {
	x.as("admin", func(cl *kgo.Client) error {
		return insist(func(ctx context.Context) error {
			q := kmsg.NewPtrMetadataRequest()
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(topic)
			q.Topics = append(q.Topics, t)
			r, err := q.RequestWith(ctx, cl)
			if err == nil && len(r.Topics) == 1 {
				id = r.Topics[0].TopicID
				err = kerr.ErrorForCode(r.Topics[0].ErrorCode)
			}
			if err == nil && id == ([16]byte{}) {
				err = errors.New("the topic has no id")
			}
			return err
		})
	})
	return id
}

// askEnds asks for the end of a partition.
func (x *narrow) askEnds(b *kgo.Broker, n int) {
	part := int32(n % partitions)
	q := kmsg.NewPtrListOffsetsRequest()
	q.ReplicaID = -1
	t, p := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = part, -1, -1
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	call := x.w.Now()
	r, ok := ask[*kmsg.ListOffsetsResponse](b, q)
	if !ok || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].ErrorCode != 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.h.Ends = append(x.h.Ends, check.End{Span: check.Span{Call: call, Return: x.w.Now()}, Partition: where(topic, part), Offset: r.Topics[0].Partitions[0].Offset})
}

// askFetch reads right behind the last record that is known to be there.
//
//   - out-of-range: a client is told to reset its position, though it had read up to a
//     record that was acknowledged.
func (x *narrow) askFetch(b *kgo.Broker, id [16]byte, n int) {
	part := int32(n % partitions)
	at := x.taken(where(topic, part))
	q := kmsg.NewPtrFetchRequest()
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 10, 0, 1<<20, -1
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = part, at, 1<<20, -1
	t.Topic, t.TopicID, t.Partitions = topic, id, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	r, ok := ask[*kmsg.FetchResponse](b, q)
	if !ok || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return
	}
	if kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode) == kerr.OffsetOutOfRange {
		x.w.Anomaly("out-of-range", where(topic, part), "offset %d, behind an acknowledged record, is called out of range", at)
	}
}

// group's positions, committed by nobody's member.
const group = "settlement"

// commit commits ever higher offsets until stop is closed. It asks one node after the
// other, and waits for none that is paused: whoever coordinates now takes it.
func (x *narrow) commit(stop <-chan struct{}) <-chan error {
	_, done := x.begin("committer", func(_ *simtest.Process, cl *kgo.Client) error {
		coordinator, at := 1, int64(1)
		for !stopped(stop, 20*time.Millisecond) {
			q := kmsg.NewPtrOffsetCommitRequest()
			q.Group, q.Generation = group, -1
			t, p := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset = 0, at
			t.Topic, t.TopicID, t.Partitions = topic, x.id, append(t.Partitions, p)
			q.Topics = append(q.Topics, t)
			c := check.Commit{Group: group, Partition: where(topic, 0), Offset: at, Outcome: check.Unknown, Span: check.Span{Call: x.w.Now(), Return: 1 << 62}}
			ctx, cancel := timeout(250 * time.Millisecond)
			a, err := cl.Broker(coordinator).Request(ctx, q)
			cancel()
			if r, ok := a.(*kmsg.OffsetCommitResponse); ok && err == nil && len(r.Topics) == 1 && len(r.Topics[0].Partitions) == 1 {
				switch kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode) {
				case nil:
					c.Outcome, c.Return = check.OK, x.w.Now()
				case kerr.NotCoordinator:
					c.Outcome, c.Return = check.Failed, x.w.Now()
				}
			}
			x.mu.Lock()
			x.h.Commits = append(x.h.Commits, c)
			x.mu.Unlock()
			if at++; c.Outcome != check.OK { // each attempt is another offset: it may still happen
				coordinator = coordinator%len(x.c.Names) + 1
			}
		}
		return nil
	}, kgo.RequestRetries(0))
	return done
}

// askCommitted asks what the group committed.
func (x *narrow) askCommitted(b *kgo.Broker, id [16]byte) {
	q := kmsg.NewPtrOffsetFetchRequest()
	g, gt := kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.TopicID, gt.Partitions = topic, id, []int32{0}
	g.Group, g.Topics = group, append(g.Topics, gt)
	q.Groups = append(q.Groups, g)
	f := check.Fetch{Group: group, Partition: where(topic, 0), Span: check.Span{Call: x.w.Now()}}
	r, ok := ask[*kmsg.OffsetFetchResponse](b, q)
	if !ok || len(r.Groups) != 1 || r.Groups[0].ErrorCode != 0 || len(r.Groups[0].Topics) != 1 || len(r.Groups[0].Topics[0].Partitions) != 1 ||
		r.Groups[0].Topics[0].Partitions[0].ErrorCode != 0 {
		return
	}
	f.Offset, f.Return = r.Groups[0].Topics[0].Partitions[0].Offset, x.w.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.h.Fetches = append(x.h.Fetches, f)
}

// epochEnds asks, when all is quiet, where every epoch that a record has ends.
//
//   - epoch-end: an epoch is said to end before one of its records, so that a consumer
//     would think that the log was truncated, or behind a record of a later one.
func (x *narrow) epochEnds(epochs map[term]span) {
	x.as("validator", func(cl *kgo.Client) error {
		for t, s := range epochs {
			var part int32
			if _, err := fmt.Sscanf(t.place, topic+"/%d", &part); err != nil {
				return err
			}
			if err := insist(func(ctx context.Context) error {
				q := kmsg.NewPtrOffsetForLeaderEpochRequest()
				q.ReplicaID = -1
				qt, qp := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
				qp.Partition, qp.CurrentLeaderEpoch, qp.LeaderEpoch = part, -1, t.epoch
				qt.Topic, qt.Partitions = topic, append(qt.Partitions, qp)
				q.Topics = append(q.Topics, qt)
				r, err := q.RequestWith(ctx, cl)
				if err != nil {
					return err
				}
				p := &r.Topics[0].Partitions[0]
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return err
				}
				if p.LeaderEpoch == t.epoch && p.EndOffset <= s.last || p.EndOffset < s.first {
					x.w.Anomaly("epoch-end", t.place, "epoch %d is said to end at %d, its records are %d to %d", t.epoch, p.EndOffset, s.first, s.last)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// span is from the first to the last offset.
type span struct{ first, last int64 }

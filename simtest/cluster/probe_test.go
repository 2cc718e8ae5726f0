package cluster

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// prober asks every node, whether it leads or not, for what changes: an answer that is
// no longer true is worse than none.
type prober struct {
	l    *workload
	cl   *kgo.Client
	name string
}

// probe is main of a prober. It does not wait for the answers to earlier questions:
// some lie in a node that is paused, and are answered when it wakes.
func (l *workload) probe(p *simtest.Process, name string) error {
	const waitingMax = 20 // questions to one node
	cl, err := kgo.NewClient(l.options(p, kgo.RequestTimeoutOverhead(20*time.Second), kgo.RequestRetries(0))...)
	if err != nil {
		return err
	}
	b := &prober{l, cl, name}
	rng := l.w.Rand("prober " + name)
	rooms := make([]chan struct{}, len(l.c.Names))
	for i := range rooms {
		rooms[i] = make(chan struct{}, waitingMax)
	}
	for !l.stopped(60 * time.Millisecond) {
		question := []func(*kgo.Broker, string, int32){b.end, b.start, b.committed, b.epochEnd, b.behind}[rng.IntN(5)]
		about := []string{topic, topic, topic, trimmed}[rng.IntN(4)]
		part := int32(rng.IntN(int(l.partitions[about])))
		for i, room := range rooms {
			select {
			case room <- struct{}{}:
				go func() { question(cl.Broker(i+1), about, part); <-room }()
			default:
			}
		}
	}
	return nil
}

// ask is one request with a bound, never repeated.
func ask[R kmsg.Response](b *kgo.Broker, q kmsg.Request) (r R, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	a, err := b.Request(ctx, q)
	if err != nil {
		return r, false
	}
	r, ok = a.(R)
	return r, ok
}

// The moments of ListOffsets that are none.
const (
	atEnd   = -1
	atStart = -2
)

func (b *prober) list(k *kgo.Broker, about string, part int32, moment int64) (s check.Span, offset int64, ok bool) {
	q := kmsg.NewPtrListOffsetsRequest()
	q.ReplicaID = -1
	t, p := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = part, moment, -1
	t.Topic, t.Partitions = about, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	s.Call = b.l.w.Now()
	r, ok := ask[*kmsg.ListOffsetsResponse](k, q)
	s.Return = b.l.w.Now()
	if !ok || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].ErrorCode != 0 {
		return s, 0, false
	}
	return s, r.Topics[0].Partitions[0].Offset, true
}

func (b *prober) end(k *kgo.Broker, about string, part int32) {
	if s, offset, ok := b.list(k, about, part, atEnd); ok {
		b.l.mu.Lock()
		defer b.l.mu.Unlock()
		b.l.h.Ends = append(b.l.h.Ends, check.End{Span: s, Partition: place(about, part), Offset: offset})
	}
}

func (b *prober) start(k *kgo.Broker, about string, part int32) {
	if s, offset, ok := b.list(k, about, part, atStart); ok {
		b.l.mu.Lock()
		defer b.l.mu.Unlock()
		b.l.h.Starts = append(b.l.h.Starts, check.Start{Span: s, Partition: place(about, part), Offset: offset})
	}
}

// committed asks what the group has committed.
func (b *prober) committed(k *kgo.Broker, _ string, part int32) {
	part %= b.l.partitions[topic]
	q := kmsg.NewPtrOffsetFetchRequest()
	q.Group = group
	t := kmsg.NewOffsetFetchRequestTopic()
	t.Topic, t.Partitions = topic, []int32{part}
	q.Topics = append(q.Topics, t)
	g, gt := kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.TopicID, gt.Partitions = topic, b.l.topicID, []int32{part}
	g.Group, g.Topics = group, append(g.Topics, gt)
	q.Groups = append(q.Groups, g)
	f := check.Fetch{Group: group, Partition: place(topic, part), Span: check.Span{Call: b.l.w.Now()}}
	r, ok := ask[*kmsg.OffsetFetchResponse](k, q)
	f.Return = b.l.w.Now()
	if !ok || len(r.Groups) != 1 || r.Groups[0].ErrorCode != 0 || len(r.Groups[0].Topics) != 1 || len(r.Groups[0].Topics[0].Partitions) != 1 ||
		r.Groups[0].Topics[0].Partitions[0].ErrorCode != 0 {
		return
	}
	f.Offset = r.Groups[0].Topics[0].Partitions[0].Offset
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	b.l.h.Fetches = append(b.l.h.Fetches, f)
}

// epochEnd asks where the latest epoch ends of which a record was read.
//
//   - epoch-end: an epoch is said to end before one of its records that was read before, so
//     that a consumer would think that the log was truncated.
func (b *prober) epochEnd(k *kgo.Broker, about string, part int32) {
	at, epoch := place(about, part), int32(-1)
	b.l.mu.Lock()
	for t := range b.l.epochs {
		if t.place == at {
			epoch = max(epoch, t.epoch)
		}
	}
	s := b.l.epochs[term{at, epoch}]
	b.l.mu.Unlock()
	if epoch < 0 {
		return
	}
	q := kmsg.NewPtrOffsetForLeaderEpochRequest()
	q.ReplicaID = -1
	t, p := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = part, -1, epoch
	t.Topic, t.Partitions = about, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	r, ok := ask[*kmsg.OffsetForLeaderEpochResponse](k, q)
	if !ok || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].ErrorCode != 0 {
		return
	}
	a := &r.Topics[0].Partitions[0]
	if a.LeaderEpoch == epoch && a.EndOffset <= s.last || about == topic && a.LeaderEpoch != epoch {
		b.l.w.Anomaly("epoch-end", at, "epoch %d is said to end at %d of epoch %d, its records are %d to %d", epoch, a.EndOffset, a.LeaderEpoch, s.first, s.last)
	}
}

// behind reads right behind the last record that was read by anybody.
//
//   - out-of-range: a client is told to reset its position, though somebody had read up
//     to there.
func (b *prober) behind(k *kgo.Broker, about string, part int32) {
	if about != topic {
		return // what was read of it may be deleted
	}
	at, last := place(about, part), int64(-1)
	b.l.mu.Lock()
	for t, s := range b.l.epochs {
		if t.place == at {
			last = max(last, s.last)
		}
	}
	b.l.mu.Unlock()
	q := kmsg.NewPtrFetchRequest()
	q.MaxWaitMillis, q.MinBytes, q.MaxBytes, q.SessionEpoch = 10, 0, 1<<20, -1
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = part, last+1, 1<<20, -1
	t.Topic, t.TopicID, t.Partitions = about, b.l.topicID, append(t.Partitions, p)
	q.Topics = append(q.Topics, t)
	r, ok := ask[*kmsg.FetchResponse](k, q)
	if !ok || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 {
		return
	}
	if kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode) == kerr.OffsetOutOfRange {
		b.l.w.Anomaly("out-of-range", at, "offset %d is called out of range, and %d had been read", last+1, last)
	}
}

// probeStarts asks once more where the logs begin, after everything.
func (l *workload) probeStarts() {
	l.as("final", func(cl *kgo.Client) error {
		b := &prober{l: l, cl: cl}
		for p := range l.partitions[trimmed] {
			for i := range l.c.Names {
				b.start(cl.Broker(i+1), trimmed, p)
			}
		}
		return nil
	})
}

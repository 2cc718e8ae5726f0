package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// administer is main of an operator: topics come, change and go beside the payments,
// the oldest records of one topic are deleted, and what each client may move changes.
func (l *workload) administer(p *simtest.Process, name string) error {
	cl, err := kgo.NewClient(l.options(p)...)
	if err != nil {
		return err
	}
	a, rng := kadm.NewClient(cl), l.w.Rand("admin "+name)
	for n := 0; !l.stopped(time.Duration(200+rng.IntN(1500)) * time.Millisecond); n++ {
		switch rng.IntN(4) {
		case 0, 1:
			l.trim(a, rng)
			continue
		case 2:
			err := ration(a, rng)
			l.w.Result(name, "quota %d: %v", n, err)
			continue
		}
		err := come(a, fmt.Sprintf("scratch-%s-%d", name, n), rng)
		l.w.Result(name, "topic %d: %v", n, err)
	}
	return nil
}

// come makes a topic, changes it, and deletes it, as far as the cluster answers.
func come(a *kadm.Client, name string, rng *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := a.CreateTopic(ctx, 2, 3, nil, name); err != nil {
		return err
	}
	if rng.IntN(2) == 0 {
		if _, err := a.CreatePartitions(ctx, 1, name); err != nil {
			return err
		}
	}
	if rng.IntN(2) == 0 {
		value := "3600000"
		if _, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}}, name); err != nil {
			return err
		}
	}
	if rng.IntN(3) == 0 {
		return nil // it stays
	}
	_, err := a.DeleteTopics(ctx, name)
	return err
}

// ration sets the quota of every client, or ends it. Half a minute of the least is more than what a client was cut off from for long.
func ration(a *kadm.Client, rng *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	e := kadm.AlterClientQuotaEntry{Entity: kadm.ClientQuotaEntity{{Type: "client-id"}}}
	for _, key := range []string{"producer_byte_rate", "consumer_byte_rate"} {
		rate := []float64{0, 64 << 10, 256 << 10, 1 << 20}[rng.IntN(4)]
		e.Ops = append(e.Ops, kadm.AlterClientQuotaOp{Key: key, Value: rate, Remove: rate == 0})
	}
	rs, err := a.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{e})
	if err != nil {
		return err
	}
	return rs[0].Err
}

// trim deletes some of the oldest records.
func (l *workload) trim(a *kadm.Client, rng *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ends, err := a.ListEndOffsets(ctx, trimmed)
	if err != nil || ends.Error() != nil {
		return
	}
	part := int32(rng.IntN(trimmedPartitions))
	end, ok := ends.Lookup(trimmed, part)
	if !ok || end.Offset == 0 {
		return
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(trimmed, part, rng.Int64N(end.Offset+1), -1)
	s := check.Start{Partition: place(trimmed, part), Span: check.Span{Call: l.w.Now()}}
	deleted, err := a.DeleteRecords(ctx, offsets)
	d, ok := deleted.Lookup(trimmed, part)
	l.w.Result("admin", "delete records of %s: %v, %v", s.Partition, err, d)
	if err != nil || !ok || d.Err != nil {
		return
	}
	s.Offset, s.Return = d.LowWatermark, l.w.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.h.Starts = append(l.h.Starts, s)
}

// findTopicID asks for the id of the payments.
func (l *workload) findTopicID() {
	l.as("creator", func(cl *kgo.Client) error {
		return insist(func(ctx context.Context) error {
			q := kmsg.NewPtrMetadataRequest()
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(topic)
			q.Topics = append(q.Topics, t)
			r, err := q.RequestWith(ctx, cl)
			if err != nil {
				return err
			}
			if len(r.Topics) != 1 || r.Topics[0].ErrorCode != 0 || r.Topics[0].TopicID == [16]byte{} {
				return errors.Join(errors.New("the topic has no id"), kerr.ErrorForCode(r.Topics[0].ErrorCode))
			}
			l.topicID = r.Topics[0].TopicID
			return nil
		})
	})
}

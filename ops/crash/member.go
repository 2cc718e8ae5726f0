package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest/check"
)

const (
	group = "crash"
	// commitTimeout bounds one commit; past it its outcome is unknown.
	commitTimeout = 5 * time.Second
	// commitEvery leaves time between commits: an offset that was lost is seen only until the next one overwrites it.
	commitEvery = 100 * time.Millisecond
)

// member reads as a member of the group, and commits behind what it was given.
type member struct {
	h       *history
	name    string
	cl      *kgo.Client
	mu      sync.Mutex
	session int
	writes  atomic.Int64 // of OffsetCommit requests
}

// OnBrokerWrite counts commits: one that the library sent twice may take effect late.
func (m *member) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.OffsetCommit) {
		m.writes.Add(1)
	}
}

// consume is a member's life, until the context ends.
func (h *history) consume(ctx context.Context, seeds []string, id int) error {
	m := &member{h: h, name: fmt.Sprintf("member-%d", id)}
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ClientID(m.name), kgo.SessionTimeout(10*time.Second), kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(), kgo.WithHooks(m),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { m.begin() }),
		kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { m.begin() }),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { m.begin() }))
	if err != nil {
		return err
	}
	m.cl = cl
	defer cl.CloseAllowingRebalance()
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		m.mu.Lock()
		s := m.session
		m.mu.Unlock()
		h.note(fetches, m.name, s)
		m.commit(fetches)
		cl.AllowRebalance()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// begin begins another session: the member reads elsewhere from now on.
func (m *member) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session++
}

// commit commits behind the last record of each partition. What it knows of the outcome is what the broker answered to
// the one request there was.
func (m *member) commit(fetches kgo.Fetches) {
	offsets := map[string]map[int32]kgo.EpochOffset{topic: {}}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			offsets[topic][p.Partition] = kgo.EpochOffset{Epoch: p.Records[n-1].LeaderEpoch, Offset: p.Records[n-1].Offset + 1}
		}
	})
	if len(offsets[topic]) == 0 {
		return
	}
	h := m.h
	id, generation := m.cl.GroupMetadata()
	at := map[int32]int{} // in the history
	h.mu.Lock()
	for p, o := range offsets[topic] { //lint:sorted the history's order does not count
		at[p] = len(h.h.Commits)
		h.h.Commits = append(h.h.Commits, check.Commit{Span: check.Span{Call: h.now(), Return: 1 << 62}, Group: group, Partition: part(p),
			Member: id, Generation: int(generation), Offset: o.Offset, Outcome: check.Unknown})
	}
	h.mu.Unlock()
	before := m.writes.Load()
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	m.cl.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, err error) {
		if err != nil || m.writes.Load()-before != 1 {
			return
		}
		now := h.now()
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if i, ok := at[p.Partition]; ok && kerr.ErrorForCode(p.ErrorCode) == nil {
					h.h.Commits[i].Outcome, h.h.Commits[i].Return = check.OK, now
					h.committed++
				}
			}
		}
	})
}

package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

// member is one incarnation of a member of the consumer group.
type member struct {
	l        *workload
	name     string
	instance string
	cl       *kgo.Client
	mu       sync.Mutex
	session  int
	writes   atomic.Int64 // of OffsetCommit requests
}

// OnBrokerWrite counts commits: one that the library sent twice may take effect late.
func (m *member) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	if key == int16(kmsg.OffsetCommit) {
		m.writes.Add(1)
	}
}

// consume is main of a member: it reads, then commits, and leaves now and then.
func (l *workload) consume(p *simtest.Process, name string) error {
	rng := l.w.Rand("member " + name)
	for m := (&member{l: l, name: name, instance: p.Name()}); ; {
		opts := []kgo.Opt{
			kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(l.balancer), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond),
			kgo.RebalanceTimeout(5 * time.Second), kgo.FetchMaxWait(500 * time.Millisecond), kgo.WithHooks(m),
			kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.moved), kgo.OnPartitionsLost(m.moved),
		}
		if l.static {
			opts = append(opts, kgo.InstanceID(p.Name()))
		}
		cl, err := kgo.NewClient(l.options(p, opts...)...)
		if err != nil {
			return err
		}
		m.cl = cl
		for polls := 10 + rng.IntN(100); polls > 0; polls-- {
			if l.stopped(20 * time.Millisecond) {
				m.leave()
				return nil
			}
			m.poll()
		}
		m.leave()
	}
}

// leave leaves the group, for no longer than a broken network may take.
func (m *member) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = m.cl.LeaveGroupContext(ctx) // the session ends by itself otherwise
	m.cl.CloseAllowingRebalance()
}

// poll takes records and commits behind them.
func (m *member) poll() {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	fetches := m.cl.PollFetches(ctx)
	defer m.cl.AllowRebalance()
	if fetches.NumRecords() == 0 {
		return
	}
	m.mu.Lock()
	session := m.session
	m.mu.Unlock()
	m.l.note(m.name, session, fetches, 0, false)
	m.l.cover(fetches)
	m.commit(fetches)
}

// cover notes what the group has been given.
func (l *workload) cover(fetches kgo.Fetches) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		at := place(r.Topic, r.Partition)
		if l.covered[at] == nil {
			l.covered[at] = map[int64]bool{}
		}
		l.covered[at][r.Offset] = true
	})
}

// commit commits behind the last record of each partition.
func (m *member) commit(fetches kgo.Fetches) {
	l := m.l
	offsets := map[string]map[int32]kgo.EpochOffset{topic: {}}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if n := len(p.Records); n > 0 {
			offsets[topic][p.Partition] = kgo.EpochOffset{Epoch: p.Records[n-1].LeaderEpoch, Offset: p.Records[n-1].Offset + 1}
		}
	})
	id, generation := m.membership(m.cl)
	at := map[int32]int{} // in the history
	l.mu.Lock()
	for p := range l.partitions[topic] {
		if o, ok := offsets[topic][p]; ok {
			at[p] = len(l.h.Commits)
			l.h.Commits = append(l.h.Commits, check.Commit{Span: check.Span{Call: l.w.Now(), Return: 1 << 62}, Group: group, Partition: place(topic, p),
				Member: id, Generation: int(generation), Offset: o.Offset, Outcome: check.Unknown})
		}
	}
	l.mu.Unlock()
	before := m.writes.Load()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	m.cl.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, err error) {
		l.w.Result(m.name, "commit in generation %d: %v", generation, err)
		if err != nil || m.writes.Load()-before != 1 {
			return
		}
		now := l.w.Now()
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, t := range r.Topics {
			for _, p := range t.Partitions {
				if i, ok := at[p.Partition]; ok && kerr.ErrorForCode(p.ErrorCode) == nil {
					c := &l.h.Commits[i]
					c.Outcome, c.Return = check.OK, now
					l.positions[c.Partition] = max(l.positions[c.Partition], c.Offset)
				}
			}
		}
	})
}

// membership is who the member is for its group, and in which generation. One that names
// an instance stays the same when it comes back in the middle of a generation.
func (m *member) membership(cl *kgo.Client) (string, int32) {
	id, generation := cl.GroupMetadata()
	if m.l.static {
		id = m.instance
	}
	return id, generation
}

// assigned notes what the member was given in its generation.
func (m *member) assigned(_ context.Context, cl *kgo.Client, given map[string][]int32) {
	m.begin()
	id, generation := m.membership(cl)
	var places []string
	for _, p := range given[topic] {
		places = append(places, place(topic, p))
	}
	m.l.w.Result(m.name, "generation %d: %v", generation, places)
	m.l.mu.Lock()
	defer m.l.mu.Unlock()
	m.l.h.Assignments = append(m.l.h.Assignments, check.Assignment{Group: group, Generation: int(generation), Member: id, Partitions: places})
}

// moved is told of partitions that the member has no longer.
func (m *member) moved(context.Context, *kgo.Client, map[string][]int32) { m.begin() }

// begin begins another session: the member reads elsewhere from now on.
func (m *member) begin() {
	m.mu.Lock()
	m.session++
	m.mu.Unlock()
}

// groupReadAll: members commit only behind what they were given.
//
//   - group-skipped: the group committed behind a record that none of its members was
//     given.
func (l *workload) groupReadAll() {
	for p := range l.partitions[topic] {
		at := place(topic, p)
		for o := range l.positions[at] {
			if !l.covered[at][o] {
				l.w.Anomaly("group-skipped", at, "%s committed %d, and no member was given offset %d", group, l.positions[at], o)
				break
			}
		}
	}
}

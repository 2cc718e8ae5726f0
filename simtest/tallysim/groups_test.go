package tallysim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/simtest"
)

// What the worlds of consumer groups are made of.
const (
	groupTopic      = "orders"
	groupName       = "workers"
	groupPartitions = 4
	groupRecords    = 200
	sessionTimeout  = 6 * time.Second
)

// TestGroupsKeepTheirOffsets: members of real clients come, die, go and return, some
// of them static, some handing partitions over one by one. Whoever asks for the
// group's offsets is never told less than what a member was told to be committed, nor
// more than what was processed; and in the end all is processed.
func TestGroupsKeepTheirOffsets(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	Run(t, func(c *Cluster) { groupWorld(c, groupKind{blocks: true, faults: Everything}) })
}

// TestWrongMembersAreCaught: what the auditor and the check look at can be wrong.
func TestWrongMembersAreCaught(t *testing.T) {
	simtest.SkipWithoutOverlay(t)
	for name, kind := range map[string]groupKind{
		"commits first":             {blocks: true, commitsFirst: true, faults: Everything},
		"works on what it has lost": {leastWork: time.Second, faults: Faults{Yours: []simtest.Verb{simtest.Kill}, Every: 500 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			_, report := Options{Seeds: 400}.Find(t, offsetsAreRight, func(c *Cluster) { groupWorld(c, kind) })
			wants(t, report, "OffsetCommit to n", "partition ")
		})
	}
}

// offsetsAreRight is what these worlds assert at every moment.
const offsetsAreRight = "offsets are those of what was processed"

// A groupKind says how members work.
type groupKind struct {
	blocks       bool // no partition is taken from a member between its poll and its commit
	commitsFirst bool // before it processes: wrong
	leastWork    time.Duration
	faults       Faults
}

func groupWorld(c *Cluster, kind groupKind) {
	c.Topic(groupTopic, groupPartitions)
	g := &groupBooks{kind: kind, store: c.Store("processed"), committed: map[int32]int64{}, work: c.World.Duration("work", kind.leastWork, kind.leastWork+time.Second)}
	options := groupOptions(c, kind)
	for i := range c.World.Int("members", 2, 4) {
		name := fmt.Sprintf("member-%d", i+1)
		c.Go(name, func(p *Process) error {
			return g.member(p, append(options(name), p.KafkaOptions()...))
		})
	}
	c.Faults(kind.faults)
	c.Go("auditor", func(p *Process) error { return g.audit(p) }) // after Faults: spared
	c.Check(offsetsAreRight, func() error { g.mu.Lock(); defer g.mu.Unlock(); return g.broken })
	for i := range groupRecords {
		c.Produce(&kgo.Record{Topic: groupTopic, Key: []byte(strconv.Itoa(i)), Value: []byte(strconv.Itoa(i))})
		time.Sleep(100 * time.Millisecond)
	}
	c.Eventually("everything is processed", 2*time.Minute, func() error {
		if n := len(g.store.Rows("value/")); n != groupRecords {
			return fmt.Errorf("%d of %d records", n, groupRecords)
		}
		return nil
	})
	c.Eventually("everything is committed", time.Minute, g.allCommitted)
}

// groupOptions draws what kind of group this world has.
func groupOptions(c *Cluster, kind groupKind) func(member string) []kgo.Opt {
	static := c.World.Bool("static-members")
	balancers := map[string]kgo.GroupBalancer{
		"range": kgo.RangeBalancer(), "sticky": kgo.StickyBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
	}
	balancer := balancers[c.World.OneOf("balancer", slices.Sorted(maps.Keys(balancers))...)]
	return func(member string) []kgo.Opt {
		opts := []kgo.Opt{
			kgo.ConsumerGroup(groupName), kgo.ConsumeTopics(groupTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
			kgo.Balancers(balancer), kgo.SessionTimeout(sessionTimeout), kgo.HeartbeatInterval(sessionTimeout / 6),
		}
		if kind.blocks {
			opts = append(opts, kgo.BlockRebalanceOnPoll())
		}
		if static {
			opts = append(opts, kgo.InstanceID(member))
		}
		return opts
	}
}

// groupBooks is what is known of the group's progress.
type groupBooks struct {
	kind  groupKind
	store *Store
	work  time.Duration // between a poll and its commit

	mu        sync.Mutex
	committed map[int32]int64 // by partition: what a member was told to be committed
	audited   map[int32]int64 // what the auditor saw last
	broken    error
}

// member polls, processes, commits.
func (g *groupBooks) member(p *Process, opts []kgo.Opt) error {
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	steps := []func(context.Context, *kgo.Client, []*kgo.Record) error{g.process, g.commit}
	if g.kind.commitsFirst {
		slices.Reverse(steps)
	}
	for {
		fetches := client.PollRecords(p.Context(), 10)
		if err := fetches.Err0(); err != nil {
			return err
		}
		for _, step := range steps {
			if err := step(p.Context(), client, fetches.Records()); err != nil {
				return err
			}
		}
		client.AllowRebalance()
	}
}

func (g *groupBooks) process(_ context.Context, _ *kgo.Client, records []*kgo.Record) error {
	for _, r := range records {
		err := g.store.Update(func(tx *Tx) error {
			tx.Set("value/"+string(r.Value), "")
			tx.Set(fmt.Sprintf("offset/%d/%d", r.Partition, r.Offset), "")
			return nil
		})
		if err != nil {
			return err
		}
	}
	time.Sleep(g.work)
	return nil
}

func (g *groupBooks) commit(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	if err := client.CommitRecords(ctx, records...); err != nil {
		return err
	}
	g.told(records)
	return nil
}

// told notes what a commit was acknowledged for.
func (g *groupBooks) told(records []*kgo.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range records {
		g.committed[r.Partition] = max(g.committed[r.Partition], r.Offset+1)
	}
}

// audit asks for the group's offsets again and again. What was told before it asked
// must be in the answer.
func (g *groupBooks) audit(p *Process) error {
	for {
		// A client of its own each time: franz-go's goes on dialling the coordinator that it knows.
		client, err := kgo.NewClient(p.KafkaOptions()...)
		if err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		g.mu.Lock()
		before := maps.Clone(g.committed)
		g.mu.Unlock()
		ctx, cancel := context.WithTimeout(p.Context(), 10*time.Second)
		offsets, err := kadm.NewClient(client).FetchOffsets(ctx, groupName)
		cancel()
		client.Close()
		if err == nil {
			g.judge(before, offsets)
		}
	}
}

func (g *groupBooks) judge(before map[int32]int64, offsets kadm.OffsetResponses) {
	seen := map[int32]int64{}
	for partition, o := range offsets[groupTopic] {
		if o.Err != nil {
			return // the answer is none
		}
		seen[partition] = max(o.At, 0)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for partition := range int32(groupPartitions) {
		at := seen[partition]
		if least := max(before[partition], g.audited[partition]); at < least {
			g.broken = cmp.Or(g.broken, fmt.Errorf("partition %d: the group's offset is %d, it was %d before", partition, at, least))
		}
		for offset := range at {
			if _, ok := g.store.Get(fmt.Sprintf("offset/%d/%d", partition, offset)); !ok {
				g.broken = cmp.Or(g.broken, fmt.Errorf("partition %d: the group's offset is %d, and %d was never processed", partition, at, offset))
			}
		}
	}
	g.audited = seen
}

// allCommitted compares what was committed with what there is.
func (g *groupBooks) allCommitted() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	sum := int64(0)
	for _, at := range g.audited {
		sum += at
	}
	if sum != groupRecords {
		return fmt.Errorf("%d of %d records: %v", sum, groupRecords, g.audited)
	}
	return nil
}

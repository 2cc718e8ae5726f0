package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/point"
)

// lateApplies lets replicas apply what is committed later than others do.
type lateApplies struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func (d *lateApplies) Acts(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return name == "consensus/apply-late" && d.rand.IntN(3) == 0
}

func (d *lateApplies) Draw(_ string, n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.Int64N(n)
}

// firstVersion is a client of the first protocol version; it asks each node until one is the right one.
type firstVersion struct {
	t        testing.TB
	ns       []*testNode
	producer broker.TransactionalProducer
	sequence map[broker.Partition]int32
	through  map[*testNode]uint64 // the connection to each
}

func newFirstVersion(t testing.TB, ns []*testNode, id string) *firstVersion {
	c := &firstVersion{t: t, ns: ns, sequence: map[broker.Partition]int32{}, through: map[*testNode]uint64{},
		producer: broker.TransactionalProducer{ID: id, Protocol: broker.ProtocolV1}}
	c.must("init", func(n *testNode, p broker.TransactionalProducer) (err error) {
		c.producer.Producer, c.producer.Epoch, err = n.e.InitTransactional(context.Background(), &broker.InitTransactional{
			Client: p.Client, ID: id, Timeout: time.Minute, Producer: -1, Epoch: -1})
		return err
	})
	return c
}

// elsewhere says that another node is to be asked, or the same one again.
func elsewhere(err error) bool {
	code := broker.CodeOf(err)
	return code.Retriable() || code == broker.CodeNotLeader || code == broker.CodeNotCoordinator || code == broker.CodeStaleConnection
}

// must asks until somebody answers anything but that another is to be asked.
func (c *firstVersion) must(what string, ask func(*testNode, broker.TransactionalProducer) error) {
	c.t.Helper()
	var refused error
	eventually(c.t, what, func() (err error) {
		for _, n := range c.ns {
			if c.through[n] == 0 {
				c.through[n] = n.e.Accepted()
			}
			p := c.producer
			p.Client.Connection = c.through[n]
			switch err = ask(n, p); {
			case err == nil:
				return nil
			case broker.CodeOf(err) == broker.CodeStaleConnection:
				c.through[n] = 0
			case !elsewhere(err):
				refused = err
				return nil
			}
		}
		return err
	})
	if refused != nil {
		c.t.Fatalf("%s: %v", what, refused)
	}
}

// write sends batches to a partition at once, each of one value, as clients do that have several on their way.
func (c *firstVersion) write(p broker.Partition, values ...string) {
	c.t.Helper()
	first := c.sequence[p]
	for range values {
		c.sequence[p]++
	}
	c.must("append to "+p.String(), func(n *testNode, _ broker.TransactionalProducer) error {
		errs := make(chan error, len(values))
		for i, v := range values {
			b := batch.NewBuilder()
			b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = int64(c.producer.Producer), int16(c.producer.Epoch), first+int32(i), true
			b.Append(batch.Record{Value: []byte(v), Timestamp: 1000})
			n.e.Append(context.Background(), &broker.Append{Partition: p, Batch: b.Bytes(), TransactionalID: c.producer.ID,
				Deadline: time.Now().Add(10 * time.Second), Done: func(_ broker.AppendResult, err error) { errs <- err }})
		}
		var all []error
		for range values {
			if err := <-errs; err != nil {
				all = append(all, err)
			}
		}
		slices.SortFunc(all, func(a, b error) int { // one that is to be asked again says nothing of the others
			switch {
			case elsewhere(a) == elsewhere(b):
				return 0
			case elsewhere(a):
				return 1
			}
			return -1
		})
		return firstOf(all)
	})
}

// handOver makes a node the leader of a shard.
func handOver(t testing.TB, ns []*testNode, shard broker.ShardID, to *testNode) {
	t.Helper()
	eventually(t, fmt.Sprintf("node %d leads shard %d", to.id, shard), func() error {
		if _, ok := to.e.host.Leading(uint64(shard)); ok {
			return nil
		}
		r, ok := to.e.replica(shard)
		if !ok {
			return errors.New("no replica")
		}
		for _, n := range ns {
			if _, ok := n.e.host.Leading(uint64(shard)); ok {
				return errors.Join(n.e.host.TransferLeader(uint64(shard), r.id), errors.New("on its way"))
			}
		}
		return errors.New("nobody leads")
	})
}

// One whose requests were answered is never told that it is not in a transaction, though the leaders of its partitions and
// group may apply later than the nodes that answered it.
func TestLeadersThatApplyLate(t *testing.T) {
	ns := newTestCluster(t, 3)
	topic := createTopic(t, ns, "payments", 4)
	for i, shard := range []broker.ShardID{2, 3} {
		handOver(t, ns, shard, ns[i])
	}
	defer point.Direct(&lateApplies{rand: rand.New(rand.NewPCG(1, 2))})()
	c := newFirstVersion(t, ns, "transfers")
	var want []string
	for round := range 60 {
		commit := round%3 != 1
		var ps []broker.Partition
		for i := range 4 {
			ps = append(ps, broker.Partition{Topic: topic.ID, Index: int32(i)})
		}
		c.must("add partitions", func(n *testNode, p broker.TransactionalProducer) error {
			return n.e.AddPartitions(context.Background(), &broker.AddPartitions{TransactionalProducer: p, Partitions: ps})
		})
		for _, p := range ps {
			c.write(p, fmt.Sprint(round, "a"), fmt.Sprint(round, "b"), fmt.Sprint(round, "c"))
		}
		c.must("add group", func(n *testNode, p broker.TransactionalProducer) error {
			return n.e.AddGroup(context.Background(), &broker.AddGroup{TransactionalProducer: p, Group: "tellers"})
		})
		c.must("offer offsets", func(n *testNode, p broker.TransactionalProducer) error {
			errs, err := n.e.OfferOffsets(context.Background(), &broker.OfferOffsets{TransactionalProducer: p,
				Member: broker.GroupMember{Client: p.Client, Group: "tellers", Generation: -1}, Offsets: []broker.CommitOffset{{Topic: "payments", Offset: broker.Offset(round)}}})
			return errors.Join(err, firstOf(errs))
		})
		c.must("end", func(n *testNode, p broker.TransactionalProducer) error {
			_, _, err := n.e.EndTransaction(context.Background(), &broker.EndTransaction{TransactionalProducer: p, Commit: commit})
			return err
		})
		if commit {
			want = append(want, fmt.Sprint(round, "a"), fmt.Sprint(round, "b"), fmt.Sprint(round, "c"))
		}
	}
	for i := range 4 {
		p := broker.Partition{Topic: topic.ID, Index: int32(i)}
		eventually(t, "what was committed is read", func() error {
			got, err := readCommitted(ns, p)
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("%v: %v, want %v", p, got, want)
			}
			return err
		})
	}
}

// readCommitted reads a partition as a read_committed consumer does, at whichever node leads.
func readCommitted(ns []*testNode, p broker.Partition) (values []string, err error) {
	for _, n := range ns {
		if values, err = committedFrom(n.e, p); err == nil {
			return values, nil
		}
	}
	return nil, err
}

func committedFrom(e *Engine, p broker.Partition) (values []string, err error) {
	var aborting []broker.ProducerID
	for from := broker.Offset(0); ; {
		r, err := e.Read(context.Background(), &broker.Read{MaxBytes: 1 << 20, Committed: true, Partitions: []broker.ReadPartition{
			{Partition: p, Offset: from, Epoch: broker.NoEpoch, LastEpoch: broker.NoEpoch, MaxBytes: 1 << 20}}})
		if err != nil {
			return nil, err
		}
		x := r.Partitions[0]
		if x.Err != nil {
			return nil, x.Err
		}
		if len(x.Batches) == 0 {
			return values, nil
		}
		for _, b := range x.Batches {
			h, err := batch.DecodeHeader(b)
			if err != nil {
				return nil, err
			}
			for len(x.Aborted) > 0 && x.Aborted[0].First <= broker.Offset(h.BaseOffset) {
				aborting, x.Aborted = append(aborting, x.Aborted[0].Producer), x.Aborted[1:]
			}
			from = broker.Offset(h.LastOffset()) + 1
			skip := slices.Index(aborting, broker.ProducerID(h.ProducerID))
			for rec, err := range batch.Records(b) {
				switch {
				case err != nil:
					return nil, err
				case h.Control() && skip >= 0:
					aborting = slices.Delete(aborting, skip, skip+1)
				case !h.Control() && skip < 0:
					values = append(values, string(rec.Value))
				}
			}
		}
		r.Release()
	}
}

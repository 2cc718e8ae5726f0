package node_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/ops/wire"
)

// versions are those of the requests that a transactional client of one protocol version sends.
type versions struct {
	second                                 bool
	produce, addPartitions, addGroup       int16
	offerOffsets, end, initialise, markers int16
}

var (
	firstVersion  = versions{false, 11, 3, 3, 3, 3, 4, 1}
	secondVersion = versions{true, 12, 3, 3, 5, 5, 5, 1}
)

// paths are the connections over which a transactional client speaks to the nodes that concern it.
type paths struct{ coordinator, group, leader *wire.Conn }

// teller is a transactional client that writes to partition 0 of a topic of its own and commits an offset of it for a group.
type teller struct {
	x        *transacted
	v        versions
	name     string // of its id, its group and its topic
	now      *paths
	producer int64
	epoch    int16
	sequence int32
}

// coordinator asks for the address of the coordinator of a group (0) or a transactional id (1).
func (c *teller) coordinatorOf(kind int8) (address string) {
	c.x.t.Helper()
	eventually(c.x.t, "find the coordinator", func() error {
		q := kmsg.NewPtrFindCoordinatorRequest()
		q.CoordinatorKey, q.CoordinatorType = c.name, kind
		resp, err := dialWire(c.x.t, c.x.seeds()[0]).Ask(3, q)
		if err != nil {
			return err
		}
		r := resp.(*kmsg.FindCoordinatorResponse)
		address = net.JoinHostPort(r.Host, fmt.Sprint(r.Port))
		return kerr.ErrorForCode(r.ErrorCode)
	})
	return address
}

func (c *teller) leaderAddress() (address string) {
	c.x.t.Helper()
	eventually(c.x.t, "find the leader", func() error {
		q := kmsg.NewPtrMetadataRequest()
		q.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(c.name)}}
		resp, err := dialWire(c.x.t, c.x.seeds()[0]).Ask(9, q)
		if err != nil {
			return err
		}
		r := resp.(*kmsg.MetadataResponse)
		for _, b := range r.Brokers {
			if b.NodeID == r.Topics[0].Partitions[0].Leader {
				address = net.JoinHostPort(b.Host, fmt.Sprint(b.Port))
				return nil
			}
		}
		return errors.New("no leader")
	})
	return address
}

// find makes new connections to the nodes of now.
func (c *teller) find() *paths {
	c.x.t.Helper()
	return &paths{dialWire(c.x.t, c.coordinatorOf(1)), dialWire(c.x.t, c.coordinatorOf(0)), dialWire(c.x.t, c.leaderAddress())}
}

// must sends a request over its present paths until it is taken, over new ones where the old ones have ended or lead nowhere.
func (c *teller) must(what string, send func(*paths) (int16, error)) {
	c.x.t.Helper()
	eventually(c.x.t, what, func() error {
		code, err := send(c.now)
		if err == nil {
			err = kerr.ErrorForCode(code)
		}
		var k *kerr.Error
		if err != nil && (!errors.As(err, &k) || k == kerr.NotCoordinator || k == kerr.NotLeaderForPartition) {
			c.now = c.find()
		}
		return err
	})
}

func (c *teller) begin() {
	c.must("init", func(p *paths) (int16, error) {
		q := kmsg.NewPtrInitProducerIDRequest()
		q.TransactionalID, q.TransactionTimeoutMillis, q.ProducerID, q.ProducerEpoch = &c.name, 60_000, -1, -1
		resp, err := p.coordinator.Ask(c.v.initialise, q)
		if err != nil {
			return 0, err
		}
		r := resp.(*kmsg.InitProducerIDResponse)
		c.producer, c.epoch = r.ProducerID, r.ProducerEpoch
		return r.ErrorCode, nil
	})
}

// The requests, each as of a moment: what is replayed later is what was sent then.

func (c *teller) addPartitions(partition int32) func(*paths) (int16, error) {
	epoch := c.epoch
	return func(p *paths) (int16, error) {
		q := kmsg.NewPtrAddPartitionsToTxnRequest()
		q.TransactionalID, q.ProducerID, q.ProducerEpoch = c.name, c.producer, epoch
		q.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: c.name, Partitions: []int32{partition}}}
		resp, err := p.coordinator.Ask(c.v.addPartitions, q)
		if err != nil {
			return 0, err
		}
		return resp.(*kmsg.AddPartitionsToTxnResponse).Topics[0].Partitions[0].ErrorCode, nil
	}
}

func (c *teller) addGroup() func(*paths) (int16, error) {
	epoch := c.epoch
	return func(p *paths) (int16, error) {
		q := kmsg.NewPtrAddOffsetsToTxnRequest()
		q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Group = c.name, c.producer, epoch, c.name
		resp, err := p.coordinator.Ask(c.v.addGroup, q)
		if err != nil {
			return 0, err
		}
		return resp.(*kmsg.AddOffsetsToTxnResponse).ErrorCode, nil
	}
}

func (c *teller) offer(offset int64) func(*paths) (int16, error) {
	epoch := c.epoch
	return func(p *paths) (int16, error) {
		q := kmsg.NewPtrTxnOffsetCommitRequest()
		q.TransactionalID, q.Group, q.ProducerID, q.ProducerEpoch, q.Generation = c.name, c.name, c.producer, epoch, -1
		part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		part.Offset, part.LeaderEpoch = offset, -1
		q.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: c.name, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{part}}}
		resp, err := p.group.Ask(c.v.offerOffsets, q)
		if err != nil {
			return 0, err
		}
		return resp.(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions[0].ErrorCode, nil
	}
}

func (c *teller) end(commit bool) func(*paths) (int16, error) {
	epoch := c.epoch
	return func(p *paths) (int16, error) {
		q := kmsg.NewPtrEndTxnRequest()
		q.TransactionalID, q.ProducerID, q.ProducerEpoch, q.Commit = c.name, c.producer, epoch, commit
		resp, err := p.coordinator.Ask(c.v.end, q)
		if err != nil {
			return 0, err
		}
		r := resp.(*kmsg.EndTxnResponse)
		if r.ErrorCode == 0 && c.v.second && c.epoch == epoch {
			c.producer, c.epoch, c.sequence = r.ProducerID, r.ProducerEpoch, 0
		}
		return r.ErrorCode, nil
	}
}

func (c *teller) produce(value string) func(*paths) (int16, error) {
	b := batch.NewBuilder()
	b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = c.producer, c.epoch, c.sequence, true
	b.Append(batch.Record{Value: []byte(value), Timestamp: time.Now().UnixMilli()})
	c.sequence++
	records := b.Bytes()
	return func(p *paths) (int16, error) {
		q := kmsg.NewPtrProduceRequest()
		q.TransactionID, q.Acks, q.TimeoutMillis = &c.name, -1, 10_000
		q.Topics = []kmsg.ProduceRequestTopic{{Topic: c.name, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: records}}}}
		resp, err := p.leader.Ask(c.v.produce, q)
		if err != nil {
			return 0, err
		}
		return resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, nil
	}
}

// markers are those of a tool, for the producer as it was.
func (c *teller) markers(commit bool) func(*paths) (int16, error) {
	epoch := c.epoch
	return func(p *paths) (int16, error) {
		q := kmsg.NewPtrWriteTxnMarkersRequest()
		q.Markers = []kmsg.WriteTxnMarkersRequestMarker{{ProducerID: c.producer, ProducerEpoch: epoch, Committed: commit,
			Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: c.name, Partitions: []int32{0}}}}}
		resp, err := p.leader.Ask(c.v.markers, q)
		if err != nil {
			return 0, err
		}
		return resp.(*kmsg.WriteTxnMarkersResponse).Markers[0].Topics[0].Partitions[0].ErrorCode, nil
	}
}

// lates are the requests that come late: what they are, and how the transaction ends in which they come, so that what they
// would do shows.
var lates = []struct {
	name   string
	of     func(c *teller) func(*paths) (int16, error)
	commit bool
	second bool // of the second protocol version only
}{
	{"EndTxn commits", func(c *teller) func(*paths) (int16, error) { return c.end(true) }, false, false},
	{"EndTxn aborts", func(c *teller) func(*paths) (int16, error) { return c.end(false) }, true, false},
	{"AddPartitionsToTxn", func(c *teller) func(*paths) (int16, error) { return c.addPartitions(1) }, true, false},
	{"AddOffsetsToTxn", func(c *teller) func(*paths) (int16, error) { return c.addGroup() }, true, false},
	{"TxnOffsetCommit", func(c *teller) func(*paths) (int16, error) { return c.offer(5) }, true, false},
	{"Produce", func(c *teller) func(*paths) (int16, error) { return c.produce("of the first, late") }, true, false},
	{"markers that commit", func(c *teller) func(*paths) (int16, error) { return c.markers(true) }, false, false},
	// In the first version they name the epoch of every transaction: there they are an operator's abort of the one that is open.
	{"markers that abort", func(c *teller) func(*paths) (int16, error) { return c.markers(false) }, true, true},
}

// Requests of a transaction that come in the next one change nothing of it, wherever they come and over which connection: a
// client that had no answer in time has sent them again over another one, and gone on (KAFKA-17754 and its kin).
func TestLateRequests(t *testing.T) {
	t.Parallel()
	x := transact(t, 3)
	for _, v := range []versions{firstVersion, secondVersion} {
		for _, where := range []string{"over an older connection", "at another node", "after a leader change"} {
			for _, late := range lates {
				if late.second && !v.second {
					continue
				}
				name := fmt.Sprintf("version %v %s %s", map[bool]int{false: 1, true: 2}[v.second], late.name, where)
				t.Run(name, func(t *testing.T) {
					x.t = t
					comesLate(x, v, where, late.of, late.commit)
				})
			}
		}
	}
}

func comesLate(x *transacted, v versions, where string, late func(*teller) func(*paths) (int16, error), commit bool) {
	x.partitions = 2
	topics++
	x.create(fmt.Sprintf("late-%d", topics))
	c := &teller{x: x, v: v, name: x.topic}
	c.now = c.find()
	older := c.now
	c.begin()
	transaction := func(value string, offset int64) {
		if !v.second {
			c.must("add the partition", c.addPartitions(0))
			c.must("add the group", c.addGroup())
		} else {
			c.must("add the group", c.addGroup())
		}
		c.must("produce", c.produce(value))
		c.must("offer offsets", c.offer(offset))
	}
	transaction("first", 5)
	sequence := c.sequence
	replay := late(c)
	c.sequence = sequence // it was never taken
	c.must("end the first", c.end(true))

	switch where {
	case "over an older connection":
		c.now = c.find()
	case "at another node":
		elsewhere := slices.DeleteFunc(slices.Clone(x.seeds()), func(a string) bool { return a == c.coordinatorOf(1) })
		groupElsewhere := slices.DeleteFunc(slices.Clone(x.seeds()), func(a string) bool { return a == c.coordinatorOf(0) })
		leaderElsewhere := slices.DeleteFunc(slices.Clone(x.seeds()), func(a string) bool { return a == c.leaderAddress() })
		older = &paths{dialWire(x.t, elsewhere[0]), dialWire(x.t, groupElsewhere[0]), dialWire(x.t, leaderElsewhere[0])}
	case "after a leader change":
		connected := map[string]*wire.Conn{} // before they lead
		for _, a := range x.seeds() {
			connected[a] = dialWire(x.t, a)
		}
		var moves []func()
		for shard := uint64(2); shard <= 5; shard++ {
			to := x.nodes[int(x.leaderOf(shard).cfg.NodeID)%len(x.nodes)]
			moves = append(moves, func() { x.lead(shard, to) })
		}
		for _, move := range moves {
			move()
		}
		c.now = c.find()
		at := func(find func() string) *wire.Conn { // each its own, as a request may end it
			a := find()
			w := connected[a]
			delete(connected, a)
			if w == nil {
				w = dialWire(x.t, a)
			}
			return w
		}
		older = &paths{}
		older.coordinator = at(func() string { return c.coordinatorOf(1) })
		older.group, older.leader = older.coordinator, older.coordinator
		if a := c.coordinatorOf(0); a != c.coordinatorOf(1) {
			older.group = at(func() string { return a })
		}
		if a := c.leaderAddress(); a != c.coordinatorOf(1) {
			older.leader = dialWire(x.t, a)
		}
	}

	transaction("second", 10)
	code, err := replay(older)
	answer := err
	if err == nil {
		answer = kerr.ErrorForCode(code)
	}
	x.t.Logf("it is answered: %v", answer)

	if code == 0 && err == nil && !v.second {
		x.t.Errorf("it was taken")
	}
	c.must("produce more", c.produce("third"))
	c.must("end the second", c.end(commit))
	want, offset := []string{"first"}, int64(5)
	if commit {
		want, offset = []string{"first", "second", "third"}, 10
	}
	eventually(x.t, "all is decided", func() error {
		if got := x.read(kgo.ReadCommitted()); !slices.Equal(got[0], want) || len(got[1]) > 0 {
			return fmt.Errorf("read %q, want %q and nothing", got, want)
		}
		adm := kadm.NewClient(x.client())
		os, err := adm.FetchOffsets(x.ctx, c.name)
		if err != nil {
			return err
		}
		if o, ok := os.Lookup(c.name, 0); !ok || o.At != offset {
			return fmt.Errorf("the group is at %v, want %d", o.At, offset)
		}
		stable, err := adm.ListCommittedOffsets(x.ctx, c.name)
		if err != nil {
			return err
		}
		ends, err := adm.ListEndOffsets(x.ctx, c.name)
		if err != nil {
			return err
		}
		for p := range x.partitions {
			s, _ := stable.Lookup(c.name, p)
			e, _ := ends.Lookup(c.name, p)
			if s.Offset != e.Offset {
				return fmt.Errorf("partition %d is stable up to %d of %d", p, s.Offset, e.Offset)
			}
		}
		d, err := adm.DescribeTransactions(x.ctx, c.name)
		if err != nil {
			return err
		}
		if s := d[c.name].State; s != "Empty" && s != "CompleteCommit" && s != "CompleteAbort" {
			return fmt.Errorf("the id is in state %s", s)
		}
		return nil
	})
}

// topics numbers those of the cases; subtests run one after the other.
var topics int

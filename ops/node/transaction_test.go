package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tallymq/tallymq/ops/config"
)

// Both versions of the transaction protocol: franz-go speaks the second one where a broker offers it, and the first one if
// it is made to forget what is newer than Kafka 3.8.
var protocols = []struct {
	name string
	opts []kgo.Opt
}{
	{"v2", nil},
	{"v1", []kgo.Opt{kgo.MaxVersions(kversion.V3_8_0())}},
}

// transacted is a cluster with a topic whose partitions are spread over four shards.
type transacted struct {
	*servers
	t          *testing.T
	ctx        context.Context
	opts       []kgo.Opt
	topic      string
	partitions int32
}

func transact(t *testing.T, nodes int) *transacted {
	t.Helper()
	c := newServers(t, nodes, func(cfg *config.Config) { cfg.DataShards = 4 })
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	return &transacted{servers: c, t: t, ctx: ctx, partitions: 6}
}

func (x *transacted) client(opts ...kgo.Opt) *kgo.Client {
	x.t.Helper()
	cl, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(x.seeds()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(50 * time.Millisecond), kgo.FetchMaxWait(200 * time.Millisecond)}, x.opts, opts)...)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(cl.Close)
	return cl
}

func (x *transacted) create(topic string) {
	x.t.Helper()
	x.topic = topic
	if r, err := kadm.NewClient(x.client()).CreateTopic(x.ctx, x.partitions, -1, nil, topic); err != nil || r.Err != nil {
		x.t.Fatal(err, r.Err)
	}
}

// write sends one record to each partition in one transaction, and leaves it open.
func (x *transacted) write(p *kgo.Client, value string) error {
	if err := p.BeginTransaction(); err != nil {
		return err
	}
	for i := range x.partitions {
		if err := p.ProduceSync(x.ctx, &kgo.Record{Topic: x.topic, Partition: i, Value: []byte(value)}).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

func (x *transacted) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// read gives the values of each partition, up to its end as the isolation level sees it.
func (x *transacted) read(level kgo.IsolationLevel) [][]string {
	x.t.Helper()
	cl := x.client(kgo.ConsumeTopics(x.topic), kgo.FetchIsolationLevel(level), kgo.KeepControlRecords())
	defer cl.Close()
	adm := kadm.NewClient(cl)
	list := adm.ListEndOffsets
	if level == kgo.ReadCommitted() {
		list = adm.ListCommittedOffsets
	}
	var ends kadm.ListedOffsets
	eventually(x.t, "the ends are known", func() error { // a leader may be moving: a client asks again
		var err error
		if ends, err = list(x.ctx, x.topic); err == nil {
			err = ends.Error()
		}
		return err
	})
	out, at := make([][]string, x.partitions), make([]int64, x.partitions)
	for {
		open := 0
		for i := range x.partitions {
			if o, _ := ends.Lookup(x.topic, i); at[i] < o.Offset {
				open++
			}
		}
		if open == 0 {
			return out
		}
		fs := cl.PollFetches(x.ctx)
		x.must(fs.Err0())
		fs.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				out[r.Partition] = append(out[r.Partition], string(r.Value))
			}
		})
	}
}

// everywhere says that each partition has exactly these values.
func (x *transacted) everywhere(level kgo.IsolationLevel, want ...string) {
	x.t.Helper()
	for i, got := range x.read(level) {
		if !slices.Equal(got, want) {
			x.t.Errorf("partition %d: %v, want %v", i, got, want)
		}
	}
}

// What is committed is read by everyone, what is aborted only by read_uncommitted; the same on one node and on three.
func TestTransactions(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			t.Parallel()
			x := transact(t, nodes)
			for _, p := range protocols {
				for _, test := range []struct {
					name string
					run  func(*transacted)
				}{
					{"commit and abort", commitAndAbort},
					{"open transactions hide what follows", openHides},
					{"fencing", fencing},
					{"time-out", timesOut},
					{"offsets", transactionalOffsets},
					{"shown to operators", shownToOperators},
				} {
					t.Run(p.name+" "+test.name, func(t *testing.T) {
						x.t, x.opts = t, p.opts
						x.create(strings.ReplaceAll(p.name+"."+test.name, " ", "-"))
						test.run(x)
					})
				}
			}
		})
	}
}

func commitAndAbort(x *transacted) {
	p := x.client(kgo.TransactionalID(x.topic))
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		x.must(x.write(p, fmt.Sprint(i)))
		x.must(p.EndTransaction(x.ctx, end))
	}
	x.must(x.client().ProduceSync(x.ctx, &kgo.Record{Topic: x.topic, Partition: 0, Value: []byte("plain")}).FirstErr())
	eventually(x.t, "all markers are there", func() error {
		for i, got := range x.read(kgo.ReadCommitted()) {
			want := []string{"0", "2", "3", "5"}
			if i == 0 {
				want = append(want, "plain")
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("partition %d: committed %v, want %v", i, got, want)
			}
		}
		return nil
	})
	for i, got := range x.read(kgo.ReadUncommitted()) {
		if !slices.Equal(got[:6], []string{"0", "1", "2", "3", "4", "5"}) {
			x.t.Errorf("partition %d: everything is %v", i, got)
		}
	}
}

func openHides(x *transacted) {
	p := x.client(kgo.TransactionalID(x.topic))
	x.must(x.write(p, "open"))
	other := x.client()
	for i := range x.partitions {
		x.must(other.ProduceSync(x.ctx, &kgo.Record{Topic: x.topic, Partition: i, Value: []byte("plain")}).FirstErr())
	}
	x.everywhere(kgo.ReadCommitted())
	x.everywhere(kgo.ReadUncommitted(), "open", "plain")
	x.must(p.EndTransaction(x.ctx, kgo.TryCommit))
	eventually(x.t, "markers are there", func() error {
		for i, got := range x.read(kgo.ReadCommitted()) {
			if !slices.Equal(got, []string{"open", "plain"}) {
				return fmt.Errorf("partition %d: %v", i, got)
			}
		}
		return nil
	})
}

// A successor aborts what its predecessor left open; the predecessor changes nothing any more.
func fencing(x *transacted) {
	old := x.client(kgo.TransactionalID(x.topic))
	x.must(x.write(old, "of the old one"))
	young := x.client(kgo.TransactionalID(x.topic))
	x.must(x.write(young, "of the young one"))
	err := old.ProduceSync(x.ctx, &kgo.Record{Topic: x.topic, Partition: 0, Value: []byte("late")}).FirstErr()
	if !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.ProducerFenced) {
		x.t.Errorf("the old one wrote: %v", err)
	}
	if err := old.EndTransaction(x.ctx, kgo.TryCommit); err == nil {
		x.t.Error("the old one committed")
	}
	x.must(young.EndTransaction(x.ctx, kgo.TryCommit))
	eventually(x.t, "markers are there", func() error {
		for i, got := range x.read(kgo.ReadCommitted()) {
			if !slices.Equal(got, []string{"of the young one"}) {
				return fmt.Errorf("partition %d: %v", i, got)
			}
		}
		return nil
	})
}

// What is open for longer than its time-out is aborted, and what follows it can be read.
func timesOut(x *transacted) {
	p, other := x.client(kgo.TransactionalID(x.topic), kgo.TransactionTimeout(time.Second)), x.client()
	x.must(x.write(p, "forgotten"))
	for i := range x.partitions {
		x.must(other.ProduceSync(x.ctx, &kgo.Record{Topic: x.topic, Partition: i, Value: []byte("plain")}).FirstErr())
	}
	eventually(x.t, "the transaction is aborted", func() error {
		for i, got := range x.read(kgo.ReadCommitted()) {
			if !slices.Equal(got, []string{"plain"}) {
				return fmt.Errorf("partition %d: %v", i, got)
			}
		}
		return nil
	})
	if err := p.EndTransaction(x.ctx, kgo.TryCommit); err == nil {
		x.t.Error("it was committed after it had been aborted")
	}
}

// A group's positions move with the records that were made of what was read, or not at all.
func transactionalOffsets(x *transacted) {
	from, to := x.topic, x.topic+"-out"
	source := x.client()
	const records = 60
	for i := range records {
		x.must(source.ProduceSync(x.ctx, &kgo.Record{Topic: from, Partition: int32(i) % x.partitions, Value: fmt.Appendf(nil, "%03d", i)}).FirstErr())
	}
	x.create(to)
	s, err := kgo.NewGroupTransactSession(slices.Concat([]kgo.Opt{kgo.SeedBrokers(x.seeds()...), kgo.TransactionalID(x.topic), kgo.ConsumerGroup(x.topic),
		kgo.ConsumeTopics(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(200 * time.Millisecond), kgo.FetchMaxBytes(1), kgo.FetchMaxPartitionBytes(1)}, x.opts)...)
	x.must(err)
	defer s.Close()
	for done, round := 0, 0; done < records; round++ {
		fs := s.PollRecords(x.ctx, 7)
		x.must(fs.Err0())
		x.must(s.Begin())
		n := 0
		var written kgo.FirstErrPromise
		fs.EachRecord(func(r *kgo.Record) {
			s.Produce(x.ctx, &kgo.Record{Topic: to, Partition: r.Partition, Value: r.Value}, written.Promise())
			n++
		})
		end := kgo.TryCommit
		if round%3 == 1 {
			end = kgo.TryAbort
		} else if err := written.Err(); err != nil { // the session commits without what could not be written
			x.t.Errorf("a record was refused: %v", err)
			end = kgo.TryAbort
		}
		committed, err := s.End(x.ctx, end)
		x.must(err)
		if committed {
			done += n
		}
	}
	var all []string
	eventually(x.t, "everything was processed once", func() error {
		all = nil
		for _, got := range x.read(kgo.ReadCommitted()) {
			all = append(all, got...)
		}
		sort.Strings(all)
		if len(all) != records || len(slices.Compact(slices.Clone(all))) != records {
			return fmt.Errorf("%d of %d: %v", len(all), records, all)
		}
		return nil
	})
}

func shownToOperators(x *transacted) {
	p := x.client(kgo.TransactionalID(x.topic))
	x.must(x.write(p, "open"))
	adm := kadm.NewClient(x.client())
	listed, err := adm.ListTransactions(x.ctx, nil, []string{"Ongoing"})
	x.must(err)
	if got, ok := listed[x.topic]; !ok || got.State != "Ongoing" {
		x.t.Errorf("listed: %+v", listed)
	}
	described, err := adm.DescribeTransactions(x.ctx, x.topic)
	x.must(err)
	d := described[x.topic]
	if d.Err != nil || d.State != "Ongoing" || len(d.Topics[x.topic]) != int(x.partitions) || d.StartTimestamp <= 0 {
		x.t.Errorf("described: %+v", d)
	}
	var set kadm.TopicsSet
	set.Add(x.topic, 0)
	producers, err := adm.DescribeProducers(x.ctx, set)
	x.must(err)
	found := false
	for _, q := range producers[x.topic].Partitions[0].ActiveProducers {
		if q.ProducerID == d.ProducerID {
			found = found || q.CurrentTxnStartOffset == 0
		}
	}
	if !found {
		x.t.Errorf("producers: %+v", producers)
	}
	// A tool ends it in one partition: it is aborted in all.
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch = d.ProducerID, d.ProducerEpoch
	marker.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: x.topic, Partitions: []int32{0}}}
	for _, commit := range []bool{true, false} {
		marker.Committed = commit
		q := kmsg.NewPtrWriteTxnMarkersRequest()
		q.Markers = append(q.Markers, marker)
		resp, err := q.RequestWith(x.ctx, x.client())
		x.must(err)
		err = kerr.ErrorForCode(resp.Markers[0].Topics[0].Partitions[0].ErrorCode)
		if commit != (err == kerr.InvalidTxnState) || !commit && err != nil {
			x.t.Errorf("foreign markers, commit %v: %v", commit, err)
		}
	}
	eventually(x.t, "it is aborted everywhere", func() error {
		for i, got := range x.read(kgo.ReadUncommitted()) {
			if !slices.Equal(got, []string{"open"}) {
				return fmt.Errorf("partition %d: %v", i, got)
			}
		}
		for i, got := range x.read(kgo.ReadCommitted()) {
			if len(got) > 0 {
				return fmt.Errorf("partition %d: %v", i, got)
			}
		}
		return nil
	})
}

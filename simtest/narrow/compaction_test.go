package narrow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

const (
	balances           = "balances" // a compacted topic
	balancesPartitions = 2
	balanceKeys        = 60
	// tombstonesStay is less than delete.retention.ms by what an answer may be on its way.
	tombstonesStay      = 6 * time.Second
	tombstoneRetention  = 12 * time.Second
	headerOfTombstoneID = "id"
)

// bookkeeper writes keys of a compacted topic.
type bookkeeper struct {
	x    *narrow
	p    *simtest.Process
	cl   *kgo.Client
	rng  *rand.Rand
	sent int
}

// next sends a record: the new value of a key, or its deletion. It returns its place in the history.
func (b *bookkeeper) next() int {
	x := b.x
	part := int32(b.rng.IntN(balancesPartitions))
	text := fmt.Sprintf("%s-%d", b.p.Name(), b.sent)
	key := fmt.Sprint("account-number-", b.rng.IntN(1+b.rng.IntN(1+b.rng.IntN(balanceKeys)))) // some much more often than others
	s := check.Send{Producer: b.p.Name(), Sequence: b.sent, Partition: where(balances, part), Key: key, Tombstone: b.rng.IntN(4) == 0, Outcome: check.Unknown, Offset: -1}
	r := &kgo.Record{Topic: balances, Partition: part, Key: []byte(key)}
	if s.Value = text; s.Tombstone {
		r.Headers = []kgo.RecordHeader{{Key: headerOfTombstoneID, Value: []byte(text)}}
	} else {
		s.Value += "-" + strings.Repeat("x", b.rng.IntN(2000))
		r.Value = []byte(s.Value)
	}
	b.sent++
	s.Call, s.Return = x.w.Now(), 1<<62
	x.mu.Lock()
	at := len(x.h.Sends)
	x.h.Sends = append(x.h.Sends, s)
	x.mu.Unlock()
	b.cl.Produce(context.Background(), r, func(r *kgo.Record, err error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		if s := &x.h.Sends[at]; err == nil {
			s.Offset = r.Offset
		}
	})
	return at
}

// decided notes what became of records.
func (b *bookkeeper) decided(o check.Outcome, at ...int) {
	b.x.mu.Lock()
	defer b.x.mu.Unlock()
	for _, i := range at {
		s := &b.x.h.Sends[i]
		switch {
		case o == check.OK && s.Offset >= 0:
			s.Outcome, s.Return = o, b.x.w.Now()
			b.x.acks++
		case o == check.Failed:
			s.Outcome, s.Return = o, b.x.w.Now()
		}
	}
}

// keepBooks writes without transactions until stop is closed.
func (x *narrow) keepBooks(stop <-chan struct{}) <-chan error {
	_, done := x.begin("bookkeeper", func(p *simtest.Process, cl *kgo.Client) error {
		b := &bookkeeper{x: x, p: p, cl: cl, rng: x.w.Rand(p.Name())}
		var at []int // what is on its way
		for !stopped(stop, time.Duration(b.rng.Int64N(int64(120*time.Millisecond)))) {
			for range 1 + b.rng.IntN(4) {
				at = append(at, b.next())
			}
			if b.rng.IntN(3) == 0 {
				continue
			}
			if err := cl.Flush(context.Background()); err != nil {
				return err
			}
			b.decided(check.OK, at...)
			at = nil
		}
		err := cl.Flush(context.Background())
		b.decided(check.OK, at...)
		return err
	}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	return done
}

var errBegunAnew = errors.New("the transaction's outcome is not known")

// settle writes in transactions, some of which it aborts, until stop is closed. A teller that does not know what became of one
// is succeeded by another with its transactional id.
func (x *narrow) settle(id string, stop <-chan struct{}) <-chan error {
	over := make(chan error, 1)
	go func() {
		for {
			_, done := x.begin("teller", func(p *simtest.Process, cl *kgo.Client) error {
				b := &bookkeeper{x: x, p: p, cl: cl, rng: x.w.Rand(p.Name())}
				for !stopped(stop, time.Duration(b.rng.Int64N(int64(200*time.Millisecond)))) {
					if err := b.transact(); err != nil {
						return err
					}
				}
				return nil
			}, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.TransactionalID(id), kgo.TransactionTimeout(3*time.Second))
			if err := <-done; !errors.Is(err, errBegunAnew) {
				over <- err
				return
			}
		}
	}()
	return over
}

func (b *bookkeeper) transact() error {
	if err := b.cl.BeginTransaction(); err != nil {
		return err
	}
	var at []int
	for range 1 + b.rng.IntN(4) {
		at = append(at, b.next())
	}
	how, outcome := kgo.TryCommit, check.OK
	if b.rng.IntN(2) == 0 {
		how, outcome = kgo.TryAbort, check.Failed
	}
	ctx, cancel := timeout(10 * time.Second)
	defer cancel()
	if err := b.cl.Flush(ctx); err != nil {
		return errBegunAnew
	}
	if err := b.cl.EndTransaction(ctx, how); err != nil {
		return errBegunAnew
	}
	b.decided(outcome, at...)
	return nil
}

// audit reads the compacted topic from its start to its present end: all there is, or as far as it gets.
func (x *narrow) audit(rng *rand.Rand, final bool) {
	opts := []kgo.Opt{kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(200 * time.Millisecond)}
	pause := time.Duration(0)
	if rng.IntN(2) == 0 { // one batch at a time, or few
		opts = append(opts, kgo.FetchMaxPartitionBytes(int32(1+rng.IntN(4000))), kgo.MaxConcurrentFetches(1))
		if !final {
			pause = time.Duration(rng.Int64N(int64(50 * time.Millisecond)))
		}
	}
	x.as("auditor", func(cl *kgo.Client) error {
		since := x.w.Now()
		ends := map[int32]int64{}
		if err := insist(func(ctx context.Context) error {
			listed, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, balances)
			if err == nil {
				err = listed.Error()
			}
			listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
			return err
		}); err != nil {
			return fmt.Errorf("list the ends of %s: %w", balances, err)
		}
		x.auditTo(cl, ends, since, pause, final)
		return nil
	}, opts...)
}

func (x *narrow) auditTo(cl *kgo.Client, ends map[int32]int64, since, pause time.Duration, final bool) {
	at := map[int32]kgo.Offset{}
	for p := range int32(balancesPartitions) {
		at[p] = kgo.NewOffset().AtStart()
		if final {
			x.h.Drained = append(x.h.Drained, where(balances, p))
		}
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{balances: at})
	name, seen := cl.OptValue(kgo.ClientID).(string), map[int32]int64{}
	for quiet := time.Now(); ; time.Sleep(pause) {
		behind := 0
		for p, end := range ends {
			if seen[p] < end {
				behind++
			}
		}
		if behind == 0 || !final && time.Since(quiet) > 2*time.Second { // what was aborted is passed over in silence
			return
		}
		if time.Since(quiet) > patience {
			x.w.Anomaly("unread", balances, "read to %v of %v", seen, ends)
			return
		}
		ctx, cancel := timeout(time.Second)
		fs := cl.PollFetches(ctx)
		cancel()
		fs.EachRecord(func(r *kgo.Record) {
			quiet = time.Now()
			seen[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				x.audited(name, r, since, final)
			}
		})
	}
}

// audited notes a record that was read.
func (x *narrow) audited(name string, r *kgo.Record, since time.Duration, final bool) {
	text := string(r.Value)
	if r.Value == nil && len(r.Headers) == 1 {
		text = string(r.Headers[0].Value)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.h.Reads = append(x.h.Reads, check.Read{At: x.w.Now(), Since: since, Consumer: name, Partition: where(balances, r.Partition), Offset: r.Offset, Value: text, Final: final})
}

// TestACompactedLog: whatever happens to the nodes that compact it, the newest record of every key is there, at its offset; what was aborted
// replaces nothing; nothing comes back; and who saw what was deleted sees that it was.
func TestACompactedLog(t *testing.T) {
	tune := func(c *config.Config) {
		small(c)
		c.CompactionCheckInterval = 100 * time.Millisecond
		c.JournalCacheBytes = 64 << 10
	}
	world(t, tune, func(x *narrow) {
		x.createCompacted()
		stop := make(chan struct{})
		running := []<-chan error{x.keepBooks(stop), x.keepBooks(stop), x.settle("teller", stop)}
		audits := make(chan error, 1)
		rng := x.w.Rand("audits")
		go func() {
			defer close(audits)
			for !stopped(stop, time.Duration(rng.Int64N(int64(2*time.Second)))) {
				x.audit(rng, false)
			}
		}()
		x.faults(25*time.Second, func(f *faults) {
			f.wait(100*time.Millisecond, 3*time.Second)
			switch f.rng.IntN(5) {
			case 0:
				f.hit(simtest.Isolate, f.node(), 500*time.Millisecond, 2*time.Second)
			case 1:
				f.hit(simtest.Pause, f.node(), 500*time.Millisecond, 2*time.Second)
			case 2:
				f.at += f.hit(simtest.Power, f.node(), 50*time.Millisecond, time.Second)
			case 3:
				f.at += f.hit(simtest.Kill, f.node(), 50*time.Millisecond, 3*time.Second)
			case 4:
				f.all(simtest.Power, 50*time.Millisecond, 500*time.Millisecond)
				f.at += time.Second
			}
		})
		time.Sleep(5 * time.Second)
		close(stop)
		x.settled(append(running, audits)...)
		x.audit(rng, true)
		time.Sleep(2 * time.Second)
		x.audit(rng, false)
		x.replicas()
		x.removed()
		if x.acks == 0 {
			x.Error("nothing was acknowledged: the world shows nothing")
		}
	})
}

// createCompacted makes the compacted topic.
func (x *narrow) createCompacted() {
	configs := map[string]*string{}
	for k, v := range map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": fmt.Sprint(tombstoneRetention.Milliseconds())} {
		configs[k] = &v
	}
	x.as("admin", func(cl *kgo.Client) error {
		return insist(func(ctx context.Context) error {
			_, err := kadm.NewClient(cl).CreateTopic(ctx, balancesPartitions, 3, configs, balances)
			return err
		})
	})
	for p := range int32(balancesPartitions) {
		x.h.Compacted = append(x.h.Compacted, where(balances, p))
	}
	x.h.TombstonesStay = tombstonesStay
}

// removed counts what the final reading has not got any more.
func (x *narrow) removed() {
	there := map[string]bool{}
	for i := range x.h.Reads {
		if r := &x.h.Reads[i]; r.Final {
			there[r.Value] = true
		}
	}
	gone, tombstones := 0, 0
	for i := range x.h.Sends {
		if s := &x.h.Sends[i]; s.Outcome == check.OK && !there[s.Value] {
			if gone++; s.Tombstone {
				tombstones++
			}
		}
	}
	x.w.Count("compacted away", gone)
	x.w.Count("tombstones gone", tombstones)
	if x.acks > 100 && gone == 0 {
		x.Error("nothing was compacted: the world shows nothing")
	}
}

package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tallymq/tallymq/simtest"
	"github.com/tallymq/tallymq/simtest/check"
)

const (
	posted  = "posted" // a record of it for each payment, written in transactions
	tellers = "tellers"

	postedPartitions = 3
	// transactionTime is after how long an open transaction is aborted. Readers at the end wait for longer.
	transactionTime = 10 * time.Second
)

// createPosted makes the topic that tellers write, in worlds that have some.
func (l *workload) createPosted() {
	if l.tellers == 0 {
		return
	}
	l.create(posted, postedPartitions, nil)
	for p := range int32(postedPartitions) {
		l.h.Marked = append(l.h.Marked, place(posted, p))
	}
}

// teller is one incarnation of a client that reads payments, posts each, and moves its group's positions, in one transaction.
type teller struct {
	l       *workload
	name    string
	id      string // its transactional id: one that is started again takes it over
	session *kgo.GroupTransactSession
	rng     *rand.Rand
	begun   int
}

// tell is main of a teller. It ends by an error when it is fenced.
func (l *workload) tell(p *simtest.Process, name string) error {
	t := &teller{l: l, name: name, id: p.Name(), rng: l.w.Rand("teller " + name)}
	if l.rivals {
		t.id = tellers
	}
	opts := l.options(p, kgo.TransactionalID(t.id), kgo.TransactionTimeout(transactionTime), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumerGroup(tellers), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.RebalanceTimeout(5*time.Second), kgo.FetchMaxWait(500*time.Millisecond))
	if l.protocols == "first" || l.protocols == "both" && t.rng.IntN(2) == 0 {
		opts = append(opts, kgo.MaxVersions(kversion.V3_8_0()))
	}
	var err error
	if t.session, err = kgo.NewGroupTransactSession(opts...); err != nil {
		return err
	}
	defer t.session.Client().CloseAllowingRebalance()
	for !l.stopped(l.every) {
		if err := t.transact(); err != nil {
			l.w.Result(name, "ends: %v", err)
			return err
		}
	}
	return nil
}

// transact is one transaction. It is in the history from its beginning: as one that must not be seen, until its commit is
// asked for.
func (t *teller) transact() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	fetches := t.session.PollRecords(ctx, 1+t.rng.IntN(2*t.l.batch))
	cancel()
	if fetches.NumRecords() == 0 {
		return nil
	}
	op := check.Op{Process: fmt.Sprintf("%s-%d", t.name, t.begun), Kind: check.KindTxn, Outcome: check.Failed, TransactionalID: t.id, Group: tellers}
	op.Call, op.Return = t.l.w.Now(), 1<<62
	if err := t.session.Begin(); err != nil {
		return err
	}
	var written kgo.FirstErrPromise
	records := t.fill(&op, fetches)
	t.begun++
	t.l.mu.Lock()
	at := len(t.l.h.Ops)
	t.l.h.Ops = append(t.l.h.Ops, op)
	t.l.mu.Unlock()
	for _, r := range records {
		t.session.Produce(context.Background(), r, written.Promise())
	}
	end := kgo.TransactionEndTry(t.rng.IntN(5) > 0)
	if end == kgo.TryCommit && written.Err() != nil {
		end = kgo.TryAbort
	}
	if end == kgo.TryCommit {
		t.note(at, check.Unknown, 1<<62)
	}
	committed, err := t.session.End(context.Background(), end)
	t.l.w.Result(t.name, "transaction %d: %d records, commit %v: committed %v, %v", t.begun, len(records), end, committed, err)
	switch {
	case err != nil:
		return err
	case committed:
		t.note(at, check.OK, t.l.w.Now())
	default:
		t.note(at, check.Failed, t.l.w.Now())
	}
	return nil
}

// fill makes a record for each payment, and says what the transaction does.
func (t *teller) fill(op *check.Op, fetches kgo.Fetches) (records []*kgo.Record) {
	ends := map[string]int64{}
	fetches.EachRecord(func(r *kgo.Record) {
		from, to := place(topic, r.Partition), int32(t.rng.IntN(postedPartitions))
		value := fmt.Sprintf("%s-%d-%d-", t.name, t.begun, len(records))
		value += strings.Repeat("x", max(t.rng.IntN(t.l.recordBytes)-len(value), 0))
		op.Do = append(op.Do, check.Mop{Poll: true, Partition: from, Offset: r.Offset, Value: textOf(r)},
			check.Mop{Partition: place(posted, to), Offset: -1, Value: value})
		ends[from] = r.Offset + 1
		records = append(records, &kgo.Record{Topic: posted, Partition: to, Value: []byte(value)})
	})
	for p := range t.l.partitions[topic] {
		if end, ok := ends[place(topic, p)]; ok {
			op.Offsets = append(op.Offsets, check.Position{Partition: place(topic, p), Offset: end})
		}
	}
	return records
}

// note says what became of a transaction.
func (t *teller) note(at int, outcome check.Outcome, when time.Duration) {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	t.l.h.Ops[at].Outcome, t.l.h.Ops[at].Return = outcome, when
}

// committed counts the transactions whose commit was told.
func (l *workload) committed() (n int) {
	for i := range l.h.Ops {
		if l.h.Ops[i].Outcome == check.OK {
			n++
		}
	}
	return n
}

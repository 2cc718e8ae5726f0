package partition

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/participant"
)

// transact does what a shard does with grants and decisions for its partitions; nil for any other command.
func (w *world) transact(m *Machine, ctx Context, c command.Message, rows keyspace.Writer) command.Message {
	r := &command.TxnParticipantsResult{}
	note := func(here bool, refusal *txn.Refusal) {
		code := txn.None
		if refusal != nil {
			code = refusal.Code
		}
		r.Here, r.Codes = append(r.Here, here), append(r.Codes, uint8(code))
	}
	switch c := c.(type) {
	case *command.TxnGrant:
		for _, g := range c.Grants {
			grant := txn.Grant{ProducerID: txn.ProducerID(c.ProducerID), Epoch: txn.Epoch(c.Epoch), Number: txn.Number(c.Number)}
			for _, d := range g.Earlier {
				grant.Earlier = append(grant.Earlier, decided(d))
			}
			note(m.Grant(ctx, broker.Partition{Topic: g.Participant.Topic, Index: g.Participant.Partition}, grant, rows))
		}
		return r
	case *command.TxnDecide:
		for _, p := range c.Participants {
			note(m.Close(ctx, broker.Partition{Topic: p.Topic, Index: p.Partition}, decided(c.Decision), rows))
		}
		return r
	}
	return nil
}

func decided(d command.TxnDecision) txn.Decision {
	outcome := txn.Abort
	if d.Commit {
		outcome = txn.Commit
	}
	return txn.Decision{ProducerID: txn.ProducerID(d.ProducerID), Epoch: txn.Epoch(d.Epoch), Number: txn.Number(d.Number), Outcome: outcome}
}

func (l line) participants() []command.TxnParticipant {
	return []command.TxnParticipant{{Topic: l.id.Topic, Partition: l.id.Index}}
}

func (l line) decision(commit bool) command.TxnDecision {
	return command.TxnDecision{ProducerID: broker.ProducerID(l.int("producer", 0)), Epoch: broker.ProducerEpoch(l.int("epoch", 0)),
		Number: uint64(l.int("number", 1)), Commit: commit}
}

// grant reads a grant; committed= and aborted= name the transaction before it, which it closes.
func (l line) grant() command.Message {
	c := &command.TxnGrant{ProducerID: broker.ProducerID(l.int("producer", 0)), Epoch: broker.ProducerEpoch(l.int("epoch", 0)),
		Number: uint64(l.int("number", 1)), Grants: []command.TxnGrantItem{{Participant: l.participants()[0]}}}
	for _, commit := range []bool{true, false} {
		if n := l.int(map[bool]string{true: "committed", false: "aborted"}[commit], 0); n > 0 {
			c.Grants[0].Earlier = append(c.Grants[0].Earlier, command.TxnDecision{ProducerID: c.ProducerID, Epoch: c.Epoch, Number: uint64(n), Commit: commit})
		}
	}
	return c
}

func shortParticipants(r *command.TxnParticipantsResult) string {
	if !r.Here[0] {
		return "not here"
	}
	return txn.Code(r.Codes[0]).String()
}

// stable prints what a read_committed reader of a partition is told.
func (w *world) stable(l line) string {
	h := w.head(l.id)
	text := fmt.Sprintf("stable %d of %d..%d\n", h.Stable(), h.Start, h.Next)
	found, err := Aborted(w.rows[0], h, broker.Offset(l.int("from", 0)), broker.Offset(l.int("to", int64(h.Stable()))))
	if err != nil {
		w.t.Fatalf("aborted: %v", err)
	}
	for _, a := range found {
		text += a.String() + "\n"
	}
	return text
}

// A marker's batch is one that clients can read, and says what the row says.
func TestMarkerBytes(t *testing.T) {
	for _, commit := range []bool{true, false} {
		b := Batch{Base: 12, Last: 12, Epoch: 3, MaxTimestamp: 1700000000000, Marker: Marker{ProducerID: 4000, Epoch: 7, Commit: commit, CoordinatorEpoch: 9}}
		raw := b.AppendMarker([]byte("before"))[len("before"):]
		h, err := batch.DecodeHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) != int(markerBytes) || h.ProducerID != 4000 || h.ProducerEpoch != 7 || h.BaseSequence != -1 || h.BaseOffset != 12 || h.NumRecords != 1 ||
			h.Attributes != transactionalBit|controlBit {
			t.Fatalf("%d bytes: %+v", len(raw), h)
		}
		for r, err := range batch.Records(raw) {
			if err != nil {
				t.Fatal(err)
			}
			c, err := batch.DecodeControl(r)
			if err != nil || (c.Type == batch.ControlCommit) != commit || c.CoordinatorEpoch != 9 || r.Timestamp != 1700000000000 || r.Offset != 12 {
				t.Fatalf("%+v of %+v: %v", c, r, err)
			}
		}
	}
}

// modelTransactions is what a log with transactions looks like to somebody who keeps it all.
type modelTransactions struct {
	open    map[broker.ProducerID]uint64 // producer → number
	first   map[broker.ProducerID]broker.Offset
	last    map[broker.ProducerID]uint64
	aborted []participant.Aborted
	next    broker.Offset
	start   broker.Offset
	seq     map[broker.ProducerID]int32
}

func (m *modelTransactions) stable() broker.Offset {
	s := m.next
	for _, f := range m.first {
		s = min(s, f)
	}
	return max(s, m.start)
}

// Whatever order transactions begin, write and end in, and whatever is trimmed or swept between, after every step on
// replicas that restart and crash: the last stable offset is where the first undecided record is, it never falls, and
// readers are told of each aborted record.
func TestTransactionsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, Options{})
		id := parsePartition("a/0")
		w.lead(2)
		w.apply(&command.PartitionCreate{Topic: id.Topic, Config: command.PartitionConfig{BatchBytesMax: 1000}})
		m := &modelTransactions{open: map[broker.ProducerID]uint64{}, first: map[broker.ProducerID]broker.Offset{}, last: map[broker.ProducerID]uint64{}, seq: map[broker.ProducerID]int32{}}
		before := broker.Offset(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			w.clock += 10
			m.step(t, w, id)
			h := w.head(id)
			if h.Next != m.next || h.Start != m.start || h.Stable() != m.stable() || h.Stable() < before {
				t.Fatalf("%v, stable %d after %d; the model: %d..%d stable %d", h, h.Stable(), before, m.start, m.next, m.stable())
			}
			before = h.Stable()
			from := broker.Offset(rapid.Int64Range(int64(h.Start), int64(h.Next)).Draw(t, "from"))
			to := broker.Offset(rapid.Int64Range(int64(from), int64(max(from, h.Stable()))).Draw(t, "to"))
			m.check(t, w, h, from, to)
		}
	})
}

// check compares what a reader of from..to is told with the model: all that lie there, and none that begin behind.
func (m *modelTransactions) check(t *rapid.T, w *world, h *Head, from, to broker.Offset) {
	got, err := Aborted(w.rows[0], h, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(got, func(a, b participant.Aborted) int { return int(a.First - b.First) }) {
		t.Fatalf("%v does not rise", got)
	}
	told := map[[3]int64]bool{}
	for _, a := range got {
		told[[3]int64{int64(a.ProducerID), a.First, a.Last}] = true
	}
	for _, a := range m.aborted {
		within := a.Last >= int64(from) && a.First < int64(to)
		if within != told[[3]int64{int64(a.ProducerID), a.First, a.Last}] {
			t.Fatalf("%v, read from %d to %d: told %v", a, from, to, got)
		}
	}
}

func (m *modelTransactions) step(t *rapid.T, w *world, id broker.Partition) {
	p := broker.ProducerID(rapid.Int64Range(1, 3).Draw(t, "producer"))
	who := []command.TxnParticipant{{Topic: id.Topic, Partition: id.Index}}
	switch rapid.SampledFrom([]string{"grant", "append", "append", "plain", "end", "end", "trim", "sweep"}).Draw(t, "step") {
	case "grant":
		n := m.open[p]
		if n == 0 {
			n = m.last[p] + 1
		}
		w.apply(&command.TxnGrant{ProducerID: p, Number: n, Grants: []command.TxnGrantItem{{Participant: who[0]}}})
		m.open[p] = n
	case "append":
		c := newAppend(id, rapid.Int32Range(1, 3).Draw(t, "records"), 10, func(c *command.Append) {
			c.ProducerID, c.BaseSequence, c.Attributes, c.Number, c.MaxTimestamp = p, m.seq[p], transactionalBit, m.open[p], 5
		})
		r := w.applyOne(c).(*command.AppendResult)
		if held := m.open[p] != 0; held != (r.Code == broker.CodeNone) || !held && r.Code != broker.CodeNotInTransaction {
			t.Fatalf("hold %v: %v", held, r)
		} else if held {
			if _, has := m.first[p]; !has {
				m.first[p] = m.next
			}
			m.seq[p] += c.Records
			m.next += broker.Offset(c.Records)
		}
	case "plain":
		w.apply(newAppend(id, 1, 10, func(*command.Append) {}))
		m.next++
	case "end":
		m.end(t, w, p, who)
	case "trim":
		to := broker.Offset(rapid.Int64Range(int64(m.start), int64(m.next)).Draw(t, "to"))
		w.apply(&command.PartitionTrim{Topic: id.Topic, Partition: id.Index, LogStart: to})
		m.start = max(m.start, to)
	case "sweep":
		w.apply(&command.Sweep{Budget: 10, ProducerExpireMs: -1})
	}
}

func (m *modelTransactions) end(t *rapid.T, w *world, p broker.ProducerID, who []command.TxnParticipant) {
	commit := rapid.Bool().Draw(t, "commit")
	n := m.open[p]
	if n == 0 {
		n = m.last[p] + 1 // of a transaction whose grant never came
	}
	w.apply(&command.TxnDecide{Decision: command.TxnDecision{ProducerID: p, Number: n, Commit: commit}, Participants: who})
	again := w.applyOne(&command.TxnDecide{Decision: command.TxnDecision{ProducerID: p, Number: n, Commit: commit}, Participants: who}).(*command.TxnParticipantsResult)
	if again.Codes[0] != 0 {
		t.Fatalf("the same decision again: %v", again)
	}
	if first, has := m.first[p]; has {
		delete(m.first, p)
		if !commit {
			m.aborted = append(m.aborted, participant.Aborted{ProducerID: txn.ProducerID(p), First: int64(first), Last: int64(m.next)})
		}
		m.next++
	}
	delete(m.open, p)
	m.last[p] = n
}

func (w *world) applyOne(c command.Message) command.Message {
	w.t.Helper()
	results, _ := w.apply(c)
	return results[0]
}

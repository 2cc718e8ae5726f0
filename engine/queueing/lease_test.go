package queueing

import (
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// A node that does not lead renews its lease under a clock that stands still. Its time begins when the leader tells it, so that
// the shard never ends a lease earlier than the node that counts on it, however long nobody told the time before.
func TestALeaseIsMeasuredByTheLeader(t *testing.T) {
	m, rows := New(), &keyspace.Mem{}
	index := uint64(0)
	apply := func(clock uint64, old bool, c command.Message) broker.Code {
		t.Helper()
		index++
		out, _, err := m.Apply(Context{Index: index, Clock: clock, ClockOld: old}, c.AppendTo(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Flush(rows, rows); err != nil {
			t.Fatal(err)
		}
		rows.Commit()
		again, err := Load(rows)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := again.Describe(), m.Describe(); got != want {
			t.Fatalf("loaded\n%s\nin memory\n%s", got, want)
		}
		m = again
		var r command.QueueResult
		if r.Decode(out) != nil {
			return broker.CodeNone
		}
		return r.Code
	}
	renew := &command.QueueLease{Node: 2, Run: 7, HoldMs: 100, Renew: true}
	apply(1000, false, &command.QueueTick{})
	apply(1000, true, &command.QueueLease{Node: 2, Run: 7, HoldMs: 100})
	if !m.Due(1000) {
		t.Fatal("the leader is not asked for the time")
	}
	apply(5000, false, &command.QueueTick{}) // hours later, by its own clock
	if code := apply(5000, true, renew); code != broker.CodeNone {
		t.Fatalf("lost at once: %v", code)
	}
	apply(5099, false, &command.QueueTick{})
	apply(5150, false, &command.QueueTick{})
	if code := apply(5150, true, renew); code != broker.CodeNone {
		t.Fatalf("it was renewed before 5099: %v", code)
	}
	apply(5151, false, &command.QueueTick{})
	apply(5251, false, &command.QueueTick{})
	if code := apply(5251, true, renew); code != broker.CodeSessionLost {
		t.Fatalf("nobody renewed it: %v", code)
	}
}

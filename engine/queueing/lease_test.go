package queueing

import (
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// timed is a machine whose commands bring the time or not; after each it goes on with what its rows have.
type timed struct {
	*testing.T
	m     *Machine
	rows  keyspace.Mem
	index uint64
}

func (x *timed) apply(clock uint64, old bool, c command.Message) broker.Code {
	x.Helper()
	x.index++
	out, _, err := x.m.Apply(Context{Index: x.index, Clock: clock, ClockOld: old}, c.AppendTo(nil), nil)
	if err != nil {
		x.Fatal(err)
	}
	if _, err := x.m.Flush(&x.rows, &x.rows); err != nil {
		x.Fatal(err)
	}
	x.rows.Commit()
	again, err := Load(&x.rows)
	if err != nil {
		x.Fatal(err)
	}
	again.foldAt = x.m.foldAt
	if got, want := again.Describe(), x.m.Describe(); got != want {
		x.Fatalf("loaded\n%s\nin memory\n%s", got, want)
	}
	x.m = again
	var r command.QueueResult
	if r.Decode(out) != nil {
		return broker.CodeNone
	}
	return r.Code
}

// eachFold runs a test with the state in deltas, and folded at once.
func eachFold(t *testing.T, test func(x *timed)) {
	for _, at := range []int{1000, 1} {
		x := &timed{T: t, m: New()}
		x.m.foldAt = at
		test(x)
	}
}

// A node that does not lead renews its lease under a clock that stands still. Its time begins when the leader tells it, so that
// the shard never ends a lease earlier than the node that counts on it, however long nobody told the time before.
func TestALeaseIsMeasuredByTheLeader(t *testing.T) {
	eachFold(t, func(x *timed) {
		renew := &command.QueueLease{Node: 2, Run: 7, HoldMs: 100, Renew: true}
		x.apply(1000, false, &command.QueueTick{})
		x.apply(1000, true, &command.QueueLease{Node: 2, Run: 7, HoldMs: 100})
		if !x.m.Due(1000) {
			t.Fatal("the leader is not asked for the time")
		}
		x.apply(5000, false, &command.QueueTick{}) // hours later, by its own clock
		if code := x.apply(5000, true, renew); code != broker.CodeNone {
			t.Fatalf("lost at once: %v", code)
		}
		x.apply(5099, false, &command.QueueTick{})
		x.apply(5150, false, &command.QueueTick{})
		if code := x.apply(5150, true, renew); code != broker.CodeNone {
			t.Fatalf("it was renewed before 5099: %v", code)
		}
		x.apply(5151, false, &command.QueueTick{})
		x.apply(5251, false, &command.QueueTick{})
		if code := x.apply(5251, true, renew); code != broker.CodeSessionLost {
			t.Fatalf("nobody renewed it: %v", code)
		}
	})
}

// A queue that is declared or used over a node that does not lead is not unused since the time was told last.
func TestUnusedIsMeasuredByTheLeader(t *testing.T) {
	eachFold(t, func(x *timed) {
		look := &command.QueueLook{Queue: 1}
		x.apply(1000, false, &command.QueueTick{})
		x.apply(1000, true, &command.QueueCreate{Queue: 1, Name: "q", Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, ExpiresMs: 100}})
		if !x.m.Due(1000) {
			t.Fatal("the leader is not asked for the time")
		}
		x.apply(9000, false, &command.QueueTick{})
		if code := x.apply(9000, true, look); code != broker.CodeNone {
			t.Fatalf("it ended at once: %v", code)
		}
		x.apply(9099, false, &command.QueueTick{})
		x.apply(9150, false, &command.QueueTick{})
		if code := x.apply(9150, false, look); code != broker.CodeNone {
			t.Fatalf("it was used before 9099: %v", code)
		}
		x.apply(9250, false, &command.QueueTick{})
		if code := x.apply(9250, false, look); code != broker.CodeUnknownQueue {
			t.Fatalf("nobody used it: %v", code)
		}
	})
}

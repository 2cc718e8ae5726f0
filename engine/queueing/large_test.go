package queueing

import (
	"fmt"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// large is a machine with one queue of some chunks, folded at every step.
type large struct {
	t     *testing.T
	m     *Machine
	rows  *keyspace.Mem
	index uint64
	clock uint64
	keys  int // of the messages: as many follow one another
	sent  int
}

func (x *large) apply(c command.Message) command.Message {
	x.t.Helper()
	x.index++
	out, _, err := x.m.Apply(Context{Index: x.index, Position: 4, Clock: x.clock}, c.AppendTo(nil), nil)
	if err != nil {
		x.t.Fatal(err)
	}
	r, err := command.Decode(out)
	if err != nil {
		x.t.Fatal(err)
	}
	return r
}

// same flushes, and compares what the rows give with what is in memory.
func (x *large) same() {
	x.t.Helper()
	if _, err := x.m.Flush(x.rows, x.rows); err != nil {
		x.t.Fatal(err)
	}
	x.rows.Commit()
	again, err := Load(x.rows)
	if err != nil {
		x.t.Fatal(err)
	}
	if got, want := again.Describe(), x.m.Describe(); got != want {
		x.t.Fatalf("loaded\n%.2000s\nin memory\n%.2000s", got, want)
	}
	named := 0
	if err := LiveNames(x.rows, 0, x.index, func(Name) bool { named++; return true }); err != nil {
		x.t.Fatal(err)
	}
	lives := 0
	for _, l := range append([]*line{x.m.lines[1]}, x.m.graves...) {
		if l != nil {
			lives += int(l.published - l.gone)
		}
	}
	if named != lives {
		x.t.Fatalf("%d payloads are named, %d messages live", named, lives)
	}
}

func (x *large) publish(n int, expiration int64) {
	for range n {
		x.sent++
		x.apply(&command.QueuePublish{Targets: []command.QueueTarget{{Queue: 1, Key: fmt.Sprint(x.sent % max(x.keys, 1))}}, Size: 3, ExpirationMs: expiration, PayloadLength: 3, Payload: []byte("abc")})
	}
}

// A queue of several chunks: deliveries across their borders, a purge and an end that take several slices, all of it the same
// from the rows.
func TestLarge(t *testing.T) {
	for _, keys := range []int{0, 5000} { // 0: no order is kept
		t.Run(fmt.Sprint(keys, " keys"), func(t *testing.T) { testLarge(t, keys) })
	}
}

func testLarge(t *testing.T, keys int) {
	x := &large{t: t, m: New(), rows: &keyspace.Mem{}, clock: 1000, keys: keys}
	x.m.foldAt = 1
	x.apply(&command.QueueLease{Node: 1, Run: 1, HoldMs: 1 << 30})
	x.apply(&command.QueueCreate{Queue: 1, Name: "q", Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, Ordered: keys > 0}})
	x.publish(3*chunkMessages, -1)
	x.same()
	x.apply(&command.QueueAttach{Queue: 1, Consumer: 7, Node: 1, Run: 1, Session: 1, Channel: 1, Messages: chunkMessages + 10})
	x.same()
	c := &command.QueueSettle{Node: 1, Run: 1, Session: 1}
	for n := range uint64(chunkMessages + 2) {
		o := broker.Acknowledge
		if n%100 == 3 {
			o = broker.Requeue
		}
		c.Items = append(c.Items, command.QueueSettlement{Queue: 1, Number: n + 1, Outcome: uint8(o)})
	}
	x.apply(c)
	x.same()
	x.publish(3*sliceMessages, -1)
	x.same()
	r := x.apply(&command.QueuePurge{Queue: 1}).(*command.QueueResult)
	if l := x.m.lines[1]; l.ready != 0 || r.Messages < 3*sliceMessages || len(l.doomed) == 0 {
		t.Fatalf("purged %d, %d ready, doomed %v", r.Messages, l.ready, l.doomed)
	}
	x.same()
	x.publish(10, 5)
	x.ticks()
	if l := x.m.lines[1]; l.published != l.gone+uint64(l.ready+len(l.out)) || l.ready != 10 {
		t.Fatalf("after the ticks:\n%.500s", x.m.Describe())
	}
	x.clock += 100
	x.ticks()
	x.publish(2*sliceMessages, -1)
	x.apply(&command.QueueDrop{Queue: 1})
	x.same()
	x.ticks()
	if len(x.m.graves) != 0 || len(x.m.lines) != 0 {
		t.Fatalf("after the end: %v", x.m)
	}
	lo, hi := keyspace.TableRange(keyspace.TableChunk)
	if err := x.rows.Scan(lo, hi, func(k, _ []byte) bool { t.Errorf("row %x is left", k); return true }); err != nil {
		t.Fatal(err)
	}
}

func (x *large) ticks() {
	for range 100 {
		if !x.m.Due(x.clock) {
			return
		}
		x.apply(&command.QueueTick{Budget: 1000})
		x.same()
	}
	x.t.Fatal("ticks without an end")
}

// A key with a long backlog keeps nobody else waiting, and each message is passed once.
func TestHotKey(t *testing.T) {
	x := &large{t: t, m: New(), rows: &keyspace.Mem{}, clock: 1000}
	x.m.foldAt = 1000
	x.apply(&command.QueueLease{Node: 1, Run: 1, HoldMs: 1 << 30})
	x.apply(&command.QueueCreate{Queue: 1, Name: "q", Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, Ordered: true}})
	x.keys = 1
	x.publish(20*chunkMessages, -1) // all of one key
	x.keys = 10
	x.publish(9, -1) // and others
	x.apply(&command.QueueAttach{Queue: 1, Consumer: 7, Node: 1, Run: 1, Session: 1, Channel: 1, Messages: 100})
	l := x.m.lines[1]
	if len(l.out) != 10 {
		t.Fatalf("%d messages are out, there are 10 keys", len(l.out))
	}
	// The hot key goes on one by one, in order, and is given back to its place.
	last := uint64(0)
	for n := uint64(1); l.ready > 0; n = l.numbers {
		s := l.out[n].sequence
		if s != last+1 && last != 0 {
			t.Fatalf("#%d is delivered after #%d", s, last)
		}
		last = s
		o := broker.Acknowledge
		if n%7 == 0 {
			o, last = broker.Requeue, s-1
		}
		x.apply(&command.QueueSettle{Node: 1, Run: 1, Session: 1, Items: []command.QueueSettlement{{Queue: 1, Number: n, Outcome: uint8(o)}}})
		if n == 1 {
			continue
		}
	}
	x.same()
}

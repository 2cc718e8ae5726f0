package queueing

import (
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// What the consumers of a lease had does not pass through those of another that ends with it: it would count as a failed delivery of
// each.
func TestLeasesThatEndTogether(t *testing.T) {
	x := &large{t: t, m: New(), rows: &keyspace.Mem{}, clock: 1000}
	x.apply(&command.QueueCreate{Queue: 1, Name: "q", Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, DeliveryLimit: 1}})
	for node := range 3 {
		n := node + 1
		x.apply(&command.QueueLease{Node: broker.NodeID(n), Run: 1, HoldMs: 100})
		x.apply(&command.QueueAttach{Queue: 1, Consumer: uint64(n), Node: broker.NodeID(n), Run: 1, Session: 1, Channel: 1, Messages: 10})
	}
	x.publish(3, -1)
	x.same()
	x.clock += 200
	x.apply(&command.QueueTick{Budget: 100})
	if l := x.m.lines[1]; l.ready != 3 || l.numbers != 3 {
		t.Fatalf("after the end of three leases:\n%s", x.m.Describe())
	}
	for s, y := range x.m.lines[1].all() {
		if y.returned != 1 {
			t.Errorf("message %d was returned %d times", s, y.returned)
		}
	}
}

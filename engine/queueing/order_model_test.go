package queueing

import (
	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// Order per key in the model: what is said of it in the package's promise, checked after each command from the messages alone.

func (w *world) someKey() string {
	return rapid.SampledFrom([]string{"a", "a", "b", ""}).Draw(w.t, "key")
}

func (w *world) keyOf(d Delivery) string {
	for _, x := range w.messages[d.Queue] {
		if x.name == d.Name {
			return x.key
		}
	}
	return "none"
}

// checkOrder checks a queue after a command; hungry: somebody would take a message.
func (w *world) checkOrder(l *line, hungry bool) {
	if n := l.count(parked); n != l.parked || n > 0 && !l.parks() {
		w.t.Fatalf("queue %d: %d are parked, it counts %d", l.id, n, l.parked)
	}
	for _, x := range l.all() {
		if x.state != parked {
			continue
		}
		for _, y := range w.messages[l.id] {
			if y.name == x.name {
				y.state = parked
				w.seen["parked"]++
			}
		}
	}
	if !l.config.Ordered {
		return
	}
	busy, first := map[string]uint64{}, map[string]uint64{}
	for s, x := range l.all() {
		k := l.key(s).text
		switch {
		case x.state == ready && !l.isDoomed(s):
			if first[k] == 0 {
				first[k] = s
			} else {
				w.seen["key waits"]++
			}
		case x.state == acquired || x.state == held || x.state == parked:
			if busy[k] != 0 || first[k] != 0 {
				w.t.Fatalf("queue %d: #%d of key %q is busy behind #%d that is busy, #%d that is ready\n%s", l.id, s, k, busy[k], first[k], w.m.Describe())
			}
			busy[k] = s
		}
	}
	if stopped := l.parked > 0 && l.config.Poison == poisonStop; stopped || !hungry {
		return
	}
	for k, s := range first {
		if busy[k] == 0 && !l.expired(s, w.m.clock) {
			w.t.Fatalf("queue %d: #%d of key %q is ready and somebody would take it\n%s", l.id, s, k, w.m.Describe())
		}
	}
}

func (w *world) release() {
	q := broker.QueueID(0)
	for id := range broker.QueueID(queueMax + 1) {
		if l := w.m.lines[id]; l != nil && l.parked > 0 && (q == 0 || rapid.Bool().Draw(w.t, "that one")) {
			q = id
		}
	}
	c := &command.QueueRelease{Queue: uint64(q), Discard: rapid.Bool().Draw(w.t, "discard")}
	l := w.m.lines[q]
	if l == nil || l.parked == 0 {
		return
	}
	for s, x := range l.all() {
		if x.state == parked && c.Number == 0 && rapid.Bool().Draw(w.t, "this one") {
			c.Number = s
		}
	}
	n := 0
	for s, x := range l.all() {
		if x.state != parked || c.Number != 0 && c.Number != s {
			continue
		}
		n++
		for _, y := range w.messages[q] {
			switch {
			case y.name != x.name:
			case c.Discard:
				y.state = gone
				w.seen["discarded"]++
			default:
				y.state = ready
				w.seen["released"]++
			}
		}
	}
	if r := w.apply(c).(*command.QueueResult); int(r.Messages) != n {
		w.t.Fatalf("%d of %d were released", r.Messages, n)
	}
}

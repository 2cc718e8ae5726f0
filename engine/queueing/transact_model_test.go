package queueing

import (
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

// Transactions in the model: those of one shard happen at once or not at all, those of several hold what they cover until they are
// decided, whatever becomes of sessions, consumers and queues meanwhile.

func (l *line) count(s state) (n int) {
	for _, x := range l.all() {
		if x.state == s {
			n++
		}
	}
	return n
}

// someItems are deliveries of a session; now and then one that is not its own.
func (w *world) someItems(s Session) (items []command.QueueSettlement) {
	for _, at := range slices.Sorted(maps.Keys(w.delivered)) {
		t := w.m.lines[broker.QueueID(at>>32)].out[at&(1<<32-1)]
		mine := t.consumer.session == s
		if mine && rapid.IntRange(0, 2).Draw(w.t, "this one") > 0 || !mine && rapid.IntRange(0, 60).Draw(w.t, "wrong") == 0 {
			items = append(items, command.QueueSettlement{Queue: at >> 32, Number: at & (1<<32 - 1), Outcome: uint8(rapid.IntRange(0, 3).Draw(w.t, "outcome"))})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.m.lines)) {
		for _, n := range w.m.lines[id].dying {
			if rapid.IntRange(0, 3).Draw(w.t, "send on") == 0 {
				items = append(items, command.QueueSettlement{Queue: uint64(id), Number: n, Outcome: uint8(Buried)})
			}
		}
	}
	return items
}

func (w *world) someMessages() (ms []command.QueueMessage, payload []byte) {
	if x, found := w.again(); found {
		return []command.QueueMessage{x}, make([]byte, x.Length)
	}
	for i := range rapid.IntRange(0, 3).Draw(w.t, "messages") {
		x := command.QueueMessage{Size: uint32(rapid.IntRange(1, 100).Draw(w.t, "size")), ExpirationMs: -1, CRC: uint32(w.index)<<8 + uint32(i), Length: uint32(i + 1)}
		if rapid.IntRange(0, 4).Draw(w.t, "expires") == 0 {
			x.ExpirationMs = int64(rapid.IntRange(0, 10).Draw(w.t, "expiration"))
		}
		if rapid.IntRange(0, 2).Draw(w.t, "with id") == 0 {
			x.MessageID, x.Fingerprint = w.someID()
		}
		x.Priority = uint8(rapid.IntRange(0, 3).Draw(w.t, "rank"))
		for q := range uint64(queueMax) {
			if rapid.Bool().Draw(w.t, "there") {
				x.Targets = append(x.Targets, command.QueueTarget{Queue: q + 1, Key: w.someKey()})
			}
		}
		ms, payload = append(ms, x), append(payload, make([]byte, x.Length)...)
	}
	return ms, payload
}

// arriving are the messages of a command that was just applied, in the order of their arrival.
func (w *world) arriving(ms []command.QueueMessage, head uint32) (out []*modelMessage) {
	at := 10 + head
	for _, x := range ms {
		for _, t := range x.Targets {
			if q := broker.QueueID(t.Queue); w.m.lines[q] != nil {
				out = append(out, &modelMessage{queue: q, name: Name{w.index, at, x.Length, x.CRC}, state: ready, key: t.Key, rank: x.Priority})
			}
		}
		at += x.Length
	}
	return out
}

// unchanged checks that what refused changed nothing: all but the clock, and what it measures.
func (w *world) unchanged(before string) {
	timeless := func(s string) string {
		_, s, _ = strings.Cut(s, "\n")
		for strings.HasPrefix(s, "lease of") {
			_, s, _ = strings.Cut(s, "\n")
		}
		return s
	}
	before = timeless(before)
	if now := timeless(w.m.Describe()); now != before {
		w.t.Fatalf("it was refused; before\n%s\nafter\n%s", before, now)
	}
}

func (w *world) transact() {
	s := w.session()
	c := &command.QueueTransact{Node: s.Node, Run: s.Run, Session: s.Number, Items: w.someItems(s)}
	c.Messages, c.Payload = w.someMessages()
	c.PayloadLength = uint32(len(c.Payload))
	before := w.m.Describe()
	if r := w.apply(c).(*command.QueueTransactResult); r.Code != broker.CodeNone {
		w.unchanged(before)
		w.seen["transaction refused"]++
		return
	}
	w.seen["transacted"]++
}

const producers = 2

func (w *world) producer() txn.ProducerID {
	return txn.ProducerID(rapid.IntRange(1, producers).Draw(w.t, "producer"))
}

func (w *world) grant() {
	id := w.producer()
	n := w.numbers[id]
	if w.open[id] == nil {
		n++
	}
	w.index++
	if r := w.m.Grant(Context{Index: w.index, Position: 10, Clock: w.clock}, txn.Grant{ProducerID: id, Number: n, Coordinator: 3}); r != nil {
		w.t.Fatal(r)
	}
	w.numbers[id] = n
	if w.open[id] == nil {
		w.open[id] = &modelHold{}
	}
	w.flush(&command.TxnGrant{}, nil)
}

func (w *world) prepare() {
	id, s := w.producer(), w.session()
	c := &command.QueuePrepare{ProducerID: broker.ProducerID(id), Number: uint64(w.numbers[id]), Node: s.Node, Run: s.Run, Session: s.Number, Items: w.someItems(s)}
	c.Messages, c.Payload = w.someMessages()
	c.PayloadLength = uint32(len(c.Payload))
	h := w.open[id]
	before, x := w.m.Describe(), w.m
	r := w.apply(c).(*command.QueueTransactResult)
	if (txn.Code(r.Refusal) != txn.None) != (h == nil) {
		w.t.Fatalf("prepared: %v, the hold is open: %v", r, h != nil)
	}
	if r.Code != broker.CodeNone || h == nil {
		if x == w.m {
			w.unchanged(before)
		}
		w.seen["prepare refused"]++
		return
	}
	if !w.once(c.Messages, r, id) {
		w.seen["prepared"]++
		return
	}
	h.staged = append(h.staged, w.arriving(c.Messages, uint32(len(c.AppendHead(nil))))...)
	w.seen["prepared"]++
}

// decide ends a transaction, or tells its end again.
func (w *world) decide() {
	id := w.producer()
	d := txn.Decision{ProducerID: id, Number: w.numbers[id], Outcome: txn.Outcome(rapid.IntRange(0, 1).Draw(w.t, "outcome"))}
	h := w.open[id]
	if d.Number == 0 {
		return
	}
	w.index++
	if r := w.m.Close(Context{Index: w.index, Position: 10, Clock: w.clock}, d); r != nil && h != nil {
		w.t.Fatal(r)
	}
	if h != nil {
		w.sighted(id, d.Outcome == txn.Commit)
		delete(w.open, id)
		w.decided(h, d.Outcome == txn.Commit)
	}
	w.flush(&command.TxnDecide{}, nil)
}

func (w *world) decided(h *modelHold, commit bool) {
	for i, x := range h.held {
		x.state = ready
		if w.m.lines[x.queue] == nil {
			w.seen["held in a dropped queue"]++
		}
		if commit && !h.again[i] || w.m.lines[x.queue] == nil {
			x.state = gone
		}
	}
	if !commit {
		w.seen["aborted"]++
		return
	}
	w.seen["committed"]++
	for _, x := range h.staged {
		if w.m.lines[x.queue] != nil {
			w.messages[x.queue] = append(w.messages[x.queue], x)
		}
	}
}

// meant says whether an open transaction adds to a queue.
func (w *world) meant(q broker.QueueID) bool {
	for _, h := range w.m.held {
		for _, y := range h.staged {
			if slices.ContainsFunc(y.targets, func(t stagedTarget) bool { return t.queue == q }) {
				return true
			}
		}
	}
	return false
}

// settledBy says whether a transaction's command took a delivery.
func (w *world) settledBy(c command.Message, at uint64, x *modelMessage) bool {
	var items []command.QueueSettlement
	var h *modelHold
	switch c := c.(type) {
	case *command.QueueTransact:
		items = c.Items
	case *command.QueuePrepare:
		items, h = c.Items, w.open[txn.ProducerID(c.ProducerID)]
	}
	for _, i := range items {
		if broker.Outcome(i.Outcome) == Buried {
			continue
		}
		if place(broker.QueueID(i.Queue), i.Number) != at {
			continue
		}
		again := broker.Outcome(i.Outcome) == broker.Requeue || broker.Outcome(i.Outcome) == broker.RejectAgain
		switch {
		case h != nil:
			x.state = held
			h.held, h.again = append(h.held, x), append(h.again, again)
		case again:
			x.state = ready
		default:
			x.state = gone
		}
		return true
	}
	return false
}

// checkOpen checks what open transactions cover, and adds what they name.
func (w *world) checkOpen(want map[Name]bool) {
	reserved := map[broker.QueueID]int{}
	for id, h := range w.m.held {
		if w.open[id] == nil {
			w.t.Fatalf("producer %d covers something in no transaction", id)
		}
		for _, y := range h.staged {
			want[y.name] = true
			for _, q := range y.targets {
				reserved[q.queue]++
			}
		}
		for _, i := range h.items {
			if w.m.consumers[i.consumer] == nil {
				w.seen["consumer of a held one gone"]++
			}
		}
	}
	for _, l := range w.m.lines {
		if l.reserved.messages < 0 || l.reserved.messages > reserved[l.id] {
			w.t.Fatalf("queue %d: %v reserved, %d are to come", l.id, l.reserved, reserved[l.id])
		}
		if (l.config.LengthMax >= 0 && l.config.Overflow != overflowDropHead) && l.ready > int(l.config.LengthMax) && l.returnedSome() == false {
			w.t.Fatalf("queue %d has %d ready, at most %d", l.id, l.ready, l.config.LengthMax)
		}
	}
	for _, h := range w.open {
		for _, x := range h.held {
			if l := w.m.lines[x.queue]; l != nil && x.state != held {
				w.t.Fatalf("queue %d: %v is held and in state %d", x.queue, x.name, x.state)
			}
		}
	}
}

// returnedSome: what returned may be more than fits.
func (l *line) returnedSome() bool {
	for _, x := range l.all() {
		if x.redelivered {
			return true
		}
	}
	return false
}

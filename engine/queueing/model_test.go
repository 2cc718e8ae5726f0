package queueing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
)

// world is a machine with its rows, and a model that knows for each message only where it is.
type world struct {
	t     *rapid.T
	m     *Machine
	rows  *keyspace.Mem
	index uint64
	clock uint64

	messages  map[broker.QueueID][]*modelMessage
	delivered map[uint64]*modelMessage // by queue<<32 | number: outstanding
	holders   map[uint64]broker.ConsumerID
	highest   map[broker.QueueID]uint64
	open      map[txn.ProducerID]*modelHold
	numbers   map[txn.ProducerID]txn.Number
	ids       map[broker.QueueID][]modelID
	attached  uint64         // the last consumer's id: none is given twice
	seen      map[string]int // rare things that happened
}

// modelHold is what an open transaction has.
type modelHold struct {
	held   []*modelMessage
	again  []bool // it is to be ready again if the transaction commits
	staged []*modelMessage
}

type modelMessage struct {
	queue broker.QueueID
	name  Name
	state state
	again bool // was delivered before
	key   string
	rank  uint8 // priority
}

func newWorld(t *rapid.T, foldAt int) *world {
	w := &world{t: t, m: New(), rows: &keyspace.Mem{}, clock: 1000, messages: map[broker.QueueID][]*modelMessage{}, delivered: map[uint64]*modelMessage{},
		holders: map[uint64]broker.ConsumerID{}, highest: map[broker.QueueID]uint64{}, open: map[txn.ProducerID]*modelHold{},
		numbers: map[txn.ProducerID]txn.Number{}, ids: map[broker.QueueID][]modelID{}, seen: map[string]int{}}
	w.m.foldAt = foldAt
	return w
}

func place(q broker.QueueID, number uint64) uint64 { return uint64(q)<<32 | number }

// apply applies a command, flushes, and checks what must always hold.
func (w *world) apply(c command.Message) command.Message {
	w.index++
	ctx := Context{Index: w.index, Position: 10, Clock: w.clock}
	if w.m.clock > 0 && rapid.IntRange(0, 3).Draw(w.t, "who does not lead") == 0 {
		ctx.Clock, ctx.ClockOld = w.m.clock, true
	}
	out, _, err := w.m.Apply(ctx, c.AppendTo(nil), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := command.Decode(out)
	if err != nil {
		w.t.Fatal(err)
	}
	switch c := c.(type) {
	case *command.QueuePublish:
		w.published(c, r.(*command.QueuePublishResult))
	case *command.QueueTransact:
		if w.once(c.Messages, r.(*command.QueueTransactResult), 0) {
			for _, x := range w.arriving(c.Messages, uint32(len(c.AppendHead(nil)))) {
				w.messages[x.queue] = append(w.messages[x.queue], x)
			}
		}
	}
	w.flush(c, r)
	return r
}

// flush takes over what a command brought about.
func (w *world) flush(c, r command.Message) {
	f, err := w.m.Flush(w.rows, w.rows)
	if err != nil {
		w.t.Fatal(err)
	}
	w.rows.Commit()
	// Whoever held something and does not any more gave it back: only now may it be delivered again.
	w.returned(c)
	for _, d := range f.Deliveries {
		w.deliver(d)
	}
	if g, ok := r.(*command.QueueGetResult); ok && g.Found {
		get := c.(*command.QueueGet)
		w.deliver(Delivery{Queue: broker.QueueID(get.Queue), Consumer: broker.ConsumerID(get.Consumer), Number: g.Number,
			Name: Name{g.Index, g.Position, g.Length, g.CRC}, Redelivered: g.Redelivered, Returned: g.Returned})
	}
	w.check()
}

func (w *world) published(c *command.QueuePublish, r *command.QueuePublishResult) {
	for i, t := range c.Targets {
		if c.MessageID != "" {
			w.forget(broker.QueueID(t.Queue))
		}
		if r.Codes[i] == broker.CodeNone && w.known(broker.QueueID(t.Queue), c.MessageID, c.Fingerprint) == duplicate {
			w.seen["published again"]++
			continue
		}
		if r.Codes[i] == broker.CodeNone {
			w.remember(broker.QueueID(t.Queue), c.MessageID, c.Fingerprint, 0)
			q := broker.QueueID(t.Queue)
			at := uint32(10 + len(c.AppendHead(nil)))
			w.messages[q] = append(w.messages[q], &modelMessage{queue: q, name: Name{w.index, at, c.PayloadLength, c.PayloadCRC}, state: ready, key: t.Key, rank: c.Priority})
		} else {
			w.seen["refused"]++
		}
	}
}

// returned takes over which deliveries are over, and checks that they may be.
func (w *world) returned(c command.Message) {
	for at, x := range w.delivered {
		l := w.m.lines[x.queue]
		if l != nil && l.out[at&(1<<32-1)] != nil {
			continue
		}
		delete(w.delivered, at)
		switch s, ok := c.(*command.QueueSettle); {
		case w.settledBy(c, at, x):
		case l == nil:
			x.state = gone
		case ok && slices.ContainsFunc(s.Items, func(i command.QueueSettlement) bool {
			return place(broker.QueueID(i.Queue), i.Number) == at && broker.Outcome(i.Outcome) != broker.Requeue && broker.Outcome(i.Outcome) != broker.RejectAgain
		}):
			x.state = gone
			w.seen["settled"]++
		case ok:
			x.state = ready
			w.seen["requeued"]++
		default:
			x.state = ready
			w.seen["returned"]++
		}
	}
}

func (w *world) deliver(d Delivery) {
	if d.Number <= w.highest[d.Queue] {
		w.t.Fatalf("queue %d: delivery %d after %d", d.Queue, d.Number, w.highest[d.Queue])
	}
	w.highest[d.Queue] = d.Number
	// The first ready message in the queue, but for those that expired, were dropped or failed too often.
	l := w.m.lines[d.Queue]
	for _, x := range w.inOrder(d.Queue) {
		if x.name == d.Name && x.state == ready {
			if x.again != d.Redelivered {
				w.t.Fatalf("queue %d: delivery %d of %v: redelivered %v", d.Queue, d.Number, x.name, d.Redelivered)
			}
			x.state, x.again = acquired, true
			if l == nil || l.out[d.Number] == nil {
				w.t.Fatalf("queue %d: delivery %d was taken back in the command that made it", d.Queue, d.Number)
			}
			w.delivered[place(d.Queue, d.Number)] = x
			return
		}
		if l != nil && l.config.Ordered && x.key != w.keyOf(d) {
			continue
		}
		if l != nil && l.config.Ordered && (x.state == acquired || x.state == held || x.state == parked) {
			w.t.Fatalf("queue %d: delivery %d of %v, while %v of its key is in state %d", d.Queue, d.Number, d.Name, x.name, x.state)
		}
		if x.state == ready {
			if w.alive(l, x) {
				w.t.Fatalf("queue %d: delivery %d of %v overtakes %v", d.Queue, d.Number, d.Name, x.name)
			}
			x.state = gone
			w.seen["let go"]++
		}
	}
	w.t.Fatalf("queue %d: delivery %d of %v, which is not ready", d.Queue, d.Number, d.Name)
}

// inOrder are the messages of a queue in the order in which they are to be delivered, as far as they are ready.
func (w *world) inOrder(q broker.QueueID) []*modelMessage {
	ms := w.messages[q]
	l := w.m.lines[q]
	if l == nil || l.config.Priorities == 0 {
		return ms
	}
	ms = slices.Clone(ms)
	slices.SortStableFunc(ms, func(a, b *modelMessage) int {
		return cmp.Compare(min(b.rank, l.config.Priorities), min(a.rank, l.config.Priorities))
	})
	w.seen["ranked"]++
	return ms
}

// alive says whether the machine has a message ready that the model has.
func (w *world) alive(l *line, x *modelMessage) bool {
	if l == nil {
		return false
	}
	for s, y := range l.all() {
		if y.name == x.name && y.state == ready && !l.isDoomed(s) {
			return true
		}
	}
	return false
}

func (w *world) check() {
	want := map[Name]bool{}
	for _, id := range slices.Sorted(maps.Keys(w.m.lines)) {
		l := w.m.lines[id]
		if !l.balance() {
			w.t.Fatalf("the books do not balance:\n%s", w.m.Describe())
		}
		for _, x := range l.all() {
			want[x.name] = true
		}
		if n := l.count(dying); n != len(l.dying) || l.count(leaving) != l.leaving {
			w.t.Fatalf("queue %d: %d are dying, it has %v, %d leaving", id, n, l.dying, l.leaving)
		}
		if len(l.dying) > 0 {
			w.seen["dying"]++
		}
		for n, t := range l.out {
			if w.delivered[place(id, n)] == nil || l.at(t.sequence).state != acquired {
				w.t.Fatalf("queue %d: delivery %d is out, to nobody that the model knows", id, n)
			}
		}
		if n := l.count(held); n != l.held {
			w.t.Fatalf("queue %d: %d are held, it counts %d", id, n, l.held)
		}
		hungry := slices.ContainsFunc(l.consumers, func(c *consumer) bool { return c.hungry() && (!l.config.SingleActive || c == l.consumers[0]) })
		w.checkOrder(l, hungry)
		if l.config.Ordered {
			continue
		}
		if s := l.first(); s != 0 && hungry && !l.expired(s, w.m.clock) {
			w.t.Fatalf("queue %d: #%d is ready and somebody would take it\n%s", id, s, w.m.Describe())
		}
	}
	for _, l := range w.m.graves {
		for _, x := range l.all() {
			want[x.name] = true
		}
	}
	w.checkOpen(want)
	live := map[Name]bool{}
	if err := LiveNames(w.rows, 0, w.index, func(n Name) bool { live[n] = true; return true }); err != nil {
		w.t.Fatal(err)
	}
	if !maps.Equal(live, want) {
		w.t.Fatalf("the rows name %v, the messages %v", live, want)
	}
	again, err := Load(w.rows)
	if err != nil {
		w.t.Fatal(err)
	}
	if got, want := again.Describe(), w.m.Describe(); got != want {
		w.t.Fatalf("loaded\n%s\nin memory\n%s", got, want)
	}
	if len(w.m.changed.lines) == 0 {
		w.seen["folded"]++
	}
}

// restart goes on with what the rows have.
func (w *world) restart() {
	m, err := Load(w.rows)
	if err != nil {
		w.t.Fatal(err)
	}
	m.foldAt = w.m.foldAt
	w.m = m
	w.seen["restarted"]++
}

const (
	nodes    = 2
	queueMax = 3
)

func (w *world) session() Session {
	n := broker.NodeID(rapid.IntRange(1, nodes).Draw(w.t, "node"))
	run := uint64(1)
	if l := w.m.leases[n]; l != nil && rapid.IntRange(0, 9).Draw(w.t, "late") > 0 {
		run = l.run
	}
	return Session{n, run, uint64(rapid.IntRange(1, 2).Draw(w.t, "session"))}
}

func (w *world) someConsumer() (queue, id uint64) {
	ids := slices.Sorted(maps.Keys(w.m.consumers))
	if len(ids) == 0 {
		return 1, 7
	}
	x := w.m.consumers[rapid.SampledFrom(ids).Draw(w.t, "consumer")]
	return uint64(x.line.id), uint64(x.id)
}

func (w *world) step() {
	t := w.t
	q := uint64(rapid.IntRange(1, queueMax).Draw(t, "queue"))
	w.clock += uint64(rapid.IntRange(0, 3).Draw(t, "time"))
	switch rapid.SampledFrom([]string{"publish", "publish", "publish", "publish", "settle", "settle", "settle", "transact", "transact", "grant", "prepare", "prepare", "prepare", "decide", "attach", "attach", "lease", "lease", "get", "detach", "credit", "leave",
		"purge", "drop", "create", "create", "tick", "time", "restart", "release", "release", "release", "release", "release", "release"}).Draw(t, "what") {
	case "create":
		c := &command.QueueCreate{Queue: q, Name: fmt.Sprint("q", q), Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1}}
		c.Config.TTLMs = rapid.SampledFrom([]int64{-1, -1, 0, 20}).Draw(t, "ttl")
		c.Config.LengthMax = rapid.SampledFrom([]int64{-1, -1, 0, 3}).Draw(t, "length")
		c.Config.BytesMax = rapid.SampledFrom([]int64{-1, -1, 300}).Draw(t, "bytes")
		c.Config.Overflow = uint8(rapid.IntRange(0, 2).Draw(t, "overflow"))
		c.Config.DeliveryLimit = uint32(rapid.IntRange(0, 2).Draw(t, "limit"))
		c.Config.DeadLetters = rapid.IntRange(0, 2).Draw(t, "dead letters") == 0
		c.Config.SingleActive = rapid.IntRange(0, 4).Draw(t, "single") == 0
		c.Config.ExpiresMs = uint64(rapid.SampledFrom([]int{0, 0, 0, 150}).Draw(t, "expires"))
		if c.Config.Ordered = rapid.Bool().Draw(t, "ordered"); c.Config.Ordered {
			c.Config.Poison = uint8(rapid.SampledFrom([]int{poisonPark, 2, poisonStop}).Draw(t, "poison"))
		}
		if !c.Config.Ordered && rapid.Bool().Draw(t, "ranks") {
			c.Config.Priorities = uint8(rapid.IntRange(1, 2).Draw(t, "priorities"))
		}
		if c.Config.DeduplicationMs = uint64(rapid.SampledFrom([]int{0, 0, 40}).Draw(t, "window")); c.Config.DeduplicationMs > 0 {
			c.Config.DeduplicationCount = uint32(rapid.SampledFrom([]int{2, 100}).Draw(t, "count"))
		}
		c.Config.AutoDelete = rapid.IntRange(0, 9).Draw(t, "auto") == 0
		if rapid.IntRange(0, 5).Draw(t, "exclusive") == 0 {
			s := w.session()
			c.OwnerNode, c.OwnerRun, c.OwnerSession = s.Node, s.Run, s.Number
		}
		w.apply(c)
	case "publish":
		c := &command.QueuePublish{ExpirationMs: -1, Size: uint32(rapid.IntRange(1, 200).Draw(t, "size")), PayloadCRC: uint32(w.index), PayloadLength: 3, Payload: []byte("abc")}
		for i := range uint64(rapid.IntRange(1, queueMax).Draw(t, "targets")) {
			c.Targets = append(c.Targets, command.QueueTarget{Queue: (q+i)%queueMax + 1, Key: w.someKey()})
		}
		if rapid.IntRange(0, 4).Draw(t, "expires") == 0 {
			c.ExpirationMs = int64(rapid.IntRange(0, 10).Draw(t, "expiration"))
		}
		c.MessageID, c.Fingerprint = w.someID()
		c.Priority = uint8(rapid.IntRange(0, 3).Draw(t, "rank"))
		w.apply(c)
	case "settle":
		w.settle()
	case "transact":
		w.transact()
	case "grant":
		w.grant()
	case "prepare":
		w.prepare()
	case "decide":
		w.decide()
	case "attach":
		s := w.session()
		w.attached = max(w.attached+1, 10)
		id := w.attached
		if len(w.m.consumers) > 0 && rapid.IntRange(0, 9).Draw(t, "taken") == 0 {
			_, id = w.someConsumer()
		}
		w.apply(&command.QueueAttach{Queue: q, Consumer: id, Node: s.Node, Run: s.Run, Session: s.Number, Channel: uint16(rapid.IntRange(1, 2).Draw(t, "channel")),
			Exclusive: rapid.IntRange(0, 9).Draw(t, "exclusive") == 0, Priority: int32(rapid.IntRange(0, 1).Draw(t, "priority")), Messages: uint32(rapid.IntRange(1, 3).Draw(t, "credit"))})
	case "get":
		s := w.session()
		w.apply(&command.QueueGet{Queue: q, Consumer: uint64(rapid.IntRange(7, 9).Draw(t, "id")), Node: s.Node, Run: s.Run, Session: s.Number, Channel: 1})
	case "detach":
		queue, id := w.someConsumer()
		w.apply(&command.QueueDetach{Queue: queue, Consumer: id})
	case "credit":
		queue, id := w.someConsumer()
		w.apply(&command.QueueCredit{Queue: queue, Consumer: id, Messages: uint32(rapid.IntRange(1, 4).Draw(t, "credit"))})
	case "leave":
		s := w.session()
		w.apply(&command.QueueLeave{Node: s.Node, Run: s.Run, Session: s.Number, Channel: uint16(rapid.IntRange(1, 2).Draw(t, "channel")), Whole: rapid.Bool().Draw(t, "whole")})
	case "purge":
		if rapid.IntRange(0, 2).Draw(t, "really") == 0 {
			w.apply(&command.QueuePurge{Queue: q})
		}
	case "drop":
		most := 4
		if l := w.m.lines[broker.QueueID(q)]; l != nil && l.held > 0 {
			most = 1
		}
		if rapid.IntRange(0, most).Draw(t, "really") == 0 {
			w.apply(&command.QueueDrop{Queue: q, IfEmpty: rapid.Bool().Draw(t, "if empty")})
			// An id is never another queue's; here it is, once nothing of the first one is left.
			if rapid.Bool().Draw(t, "forget") && w.m.dropped[broker.QueueID(q)] && w.m.grave(broker.QueueID(q)) == nil && w.m.changed.lines[broker.QueueID(q)] == nil && !w.meant(broker.QueueID(q)) {
				w.apply(&command.QueueForget{Queue: q})
				w.messages[broker.QueueID(q)], w.highest[broker.QueueID(q)], w.ids[broker.QueueID(q)] = nil, 0, nil
			}
		}
	case "release":
		w.release()
	case "tick":
		w.apply(&command.QueueTick{Budget: uint32(rapid.IntRange(1, 10).Draw(t, "budget"))})
	case "time":
		w.clock += 100
	case "lease":
		n := broker.NodeID(rapid.IntRange(1, nodes).Draw(t, "node"))
		run := uint64(rapid.IntRange(1, 3).Draw(t, "run"))
		if l := w.m.leases[n]; l != nil && rapid.IntRange(0, 4).Draw(t, "renew") > 0 {
			run = l.run
		}
		w.apply(&command.QueueLease{Node: n, Run: run, HoldMs: uint64(rapid.SampledFrom([]int{200, 200, 200, 0}).Draw(t, "hold")), Renew: rapid.Bool().Draw(t, "again")})
	case "restart":
		w.restart()
	}
}

// settle settles some deliveries, some of them of another session or settled before.
func (w *world) settle() {
	s := w.session()
	c := &command.QueueSettle{Node: s.Node, Run: s.Run, Session: s.Number}
	for _, at := range slices.Sorted(maps.Keys(w.delivered)) {
		if rapid.IntRange(0, 2).Draw(w.t, "this one") == 0 {
			c.Items = append(c.Items, command.QueueSettlement{Queue: at >> 32, Number: at & (1<<32 - 1), Outcome: uint8(rapid.IntRange(0, 3).Draw(w.t, "outcome"))})
		}
	}
	mine := map[uint64]bool{}
	for _, i := range c.Items {
		at := place(broker.QueueID(i.Queue), i.Number)
		mine[at] = w.m.lines[broker.QueueID(i.Queue)].out[i.Number].consumer.session == s
	}
	out := map[uint64]bool{}
	for at := range w.delivered {
		out[at] = true
	}
	w.apply(c)
	for at := range out {
		if mine[at] == (w.delivered[at] != nil) {
			w.t.Fatalf("delivery %d of queue %d: settled by its session: %v, yet out: %v", at&(1<<32-1), at>>32, mine[at], w.delivered[at] != nil)
		}
	}
}

func TestModel(t *testing.T) {
	seen := map[string]int{}
	missing := func() (none []string) {
		for _, k := range []string{"settled", "requeued", "returned", "refused", "let go", "folded", "restarted", "transacted", "transaction refused", "prepared", "prepare refused", "committed", "aborted",
			"consumer of a held one gone", "key waits", "parked", "released", "discarded", "published again", "transacted again", "mixed", "another body", "ranked"} {
			if seen[k] == 0 {
				none = append(none, k)
			}
		}
		return none
	}
	for round := 0; round == 0 || round < 8 && len(missing()) > 0 && !t.Failed(); round++ {
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t, rapid.SampledFrom([]int{1, 2, 7, 1000}).Draw(t, "fold at"))
			for i := range uint64(queueMax) {
				w.apply(&command.QueueCreate{Queue: i + 1, Name: "q", Config: command.QueueConfig{TTLMs: -1, LengthMax: -1, BytesMax: -1, DeduplicationMs: 60 * (i % 2), DeduplicationCount: 2, Priorities: uint8(i) / 2, Ordered: i == 1, Poison: poisonPark, DeliveryLimit: uint32(i)}})
			}
			for n := range nodes {
				w.apply(&command.QueueLease{Node: broker.NodeID(n + 1), Run: 1, HoldMs: 300})
			}
			for range rapid.IntRange(1, 250).Draw(t, "steps") {
				w.step()
			}
			for k, n := range w.seen {
				seen[k] += n
			}
		})
	}
	if none := missing(); len(none) > 0 {
		t.Errorf("it never happened: %v", none)
	}
	t.Log(seen)
}

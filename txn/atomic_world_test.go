package txn_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
	"github.com/tallymq/tallymq/txn/participant"
)

// The world of TestAtomic: the coordinator of two transactional ids, two partitions and a group, clients that take over from
// each other, and everything that is on its way between them. Any of it may come late, in any order and, where a
// network or our own proposals could do so, twice.
type world struct {
	t       *rapid.T
	machine *coordinator.Machine
	now     int64
	term    uint64 // of the coordinator's leader
	accepts uint64
	fresh   txn.ProducerID
	flight  []*message
	parts   [2]*part
	group   *groupPart
	clients []*client
	all     []*transaction // every client's
	labels  uint64
	ids     [2]*ledger
	seen    map[string]int // what happened, to show that the model goes everywhere
}

// ledger is what the model knows of one transactional id.
type ledger struct {
	name    string
	decided map[txn.Number]txn.Outcome  // what the coordinator has decided, ever
	owners  map[txn.Number]*transaction // whose a number is
	common  int64                       // what the group has of the value that rises with the labels
	key     int32                       // its partition there, below 0
}

// options let no id expire.
var options = coordinator.Options{IDsMax: 3, TimeoutMax: 100, RetentionMs: 1 << 40}

// message is something on its way.
type message struct {
	what    string
	twice   bool // it may come again
	deliver func()
}

func (w *world) send(what string, twice bool, deliver func()) *message {
	m := &message{what, twice, deliver}
	w.flight = append(w.flight, m)
	return m
}

func (w *world) context() coordinator.Context { return coordinator.Context{Now: w.now, Term: w.term} }

func (w *world) accept() txn.Generation {
	w.accepts++
	return txn.Generation{Term: w.term, Count: w.accepts}
}

func (w *world) freshID() txn.ProducerID {
	w.fresh++
	return w.fresh
}

// deliverOne lets something arrive.
func (w *world) deliverOne(i int, again bool) {
	m := w.flight[i]
	if !m.twice || !again {
		w.flight = slices.Delete(w.flight, i, i+1)
	}
	w.t.Log("deliver ", m.what)
	m.deliver()
}

// ended keeps the coordinator to one decision per number, with numbers that rise.
func (w *world) ended(l *ledger, e *coordinator.Ended) {
	if e == nil {
		return
	}
	if _, twice := l.decided[e.Decision.Number]; twice || e.Decision.Number != txn.Number(len(l.decided)+1) {
		w.t.Fatalf("decided %v behind %d decisions", e.Decision, len(l.decided))
	}
	l.decided[e.Decision.Number] = e.Decision.Outcome
	w.seen["decided "+e.Decision.Outcome.String()]++
}

// markers sends what the coordinator owes, as its leader does over and over.
func (w *world) markers() {
	for _, k := range w.machine.Undelivered("", 100) {
		w.send("marker "+k.String(), true, func() {
			if !w.close(k.Participant, k.Decision) {
				w.seen["marker waits"]++
				return
			}
			w.send("acknowledgement", true, func() {
				w.machine.Acknowledge(w.context(), k.Name, k.Decision.Number, k.Participant)
			})
		})
	}
}

// close applies a decision where it belongs; false if it must wait for an earlier one.
func (w *world) close(q txn.Participant, d txn.Decision) bool {
	var r *txn.Refusal
	if q.IsGroup() {
		r = w.group.close(w, d)
	} else {
		r = w.parts[q.Partition].close(w, d)
	}
	if r != nil && r.Code != txn.EarlierOpen {
		w.t.Fatalf("%v at %v: %v", d, q, r)
	}
	return r == nil
}

// expire lets time pass.
func (w *world) expire(ms int64) {
	w.now += ms
	for _, l := range w.ids {
		if !slices.Contains(w.machine.Due(w.now, 10), l.name) {
			continue
		}
		e, forgotten := w.machine.Expire(w.context(), l.name)
		if forgotten || e == nil {
			w.t.Fatalf("%s was due at %d, and is forgotten: %v", l.name, w.now, forgotten)
		}
		w.seen["time-out"]++
		w.ended(l, e)
	}
}

// entry is one batch of one record, or a marker.
type entry struct {
	producer txn.ProducerID
	number   txn.Number
	of       *transaction // nil for a marker
	label    uint64
}

// part is a partition as a server would assemble it.
type part struct {
	id      txn.Participant
	state   participant.Partition
	windows map[txn.ProducerID]*txn.Window
	log     []entry
	aborted []participant.Aborted
	stable  int64 // the greatest last stable offset seen
	shown   map[uint64]bool
}

func (p *part) window(id txn.ProducerID) *txn.Window {
	if p.windows[id] == nil {
		p.windows[id] = &txn.Window{}
	}
	return p.windows[id]
}

func (p *part) close(w *world, d txn.Decision) *txn.Refusal {
	c, r := p.state.Close(d, int64(len(p.log)), w.now)
	if r != nil || c.Done {
		return r
	}
	p.window(d.ProducerID).SetEpoch(d.Epoch, w.now)
	if c.Marker {
		p.log = append(p.log, entry{producer: d.ProducerID, number: d.Number})
	}
	if c.HasAborted {
		p.aborted = append(p.aborted, c.Aborted)
	}
	return nil
}

// install closes a grant's earlier decisions and opens its hold.
func (w *world) install(q txn.Participant, g txn.Grant) *txn.Refusal {
	for _, d := range g.Earlier {
		if !w.close(q, d) {
			w.t.Fatalf("%v at %v: an earlier decision than those is missing", g, q)
		}
	}
	if q.IsGroup() {
		return w.group.state.Grant(g, w.now)
	}
	return w.parts[q.Partition].state.Grant(g, w.now)
}

// groupPart is a group as a server would assemble it. Each transaction commits its own label, and a value in common
// for each id that rises with the labels.
type groupPart struct {
	id        txn.Participant
	state     participant.Group
	term      uint64
	accepts   uint64
	written   uint64
	pending   map[int32]*transaction
	committed map[int32]*transaction
	numbers   map[int32]txn.Number
}

func (g *groupPart) close(w *world, d txn.Decision) *txn.Refusal {
	offsets, done, r := g.state.Close(d, w.now)
	if r != nil || done {
		return r
	}
	for _, o := range offsets {
		if o.Partition < 0 {
			l := w.ids[-o.Partition-1]
			if o.Offset < l.common {
				w.t.Fatalf("the group is rewound from %d to %d by %v", l.common, o.Offset, d)
			}
			l.common = o.Offset
			continue
		}
		if g.pending[o.Partition].of.decided[d.Number] != txn.Commit || g.numbers[o.Partition] != d.Number {
			w.t.Fatalf("offset %v of transaction %d is committed by %v", o, g.numbers[o.Partition], d)
		}
		g.committed[o.Partition] = g.pending[o.Partition]
	}
	return nil
}

func newWorld(t *rapid.T, seen map[string]int) *world {
	w := &world{t: t, machine: coordinator.New(options),
		term: 1, fresh: 100, seen: seen}
	for i := range w.ids {
		w.ids[i] = &ledger{name: []string{"pay", "refund"}[i], decided: map[txn.Number]txn.Outcome{}, owners: map[txn.Number]*transaction{}, key: int32(-1 - i)}
	}
	for i := range w.parts {
		w.parts[i] = &part{id: txn.Participant{Topic: [16]byte{15: 1}, Partition: int32(i)}, windows: map[txn.ProducerID]*txn.Window{}, shown: map[uint64]bool{}}
	}
	w.group = &groupPart{id: txn.GroupParticipant("g"), term: 1, pending: map[int32]*transaction{}, committed: map[int32]*transaction{}, numbers: map[int32]txn.Number{}}
	return w
}

// nearTheEnd spends all epochs but a few.
func (w *world) nearTheEnd() {
	b, r := w.machine.Init(w.context(), coordinator.InitRequest{Name: w.ids[0].name, Expected: coordinator.Nobody, TimeoutMs: 50, Fresh: w.freshID()})
	for who := b.Identity; r == nil && who.Epoch < coordinator.EpochClientMax-2; {
		var c coordinator.Closed
		c, r = w.machine.End(w.context(), coordinator.EndRequest{Name: w.ids[0].name, Who: who, Version: coordinator.V2, Fresh: -1})
		who = c.Identity
	}
	if r != nil {
		w.t.Fatal(fmt.Sprint(r))
	}
}

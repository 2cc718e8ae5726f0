package txn_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
	"github.com/tallymq/tallymq/txn/participant"
)

// TestAtomic runs clients of both protocol versions against coordinator and participants, with whatever is on its way
// delivered late, twice and in any order, over leader changes of the coordinator and of the group, time-outs, operators
// and successors. However it goes: what a read_committed reader is shown stays, and is of a committed transaction; at the
// end each client's transaction is there whole or not at all, as the client was told; the group is never rewound.
func TestAtomic(t *testing.T) {
	seen := map[string]int{}
	for round := 0; round < 10 || round < roundsMax && len(unseen(seen)) > 0; round++ {
		rapid.Check(t, func(t *rapid.T) { runWorld(t, seen) })
	}
	if missing := unseen(seen); len(missing) > 0 {
		t.Errorf("the model never saw %q", missing)
	}
	t.Logf("seen: %v", seen)
}

// roundsMax bounds how often rapid's worlds are run until each rare thing has happened: some come once in a hundred worlds.
const roundsMax = 60

// unseen is what has not happened yet of all that the model is there for.
func unseen(seen map[string]int) (missing []string) {
	for _, what := range []string{
		"decided commit", "decided abort", "time-out", "operator", "foreign", "group's leader", "coordinator's leader",
		"late end", "late add", "late init", "late offer", "late produce",
		"end stale-connection", "add stale-connection", "init stale-connection", "offer stale-connection", "offer illegal-generation",
		"end producer-fenced", "end unknown-mapping", "end invalid-state", "grant closed", "produce closed",
		"produce invalid-producer-epoch", "produce not-participant", "there", "never answered", "told when asked",
	} {
		if seen[what] == 0 {
			missing = append(missing, what)
		}
	}
	return missing
}

func runWorld(t *rapid.T, seen map[string]int) {
	w := newWorld(t, seen)
	if w.draw(15, "epochs run out") == 0 {
		w.nearTheEnd()
	}
	w.newClient()
	w.newClient()
	for range 50 + w.draw(400, "steps") {
		w.act()
		w.checkShown()
	}
	w.settle()
	w.checkEnd()
}

// draw is one of 0 … n-1, each as likely: rapid's own ranges prefer small numbers.
func (w *world) draw(n int, what string) int {
	x := rapid.Uint64().Draw(w.t, what) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9 // splitmix64
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return int((x ^ x>>31) % uint64(n))
}

// act does one of the things that happen, most often the ordinary ones.
func (w *world) act() {
	switch n := w.draw(1000, "act"); {
	case n < 380:
		w.clients[max(w.draw(len(w.clients), "client"), w.draw(len(w.clients), "client"))].step()
	case n < 900:
		if len(w.flight) > 0 {
			i := len(w.flight) - 1
			if w.draw(10, "late") < 3 {
				i = w.draw(len(w.flight), "message")
			}
			w.deliverOne(i, w.draw(6, "again") == 0)
		}
	case n < 940:
		if len(w.flight) < 40 {
			w.markers()
		}
	case n < 945:
		w.reload()
	case n < 950:
		w.ask()
	case n < 970:
		w.expire(int64(w.draw(15, "ms")))
	case n < 975:
		if len(w.clients) < 5 {
			w.newClient()
		}
	case n < 983:
		w.term++
		w.accepts = 0
		w.seen["coordinator's leader"]++
	case n < 992:
		w.group.term++
		w.group.accepts = 0
		w.seen["group's leader"]++
	case n < 996:
		l := w.ids[w.draw(2, "id")]
		named := txn.Number(len(l.decided) + w.draw(2, "number"))
		e, r := w.machine.Abort(w.context(), l.name, named)
		if r == nil && l.decided[named] != txn.Abort || e != nil && e.Decision.Number != named {
			w.t.Fatalf("the operator named %d of %s, and %v was ended", named, l.name, e)
		}
		if r == nil {
			w.seen["operator"]++
		}
		w.ended(l, e)
	default:
		c := w.clients[len(w.clients)-1]
		e, r := w.machine.Foreign(w.context(), c.who, txn.Abort)
		if r == nil {
			w.seen["foreign"]++
		}
		w.ended(c.id, e)
	}
}

// ask closes what the holds of a participant learn from the coordinator. An open hold is never unknown there: if it is
// decided, the decision is owed to it.
func (w *world) ask() {
	q, holds := w.group.id, w.group.state.Holds()
	if i := w.draw(3, "who asks"); i < 2 {
		q, holds = w.parts[i].id, w.parts[i].state.Holds()
	}
	for _, h := range holds {
		switch standing, d := w.machine.Ask(h.ProducerID, h.Number, q); standing {
		case coordinator.Unknown:
			w.t.Fatalf("%v asks about %+v, and nobody knows: %s", q, h, w.machine.Describe())
		case coordinator.Decided:
			w.seen["told when asked"]++
			if !w.close(q, d) {
				w.t.Fatalf("%v was told %v, and has an earlier one open", q, d)
			}
		}
	}
}

// reload stores everything in rows and loads those, as a restart does.
func (w *world) reload() {
	m := coordinator.New(options)
	for _, name := range w.machine.Names() {
		row, _ := w.machine.AppendRow(nil, name)
		if err := m.LoadRow(name, row); err != nil {
			w.t.Fatal(err)
		}
	}
	w.same(m.Describe(), w.machine.Describe())
	w.machine = m
	for _, p := range w.parts {
		var loaded participant.Partition
		ids := p.state.Producers()
		for i := range ids {
			id := ids[len(ids)-1-i]
			row, _ := p.state.AppendRow(nil, id)
			if err := loaded.LoadRow(id, row); err != nil {
				w.t.Fatal(err)
			}
		}
		w.same(loaded.Describe(), p.state.Describe())
		p.state = loaded
	}
	var loaded participant.Group
	for _, id := range w.group.state.Producers() {
		row, _ := w.group.state.AppendRow(nil, id)
		if err := loaded.LoadRow(id, row); err != nil {
			w.t.Fatal(err)
		}
	}
	w.same(loaded.Describe(), w.group.state.Describe())
	w.group.state = loaded
}

func (w *world) same(loaded, stored string) {
	if loaded != stored {
		w.t.Fatalf("loaded:\n%s\nstored:\n%s", loaded, stored)
	}
}

// own keeps a number to one client's transaction.
func (w *world) own(n txn.Number, tx *transaction) {
	if other := tx.of.owners[n]; other != nil && other != tx {
		w.t.Fatalf("number %d holds something of transaction %d and of %d", n, other.label, tx.label)
	}
	tx.of.owners[n] = tx
}

// read is what a read_committed reader from an offset is shown: offsets of records below to, by Kafka's list.
func (p *part) read(from, to int64) []int64 {
	list := participant.AbortedWithin(p.aborted, from, to)
	var offsets []int64
	for o := from; o < to; o++ {
		hidden := p.log[o].of == nil
		for _, a := range list {
			hidden = hidden || a.ProducerID == p.log[o].producer && a.First <= o && o < a.Last
		}
		if !hidden {
			offsets = append(offsets, o)
		}
	}
	return offsets
}

// checkShown reads as a consumer would now.
func (w *world) checkShown() {
	for _, p := range w.parts {
		stable := p.state.LastStable(0, int64(len(p.log)))
		if stable < p.stable {
			w.t.Fatalf("%v: the last stable offset falls from %d to %d", p.id, p.stable, stable)
		}
		p.stable = stable
		if stable == 0 {
			continue
		}
		from := int64(w.draw(int(stable), "from"))
		to := from + 1 + int64(w.draw(int(stable-from), "to"))
		visible := map[int64]bool{}
		for _, o := range p.read(from, to) {
			visible[o] = true
		}
		for o := from; o < to; o++ {
			e := p.log[o]
			if e.of == nil {
				continue
			}
			outcome, decided := e.of.of.decided[e.number]
			if !decided || visible[o] != (outcome == txn.Commit) {
				w.t.Fatalf("%v: offset %d of transaction %d is shown: %v, decided %v %v", p.id, o, e.number, visible[o], decided, outcome)
			}
			if shown, before := p.shown[e.label]; before && shown != visible[o] {
				w.t.Fatalf("%v: offset %d was shown: %v, and is now: %v", p.id, o, shown, visible[o])
			}
			p.shown[e.label] = visible[o]
		}
	}
	if n := len(w.machine.Undelivered("", 1000)); n > coordinator.DecisionsMax*6 {
		w.t.Fatalf("%d markers are owed", n)
	}
}

// settle lets everything arrive, while no client goes on.
func (w *world) settle() {
	for range 3 { // once more for what may come twice
		for range len(w.flight) {
			w.deliverOne(0, false)
		}
		w.markers()
	}
	for range 100 {
		w.expire(1000)
		w.markers()
		if len(w.flight) == 0 {
			return
		}
		for len(w.flight) > 0 {
			w.deliverOne(0, false)
		}
	}
	w.t.Fatalf("%d messages do not come to an end: %s", len(w.flight), w.machine.Describe())
}

// checkEnd judges each client's transaction.
func (w *world) checkEnd() {
	w.checkShown()
	there := map[uint64]int{}
	for _, p := range w.parts {
		if p.stable != int64(len(p.log)) {
			w.t.Fatalf("%v is stable up to %d of %d: %s", p.id, p.stable, len(p.log), p.state.Describe())
		}
		for _, o := range p.read(0, p.stable) {
			there[p.log[o].label]++
		}
	}
	for id := txn.ProducerID(0); id <= w.fresh; id++ {
		for _, p := range w.parts {
			if n := p.state.Open(id); n != 0 {
				w.t.Fatalf("%v is held by transaction %d of producer %d for ever: %s", p.id, n, id, p.state.Describe())
			}
		}
		if n := w.group.state.Open(id); n != 0 {
			w.t.Fatalf("the group is held by transaction %d of producer %d for ever: %s", n, id, w.group.state.Describe())
		}
	}
	for _, tx := range w.all {
		n := 0
		for _, i := range tx.items {
			switch {
			case i.where.IsGroup():
				if w.group.state.Pending([16]byte{}, int32(tx.label)) {
					w.t.Fatalf("offsets of transaction %d are pending: %s", tx.label, w.group.state.Describe())
				}
				if w.group.committed[int32(tx.label)] == tx {
					n++
				}
			case there[i.label] > 1:
				w.t.Fatalf("transaction %d has batch %d %d times", tx.label, i.label, there[i.label])
			default:
				n += there[i.label]
			}
		}
		w.checkTransaction(tx, n)
	}
}

func (w *world) checkTransaction(tx *transaction, n int) {
	switch {
	case n != 0 && n != len(tx.items):
		w.t.Fatalf("transaction %d is torn: %d of %d", tx.label, n, len(tx.items))
	case n != 0 && !tx.asked:
		w.t.Fatalf("transaction %d is there, and nobody asked for its commit", tx.label)
	case n != 0 && tx.answered == "abort":
		w.t.Fatalf("transaction %d is there, and its client was told that it is not", tx.label)
	case n == 0 && tx.answered == "commit":
		w.t.Fatalf("transaction %d is not there, and its client was told that it is", tx.label)
	case tx.answered == "":
		w.seen["never answered"]++
	case n != 0:
		w.seen["there"]++
	}
}

package txn_test

import (
	"fmt"

	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
	"github.com/tallymq/tallymq/txn/participant"
)

// transaction is what one client means to happen together.
type transaction struct {
	of       *ledger
	label    uint64
	items    []item
	asked    bool // a commit was asked for, so every item was acknowledged before
	answered string
}

// item is one batch in a partition, or the group's offsets.
type item struct {
	where txn.Participant
	label uint64 // of the group: 0 for the value in common, else the transaction's own
}

type phase int

const (
	starting phase = iota // InitProducerId
	idle
	adding // V1
	writing
	ending
	renewing // InitProducerId with the identity, after an abort that left a batch unanswered
	dead
)

// client behaves as Kafka's do: one request at a time, the same again over a new connection when no answer comes.
type client struct {
	w         *world
	name      string
	id        *ledger
	version   coordinator.Version
	phase     phase
	who       coordinator.Identity
	sequences [2]txn.Sequence
	toLeader  txn.Generation
	toGroup   txn.Generation
	tx        *transaction
	at        int // of tx.items
	outcome   txn.Outcome
	doubtful  bool // a batch of this transaction was not answered
	attempt   int  // the request that is waited for; 0 none
	attempts  int
	sent      *message
}

func (w *world) newClient() *client {
	c := &client{w: w, name: fmt.Sprintf("client %d", len(w.clients)), id: w.ids[w.draw(2, "id")], version: coordinator.V1 + coordinator.Version(w.draw(2, "version"))}
	c.connect()
	w.clients = append(w.clients, c)
	return c
}

func (c *client) connect() {
	c.toLeader = c.w.accept()
	c.w.group.accepts++
	c.toGroup = txn.Generation{Term: c.w.group.term, Count: c.w.group.accepts}
}

// giveUp stops waiting and connects anew. What was sent may still arrive, now also twice.
func (c *client) giveUp() {
	c.attempt = 0
	c.sent.twice = true
	c.connect()
}

// request sends one; do runs where it arrives and calls its argument with the answer, at once or later.
func (c *client) request(what string, twice bool, do func(reply func(*txn.Refusal)), then func(*txn.Refusal)) {
	c.attempts++
	attempt := c.attempts
	c.attempt = attempt
	c.sent = c.w.send(c.name+" "+what, twice, func() {
		do(func(r *txn.Refusal) {
			c.w.t.Log(c.name, what, " answered: ", r)
			if r != nil {
				c.w.seen[what+" "+r.Code.String()]++
			}
			if c.attempt != attempt {
				c.w.seen["late "+what]++
				return
			}
			c.attempt = 0
			if r != nil && r.Code == txn.StaleConnection {
				c.connect()
				return
			}
			if r != nil && (r.Code == txn.Concurrent || r.Code == txn.EarlierOpen) {
				return
			}
			then(r)
		})
	})
}

// step does what comes next.
func (c *client) step() {
	c.w.t.Logf("%s v%d phase %d who %v waits for %d", c.name, c.version, c.phase, c.who, c.attempt)
	switch {
	case c.attempt != 0:
		if c.w.draw(8, "give up") == 0 {
			c.giveUp()
			if c.phase == writing && c.w.draw(3, "for good") == 0 { // delivery.timeout.ms
				c.outcome, c.phase = txn.Abort, ending
			}
		}
	case c.phase == starting, c.phase == renewing:
		c.init()
	case c.phase == idle:
		c.begin()
	case c.phase == adding:
		c.add()
	case c.phase == writing && c.tx.items[c.at].where.IsGroup():
		c.offer()
	case c.phase == writing:
		c.produce()
	case c.phase == ending:
		c.end()
	}
}

func (c *client) init() {
	q := coordinator.InitRequest{Name: c.id.name, Expected: coordinator.Nobody, TimeoutMs: 50, Connection: c.toLeader, Fresh: c.w.freshID()}
	if c.phase == renewing {
		q.Expected = c.who
	}
	var b coordinator.Begun
	c.request("init", false, func(reply func(*txn.Refusal)) {
		var r *txn.Refusal
		b, r = c.w.machine.Init(c.w.context(), q)
		c.w.ended(c.id, b.Ended)
		reply(r)
	}, func(r *txn.Refusal) {
		if r != nil {
			c.phase = dead
			return
		}
		c.who, c.sequences, c.phase = b.Identity, [2]txn.Sequence{}, idle
	})
}

func (c *client) begin() {
	w := c.w
	w.labels++
	c.tx = &transaction{of: c.id, label: w.labels}
	w.all = append(w.all, c.tx)
	for range 1 + w.draw(3, "items") {
		w.labels++
		where := w.parts[w.draw(2, "partition")].id
		c.tx.items = append(c.tx.items, item{where, w.labels})
	}
	if w.draw(2, "offsets") == 0 {
		c.tx.items = append(c.tx.items, item{w.group.id, c.tx.label}, item{w.group.id, 0})
	}
	c.at, c.doubtful, c.phase, c.outcome = 0, false, writing, txn.Commit
	if c.version == coordinator.V1 {
		c.phase = adding
	}
	if w.draw(5, "will abort") == 0 {
		c.outcome = txn.Abort
	}
}

// next goes on after an answer to an item's request, or ends the transaction by an abort.
func (c *client) next(r *txn.Refusal, then phase) {
	switch {
	case r == nil:
		if c.phase = then; c.at == len(c.tx.items) {
			c.phase = ending
		}
	case c.version == coordinator.V1 && (r.Code == txn.ProducerFenced || r.Code == txn.InvalidProducerEpoch || r.Code == txn.UnknownMapping):
		c.phase = dead
	default:
		c.outcome, c.phase = txn.Abort, ending
	}
}

func (c *client) add() {
	q := coordinator.AddRequest{Name: c.id.name, Who: c.who, Version: c.version, Connection: c.toLeader, Participants: []txn.Participant{c.tx.items[c.at].where}}
	c.request("add", false, func(reply func(*txn.Refusal)) {
		grants, r := c.w.machine.Add(c.w.context(), q)
		if r != nil || len(grants[0].Earlier) == 0 {
			reply(r)
			return
		}
		// Asked for by Add: the client hears nothing before these are installed.
		c.w.send("grant before the answer", true, func() { reply(c.w.install(q.Participants[0], grants[0])) })
	}, func(r *txn.Refusal) { c.next(r, writing) })
}

// grant is how a participant's leader comes by one: it asks the coordinator, and proposes what it hears. Question and
// grant may come twice; the request that waits for them goes on once.
func (c *client) grant(who coordinator.Identity, q txn.Participant, waits func(txn.Number, *txn.Refusal)) {
	w := c.w
	then := func(n txn.Number, r *txn.Refusal) {
		if waits != nil {
			f := waits
			waits = nil
			f(n, r)
		}
	}
	w.send("question", true, func() {
		var g txn.Grant
		var r *txn.Refusal
		if c.version == coordinator.V1 {
			g, r = w.machine.Verify(c.id.name, who, q)
		} else {
			var gs []txn.Grant
			if gs, r = w.machine.Add(w.context(), coordinator.AddRequest{Name: c.id.name, Who: who, Version: coordinator.V2, Participants: []txn.Participant{q}}); r == nil {
				g = gs[0]
			}
		}
		w.send("grant", true, func() {
			if r == nil {
				r := w.install(q, g)
				if r != nil {
					w.seen["grant "+r.Code.String()]++
				}
				then(g.Number, r)
				return
			}
			then(0, r)
		})
	})
}

func (c *client) produce() {
	w, tx, i, who := c.w, c.tx, c.tx.items[c.at], c.who
	p, sequence := w.parts[i.where.Partition], c.sequences[i.where.Partition]
	c.doubtful = true
	c.request("produce", true, func(reply func(*txn.Refusal)) {
		propose := func(number txn.Number, r *txn.Refusal) {
			if r != nil {
				reply(r)
				return
			}
			w.send("append", false, func() { reply(p.append(w, who, sequence, number, tx, i.label)) })
		}
		switch r := p.state.Check(who.ProducerID, who.Epoch, 0); {
		case r == nil:
			propose(p.state.Open(who.ProducerID), nil)
		case r.Code == txn.NoHold:
			c.grant(who, p.id, propose)
		default:
			reply(r)
		}
	}, func(r *txn.Refusal) {
		if r == nil {
			c.doubtful = false
			c.sequences[i.where.Partition]++
			c.at++
		}
		then := writing
		if c.version == coordinator.V1 {
			then = adding
		}
		c.next(r, then)
	})
}

// append is the apply of a batch.
func (p *part) append(w *world, who coordinator.Identity, s txn.Sequence, number txn.Number, tx *transaction, label uint64) *txn.Refusal {
	v := p.window(who.ProducerID).Check(who.Epoch, s, s, label)
	if v.Action == txn.Duplicate {
		return nil
	}
	if v.Action == txn.Refuse {
		return txn.Refusef(v.Code, "%s", v.Reason)
	}
	if r := p.state.Check(who.ProducerID, who.Epoch, number); r != nil {
		return r
	}
	base := int64(len(p.log))
	p.window(who.ProducerID).Record(who.Epoch, txn.Batch{FirstSequence: s, LastSequence: s, BaseOffset: base, LastOffset: base, Fingerprint: label}, w.now)
	p.state.Appended(who.ProducerID, base, w.now)
	p.log = append(p.log, entry{producer: who.ProducerID, number: p.state.Open(who.ProducerID), of: tx, label: label})
	w.own(p.state.Open(who.ProducerID), tx)
	return nil
}

func (c *client) offer() {
	w, tx, i, who, connection := c.w, c.tx, c.tx.items[c.at], c.who, c.toGroup
	if c.version == coordinator.V2 {
		connection = txn.Generation{}
	}
	offer := func(number txn.Number) *txn.Refusal {
		g := w.group
		g.written++
		own := int32(tx.label)
		o := participant.Offset{Partition: own, Offset: 1, Written: g.written}
		if i.label == 0 {
			o.Partition, o.Offset = c.id.key, int64(tx.label)
		}
		r := g.state.Offer(participant.Offer{ProducerID: who.ProducerID, Epoch: who.Epoch, Number: number, Connection: connection, Term: g.term,
			Offsets: []participant.Offset{o}}, w.now)
		if r == nil {
			// Not w.own: a late one may be the first of a transaction, whose own ones are then refused, so that it aborts.
			g.pending[own], g.numbers[own] = tx, g.state.Open(who.ProducerID)
		}
		return r
	}
	c.request("offer", c.version == coordinator.V2, func(reply func(*txn.Refusal)) {
		r := offer(0)
		if r == nil || r.Code != txn.NoHold {
			reply(r)
			return
		}
		c.grant(who, w.group.id, func(number txn.Number, r *txn.Refusal) {
			if r != nil {
				reply(r)
				return
			}
			w.send("offer", false, func() { reply(offer(number)) })
		})
	}, func(r *txn.Refusal) {
		if r == nil {
			c.at++
		}
		c.next(r, writing)
	})
}

func (c *client) end() {
	if c.outcome == txn.Commit {
		c.tx.asked = true
	}
	q := coordinator.EndRequest{Name: c.id.name, Who: c.who, Outcome: c.outcome, Version: c.version, Connection: c.toLeader, Fresh: c.w.freshID()}
	var a coordinator.Closed
	c.request("end", c.version == coordinator.V2, func(reply func(*txn.Refusal)) {
		var r *txn.Refusal
		a, r = c.w.machine.End(c.w.context(), q)
		c.w.ended(c.id, a.Ended)
		reply(r)
	}, func(r *txn.Refusal) {
		switch {
		case r == nil:
			c.tx.answered = q.Outcome.String()
			if c.phase = idle; c.version == coordinator.V2 {
				c.who, c.sequences = a.Identity, [2]txn.Sequence{}
			} else if c.doubtful {
				c.phase = renewing
			}
		case r.Code == txn.InvalidState:
			c.tx.answered = "abort"
			if c.version == coordinator.V2 && q.Outcome == txn.Commit {
				c.outcome = txn.Abort
				return
			}
			c.phase = dead
			if c.version == coordinator.V1 && q.Outcome == txn.Abort {
				c.phase = renewing // nothing was added
			}
		default:
			c.phase = dead
		}
	})
}

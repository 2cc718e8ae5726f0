package queueing

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/txn"
)

func producerOf(id broker.ProducerID) txn.ProducerID { return txn.ProducerID(id) }
func epochOf(e broker.ProducerEpoch) txn.Epoch       { return txn.Epoch(e) }
func numberOf(n uint64) txn.Number                   { return txn.Number(n) }

// Grant lets a transaction hold the queues, after its earlier ones were closed. It is a part of the command at the Context.
func (m *Machine) Grant(ctx Context, g txn.Grant) *txn.Refusal {
	m.clock = max(m.clock, ctx.Clock)
	for _, d := range g.Earlier {
		if r := m.close(d); r != nil {
			m.noteGrant(ctx, g) // some were closed
			return r
		}
	}
	m.holders.Expire(int64(m.clock), holderKeptMs)
	r := m.holders.Grant(g, int64(m.clock))
	m.noteGrant(ctx, g)
	return r
}

// Close takes the decision about a transaction: what it settles and adds comes into force, or nothing of it.
func (m *Machine) Close(ctx Context, d txn.Decision) *txn.Refusal {
	m.clock = max(m.clock, ctx.Clock)
	r := m.close(d)
	m.noteClose(ctx, d)
	return r
}

func (m *Machine) close(d txn.Decision) *txn.Refusal {
	ended, r := m.holders.Close(d, int64(m.clock))
	if r != nil || !ended {
		return r
	}
	if h := m.held[d.ProducerID]; h != nil {
		delete(m.held, d.ProducerID)
		m.decide(h, d.Outcome == txn.Commit)
	}
	return nil
}

// Open is the number of the transaction under which a producer holds the queues; 0: none.
func (m *Machine) Open(id txn.ProducerID) txn.Number { return m.holders.Open(id) }

// noteGrant keeps a grant among the commands since heads and chunks were written, as a command of its own.
func (m *Machine) noteGrant(ctx Context, g txn.Grant) {
	if m.replays {
		return
	}
	c := command.TxnGrant{Slot: uint32(g.Coordinator), ProducerID: broker.ProducerID(g.ProducerID), Epoch: broker.ProducerEpoch(g.Epoch), Number: uint64(g.Number), Grants: []command.TxnGrantItem{{}}}
	for _, d := range g.Earlier {
		c.Grants[0].Earlier = append(c.Grants[0].Earlier, decisionCommand(d))
	}
	m.changed.command(ctx, c.AppendTo(nil))
}

func (m *Machine) noteClose(ctx Context, d txn.Decision) {
	if m.replays {
		return
	}
	c := command.TxnDecide{Decision: decisionCommand(d)}
	m.changed.command(ctx, c.AppendTo(nil))
}

func decisionCommand(d txn.Decision) command.TxnDecision {
	return command.TxnDecision{ProducerID: broker.ProducerID(d.ProducerID), Epoch: broker.ProducerEpoch(d.Epoch), Number: uint64(d.Number), Commit: d.Outcome == txn.Commit}
}

func decisionOf(d command.TxnDecision) txn.Decision {
	x := txn.Decision{ProducerID: producerOf(d.ProducerID), Epoch: epochOf(d.Epoch), Number: numberOf(d.Number), Outcome: txn.Abort}
	if d.Commit {
		x.Outcome = txn.Commit
	}
	return x
}

// replay applies a command that a row of deltas has.
func (m *Machine) replay(ctx Context, body []byte) error {
	kind, err := command.KindOf(body)
	if err != nil {
		return err
	}
	switch kind {
	case command.KindTxnGrant:
		var c command.TxnGrant
		if err := c.Decode(body); err != nil {
			return err
		}
		g := txn.Grant{ProducerID: producerOf(c.ProducerID), Epoch: epochOf(c.Epoch), Number: numberOf(c.Number), Coordinator: uint16(c.Slot)}
		for _, x := range c.Grants {
			for _, d := range x.Earlier {
				g.Earlier = append(g.Earlier, decisionOf(d))
			}
		}
		m.Grant(ctx, g)
	case command.KindTxnDecide:
		var c command.TxnDecide
		if err := c.Decode(body); err != nil {
			return err
		}
		m.Close(ctx, decisionOf(c.Decision))
	default:
		_, _, err = m.Apply(ctx, body, nil)
	}
	return err
}

package transaction

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/coordinator"
)

// Owns says whether a kind of command is this machine's.
func Owns(k command.Kind) bool { return k >= command.KindTxnInit && k <= command.KindTxnDecide }

// apply is one command on its way through the machine.
type apply struct {
	m   *Machine
	ctx Context
	ps  Participants
	w   keyspace.Writer
}

// Apply applies one encoded command, writes the rows that changed and appends the encoded result to dst. A refusal is a
// result; an error means that the bytes cannot be decoded, and the replica must stop.
func (m *Machine) Apply(ctx Context, body []byte, ps Participants, w keyspace.Writer, dst []byte) ([]byte, error) {
	msg, err := command.Decode(body)
	if err != nil {
		return dst, fmt.Errorf("apply to transactions: %w", err)
	}
	a := apply{m, ctx, ps, w}
	var r command.Message
	switch c := msg.(type) {
	case *command.TxnInit:
		r = a.init(c)
	case *command.TxnAdd:
		r = a.add(c)
	case *command.TxnEnd:
		r = a.end(c)
	case *command.TxnExpire:
		r = a.expire(c)
	case *command.TxnAbort:
		r = a.abort(c)
	case *command.TxnForeign:
		r = a.foreign(c)
	case *command.TxnAcknowledge:
		r = a.acknowledge(c)
	case *command.TxnGrant:
		r = a.grant(c)
	case *command.TxnDecide:
		r = a.decide(c)
	default:
		return dst, fmt.Errorf("apply to transactions: %v is not theirs", msg.Kind())
	}
	return r.AppendTo(dst), nil
}

func connection(term, count uint64) txn.Generation { return txn.Generation{Term: term, Count: count} }

func identity(id broker.ProducerID, epoch broker.ProducerEpoch) coordinator.Identity {
	return coordinator.Identity{ProducerID: txn.ProducerID(id), Epoch: txn.Epoch(epoch)}
}

func outcome(commit bool) txn.Outcome {
	if commit {
		return txn.Commit
	}
	return txn.Abort
}

// producer is the answer that says who the client is from now on.
func (a apply) producer(name string, who coordinator.Identity, e *coordinator.Ended, r *txn.Refusal) *command.TxnProducerResult {
	if r != nil {
		return &command.TxnProducerResult{Refusal: uint8(r.Code), ProducerID: -1, Epoch: -1}
	}
	a.settle(name, e)
	a.m.write(name, a.w)
	return &command.TxnProducerResult{ProducerID: broker.ProducerID(who.ProducerID), Epoch: broker.ProducerEpoch(who.Epoch), Owed: a.m.ids.Owes(name), Ended: uint8(ended(e))}
}

// End is what a command did to the open transaction of an id, as TxnProducerResult numbers it.
type End uint8

// The ends.
const (
	EndedNothing End = iota
	EndedAborted
	EndedCommitted
)

func ended(e *coordinator.Ended) End {
	switch {
	case e == nil:
		return EndedNothing
	case e.Decision.Outcome == txn.Commit:
		return EndedCommitted
	}
	return EndedAborted
}

func (a apply) init(c *command.TxnInit) command.Message {
	b, r := a.m.ids.Init(a.ctx.coordinator(), coordinator.InitRequest{
		Name: c.Name, Expected: identity(c.ExpectedID, c.ExpectedEpoch), TimeoutMs: c.TimeoutMs,
		Connection: connection(c.ConnectionTerm, c.ConnectionCount), Fresh: txn.ProducerID(c.Fresh),
	})
	return a.producer(c.Name, b.Identity, b.Ended, r)
}

func (a apply) end(c *command.TxnEnd) command.Message {
	closed, r := a.m.ids.End(a.ctx.coordinator(), coordinator.EndRequest{
		Name: c.Name, Who: identity(c.ProducerID, c.Epoch), Outcome: outcome(c.Commit), Version: coordinator.Version(c.Protocol),
		Connection: connection(c.ConnectionTerm, c.ConnectionCount), Fresh: txn.ProducerID(c.Fresh),
	})
	return a.producer(c.Name, closed.Identity, closed.Ended, r)
}

// settle closes the participants of a decision that are here. A group is known to be here by its hold: which groups the
// shard has is not written anywhere on it.
func (a apply) settle(name string, e *coordinator.Ended) {
	if e == nil {
		return
	}
	a.m.ids.Settle(a.ctx.coordinator(), name, e.Decision.Number, func(p txn.Participant) bool {
		if p.IsGroup() && a.ps.Open(p, e.Decision.ProducerID) != e.Decision.Number {
			return false
		}
		here, r := a.ps.Close(p, e.Decision)
		return here && r == nil
	})
	if a.m.ids.Owes(name) {
		a.m.owing = append(a.m.owing, name)
	}
}

func (a apply) add(c *command.TxnAdd) command.Message {
	who, ps := identity(c.ProducerID, c.Epoch), participants(c.Participants)
	var grants []txn.Grant
	var r *txn.Refusal
	switch {
	case !c.Verify:
		grants, r = a.m.ids.Add(a.ctx.coordinator(), coordinator.AddRequest{
			Name: c.Name, Who: who, Version: coordinator.Version(c.Protocol), Connection: connection(c.ConnectionTerm, c.ConnectionCount), Participants: ps,
		})
	default:
		for _, p := range ps {
			var g txn.Grant
			if g, r = a.m.ids.Verify(c.Name, who, p); r != nil {
				break
			}
			grants = append(grants, g)
		}
	}
	if r != nil {
		return &command.TxnAddResult{Refusal: uint8(r.Code)}
	}
	result := &command.TxnAddResult{Grants: make([]command.TxnAddItem, len(grants))}
	for i, g := range grants {
		g.Coordinator = uint16(c.Slot)
		result.Number, result.Grants[i] = uint64(g.Number), a.install(c, ps[i], g)
	}
	a.m.write(c.Name, a.w)
	return result
}

// install gives the participant its grant, if it is here, and acknowledges what was closed with it.
func (a apply) install(c *command.TxnAdd, p txn.Participant, g txn.Grant) (item command.TxnAddItem) {
	for _, d := range g.Earlier {
		item.Earlier = append(item.Earlier, decision(d))
	}
	if p.IsGroup() && !c.GroupsHere {
		return item
	}
	here, r := a.ps.Grant(p, g)
	if item.Installed = here && r == nil; item.Installed {
		for _, d := range g.Earlier {
			a.m.ids.Acknowledge(a.ctx.coordinator(), c.Name, d.Number, p)
		}
	}
	return item
}

func (a apply) expire(c *command.TxnExpire) command.Message {
	result := &command.TxnResult{}
	for _, name := range c.Names {
		e, changed := a.m.ids.Expire(a.ctx.coordinator(), name)
		if e == nil && !changed {
			continue
		}
		a.ended(result, name, e)
	}
	return result
}

// ended settles a decision that no client waits for.
func (a apply) ended(result *command.TxnResult, name string, e *coordinator.Ended) {
	if e != nil {
		result.Ended = append(result.Ended, name)
	}
	a.settle(name, e)
	a.m.write(name, a.w)
	result.Owed = result.Owed || a.m.ids.Owes(name)
}

func (a apply) abort(c *command.TxnAbort) command.Message {
	e, r := a.m.ids.Abort(a.ctx.coordinator(), c.Name, txn.Number(c.Number))
	if r != nil {
		return &command.TxnResult{Refusal: uint8(r.Code)}
	}
	result := &command.TxnResult{}
	a.ended(result, c.Name, e)
	return result
}

func (a apply) foreign(c *command.TxnForeign) command.Message {
	name := a.m.ids.NameOf(txn.ProducerID(c.ProducerID))
	e, r := a.m.ids.Foreign(a.ctx.coordinator(), identity(c.ProducerID, c.Epoch), outcome(c.Commit))
	if r != nil {
		return &command.TxnResult{Refusal: uint8(r.Code)}
	}
	result := &command.TxnResult{}
	a.ended(result, name, e)
	return result
}

func (a apply) acknowledge(c *command.TxnAcknowledge) command.Message {
	taken := map[txn.Participant]bool{}
	for _, p := range participants(c.Participants) {
		taken[p] = true
	}
	if a.m.ids.Settle(a.ctx.coordinator(), c.Name, txn.Number(c.Number), func(p txn.Participant) bool { return taken[p] }) > 0 {
		a.m.write(c.Name, a.w)
	}
	return &command.TxnResult{Owed: a.m.ids.Owes(c.Name)}
}

// told collects what participants say.
type told struct{ *command.TxnParticipantsResult }

func (t told) add(here bool, r *txn.Refusal) {
	code := txn.None
	if r != nil {
		code = r.Code
	}
	t.Here, t.Codes = append(t.Here, here), append(t.Codes, uint8(code))
}

func (a apply) grant(c *command.TxnGrant) command.Message {
	t := told{&command.TxnParticipantsResult{}}
	for i := range c.Grants {
		g := txn.Grant{ProducerID: txn.ProducerID(c.ProducerID), Epoch: txn.Epoch(c.Epoch), Number: txn.Number(c.Number), Coordinator: uint16(c.Slot)}
		for _, d := range c.Grants[i].Earlier {
			g.Earlier = append(g.Earlier, Decision(d))
		}
		t.add(a.ps.Grant(Participant(c.Grants[i].Participant), g))
	}
	return t.TxnParticipantsResult
}

func (a apply) decide(c *command.TxnDecide) command.Message {
	t := told{&command.TxnParticipantsResult{}}
	for _, p := range c.Participants {
		t.add(a.ps.Close(Participant(p), Decision(c.Decision)))
	}
	return t.TxnParticipantsResult
}

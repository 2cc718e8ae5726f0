package group

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
	"github.com/tallymq/tallymq/txn/participant"
)

// Grant opens a hold of a transaction on a group, which begins to exist with it, after it closed those that the grant says
// have ended before. A grant that is refused may have closed some of them: they have ended whatever becomes of it.
func (m *Machine) Grant(ctx Context, name string, n txn.Grant, w keyspace.Writer) *txn.Refusal {
	if checkName(name) != broker.CodeNone {
		return txn.Refusef(txn.InvalidRequest, "group name of %d bytes", len(name))
	}
	for _, d := range n.Earlier {
		if r := m.Close(ctx, name, d, w); r != nil {
			return r
		}
	}
	g := m.groups[name]
	if g == nil {
		g = m.putEmpty(ctx, name, w)
	}
	if r := g.txns.Grant(n, int64(ctx.Clock)); r != nil {
		return r
	}
	m.writeHold(name, g, n.ProducerID, w)
	return nil
}

// Close takes the decision about a transaction: with a commit its offsets come into force, each unless the group has one
// for the partition that was written later.
func (m *Machine) Close(ctx Context, name string, d txn.Decision, w keyspace.Writer) *txn.Refusal {
	if checkName(name) != broker.CodeNone {
		return txn.Refusef(txn.InvalidRequest, "group name of %d bytes", len(name))
	}
	g := m.groups[name]
	if g == nil {
		g = m.putEmpty(ctx, name, w)
	}
	commit, done, r := g.txns.Close(d, int64(ctx.Clock))
	if r != nil || done {
		return r
	}
	for _, c := range commit {
		p := position{c.Topic, c.Name, c.Partition}
		if g.offsets[p].Written >= c.Written {
			continue
		}
		o := Offset{Offset: broker.Offset(c.Offset), Epoch: broker.LeaderEpoch(c.LeaderEpoch), Metadata: c.Metadata, CommittedAt: ctx.Clock,
			RetentionMs: -1, Written: c.Written}
		m.setOffset(g, p, o)
		w.Set(p.key(name), o.appendTo(nil))
	}
	m.writeHold(name, g, d.ProducerID, w)
	return nil
}

// offer makes the offsets of a transaction pending, fenced by hold, member, instance and generation at once.
func (m *Machine) offer(ctx Context, c *command.TxnOffer, w keyspace.Writer) *command.TxnOfferResult {
	if code := checkName(c.Group); code != broker.CodeNone {
		return &command.TxnOfferResult{Code: code}
	}
	g := m.groups[c.Group]
	var s *State
	if g != nil {
		s = g.state
	}
	if code := mayOffer(s, c.Generation, c.Member, c.Instance); code != broker.CodeNone {
		return &command.TxnOfferResult{Code: code}
	}
	if g == nil {
		return &command.TxnOfferResult{Refusal: uint8(txn.NoHold)}
	}
	m.versions++
	r := &command.TxnOfferResult{Codes: make([]broker.Code, len(c.Offsets))}
	o := participant.Offer{ProducerID: txn.ProducerID(c.ProducerID), Epoch: txn.Epoch(c.Epoch), Number: txn.Number(c.Number),
		Connection: txn.Generation{Term: c.ConnectionTerm, Count: c.ConnectionCount}, Term: ctx.Term}
	for i := range c.Offsets {
		it := command.OffsetCommitItem(c.Offsets[i])
		if r.Codes[i] = checkItem(&it); r.Codes[i] == broker.CodeNone {
			o.Offsets = append(o.Offsets, participant.Offset{Topic: it.TopicID, Partition: it.Partition, Offset: int64(it.Offset),
				LeaderEpoch: int32(it.LeaderEpoch), Name: strings.Clone(it.Topic), Metadata: strings.Clone(it.Metadata), Written: m.versions})
		}
	}
	if refusal := g.txns.Offer(o, int64(ctx.Clock)); refusal != nil {
		return &command.TxnOfferResult{Refusal: uint8(refusal.Code)}
	}
	m.writeHold(c.Group, g, o.ProducerID, w)
	return r
}

// Open is the number of a producer's open hold on a group, 0 if it has none.
func (m *Machine) Open(name string, id txn.ProducerID) txn.Number {
	if g := m.groups[name]; g != nil {
		return g.txns.Open(id)
	}
	return 0
}

// Holds are the open holds on a group, by rising producer id.
func (m *Machine) Holds(name string) []participant.Hold {
	if g := m.groups[name]; g != nil {
		return g.txns.Holds()
	}
	return nil
}

// Unstable says whether an open transaction offers an offset of a group for this partition.
func (m *Machine) Unstable(name string, topic broker.TopicID, partition int32) bool {
	g := m.groups[name]
	return g != nil && g.txns.Pending(topic, partition)
}

// expireHolds forgets producers whose transactions have ended long ago.
func (m *Machine) expireHolds(ctx Context, name string, g *stored, w keyspace.Writer) {
	if g.txns.Len() == 0 {
		return
	}
	before := g.txns.Producers()
	if g.txns.Expire(int64(ctx.Clock), HoldRetention) == 0 {
		return
	}
	for _, id := range before {
		m.writeHold(name, g, id, w)
	}
}

// writeHold makes a producer's row what the group knows of it.
func (m *Machine) writeHold(name string, g *stored, id txn.ProducerID, w keyspace.Writer) {
	key := keyspace.AppendGroupHoldKey(nil, name, broker.ProducerID(id))
	if row, known := g.txns.AppendRow(nil, id); known {
		w.Set(key, row)
	} else {
		w.Delete(key)
	}
}

func (m *Machine) loadHold(k, v []byte) error {
	name, id, err := keyspace.DecodeGroupHoldKey(k)
	if err != nil {
		return err
	}
	g, ok := m.groups[name]
	if !ok {
		return fmt.Errorf("%w: a hold on group %q, which is not there", ErrMalformed, name)
	}
	if err := g.txns.LoadRow(txn.ProducerID(id), v); err != nil {
		return fmt.Errorf("%w: a hold on group %q: %w", ErrMalformed, name, err)
	}
	return nil
}

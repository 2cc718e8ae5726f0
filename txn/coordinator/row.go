package coordinator

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/txn"
)

// The row of one transactional id, under its name; integers big-endian, an identity is a producer id [8] and an epoch [2]:
//
//	version [1] = 1 | state [1] | outcome [1] | identity | expected | ended
//	time-out [8] | number [8] | aborted [8] | started [8] | used [8] | connection: term [8], count [8]
//	participants: count [4], each | decisions owed: count [1], each:
//	    identity | number [8] | outcome [1] | waiting: count [4], each
const rowVersion1 = 1

func appendIdentity(dst []byte, i Identity) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(i.ProducerID))
	return binary.BigEndian.AppendUint16(dst, uint16(i.Epoch))
}

func readIdentity(r *txn.Row) Identity {
	i := Identity{txn.ProducerID(r.Uint(8)), txn.Epoch(r.Uint(2))}
	if (i.ProducerID < 0 || i.Epoch < 0) && i != Nobody {
		r.Fail("identity %v", i)
	}
	return i
}

// Names are the transactional ids, sorted: one row each.
func (m *Machine) Names() []string { return slices.Sorted(maps.Keys(m.producers)) }

// AppendRow appends name's row to dst; false if there is no such id, and then the row is to be deleted.
func (m *Machine) AppendRow(dst []byte, name string) ([]byte, bool) {
	p := m.producers[name]
	if p == nil {
		return dst, false
	}
	dst = append(dst, rowVersion1, byte(p.state), byte(p.outcome))
	for _, i := range []Identity{p.identity, p.expected, p.ended} {
		dst = appendIdentity(dst, i)
	}
	for _, n := range []uint64{uint64(p.timeout), uint64(p.number), uint64(p.aborted), uint64(p.started), uint64(p.used), p.connection.Term, p.connection.Count} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = txn.AppendParticipants(dst, p.participants)
	dst = append(dst, byte(len(p.outbox)))
	for _, o := range p.outbox {
		dst = appendIdentity(dst, Identity{o.ProducerID, o.Epoch})
		dst = binary.BigEndian.AppendUint64(dst, uint64(o.Number))
		dst = append(dst, byte(o.Outcome))
		dst = txn.AppendParticipants(dst, o.waiting)
	}
	return dst, true
}

// LoadRow puts an id into a machine that does not have it. It accepts only what AppendRow can have written; its error wraps
// txn.ErrRow.
func (m *Machine) LoadRow(name string, row []byte) error {
	r := txn.NewRow(row)
	if v := r.Uint(1); v != rowVersion1 {
		r.Fail("version %d", v)
	}
	p := &producer{name: name, state: State(r.Uint(1)), outcome: txn.Outcome(r.Uint(1))}
	p.identity, p.expected, p.ended = readIdentity(r), readIdentity(r), readIdentity(r)
	p.timeout, p.number, p.aborted = int64(r.Uint(8)), txn.Number(r.Uint(8)), txn.Number(r.Uint(8))
	p.started, p.used = int64(r.Uint(8)), int64(r.Uint(8))
	p.connection = txn.Generation{Term: r.Uint(8), Count: r.Uint(8)}
	p.participants = r.Participants()
	for range r.Uint(1) {
		i := readIdentity(r)
		d := txn.Decision{ProducerID: i.ProducerID, Epoch: i.Epoch, Number: txn.Number(r.Uint(8)), Outcome: txn.Outcome(r.Uint(1))}
		p.outbox = append(p.outbox, owed{d, r.Participants()})
	}
	p.checkRow(r)
	if err := r.End(); err != nil {
		return fmt.Errorf("transactional id %q: %w", name, err)
	}
	if _, known := m.producers[name]; known || m.names[p.identity.ProducerID] != "" {
		return fmt.Errorf("transactional id %q: %w: producer %d or its name is there already", name, txn.ErrRow, p.identity.ProducerID)
	}
	for _, o := range p.outbox {
		if other, known := m.names[o.ProducerID]; known {
			return fmt.Errorf("transactional id %q: %w: producer %d is of %q", name, txn.ErrRow, o.ProducerID, other)
		}
	}
	for _, o := range p.outbox {
		m.names[o.ProducerID] = name
	}
	m.producers[name], m.names[p.identity.ProducerID] = p, name
	return nil
}

// checkRow refuses numbers that no machine has.
func (p *producer) checkRow(r *txn.Row) {
	switch {
	case p.name == "" || p.identity == Nobody || p.state > CompleteAbort || p.outcome > txn.Commit:
		r.Fail("%v, outcome %v", p, p.outcome)
	case (p.state == Ongoing) != (len(p.participants) > 0) || len(p.participants) > ParticipantsMax:
		r.Fail("%v with %d participants", p, len(p.participants))
	case p.aborted > p.number || p.state == Ongoing && p.number == 0:
		r.Fail("%v, aborted %d", p, p.aborted)
	case len(p.outbox) > DecisionsMax: // none begins while there are so many
		r.Fail("%d decisions owed", len(p.outbox))
	}
	before := txn.Number(0)
	for _, o := range p.outbox {
		if o.ProducerID < 0 || o.Number <= before || o.Number > p.number || o.Outcome > txn.Commit || len(o.waiting) == 0 {
			r.Fail("%v behind %d, owed to %d", o.Decision, before, len(o.waiting))
		}
		before = o.Number
	}
}

package participant

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/txn"
)

// The row of one producer in one participant, under its id; integers big-endian, a connection is a term [8] and a count [8]:
//
//	version [1] = 1 | outcome [1] | epoch [2] | closed [8] | used [8] | open [8] | coordinator slot [2] | since [8]
//	of queues: nothing more
//	of a partition: first undecided offset [8], -1 if there is none
//	of a group: newest connection | pending [1], 0 or 1, and if 1: connection | count [4] | offsets, rising:
//	    topic [16] | partition [4] | offset [8] | leader epoch [4] | written [8] |
//	    length of the topic's name [2] | name | length of metadata [2] | metadata
const rowVersion1 = 1

func (h holds) ids() []txn.ProducerID {
	ids := make([]txn.ProducerID, len(h))
	for i, p := range h {
		ids[i] = p.id
	}
	return ids
}

func (p *producer) appendTo(dst []byte) []byte {
	dst = append(dst, rowVersion1, byte(p.outcome))
	dst = binary.BigEndian.AppendUint16(dst, uint16(p.epoch))
	for _, n := range []uint64{uint64(p.closed), uint64(p.used), uint64(p.open)} {
		dst = binary.BigEndian.AppendUint64(dst, n)
	}
	dst = binary.BigEndian.AppendUint16(dst, p.coordinator)
	return binary.BigEndian.AppendUint64(dst, uint64(p.since))
}

// load reads what appendTo wrote, and adds it.
func (h *holds) load(id txn.ProducerID, r *txn.Row) *producer {
	if v := r.Uint(1); v != rowVersion1 {
		r.Fail("version %d", v)
	}
	p := &producer{id: id, outcome: txn.Outcome(r.Uint(1)), epoch: txn.Epoch(r.Uint(2))}
	p.closed, p.used, p.open = txn.Number(r.Uint(8)), int64(r.Uint(8)), txn.Number(r.Uint(8))
	p.coordinator, p.since = uint16(r.Uint(2)), int64(r.Uint(8))
	switch {
	case p.id < 0, p.epoch < 0, p.outcome > txn.Commit, p.open != 0 && p.open <= p.closed, p.open == 0 && p.closed == 0, p.closed == 0 && p.outcome != txn.Abort,
		p.open == 0 && (p.coordinator != 0 || p.since != 0):
		r.Fail("%v", p)
	case h.find(id) != nil:
		r.Fail("producer %d is there already", id)
	}
	return p
}

func (h *holds) insert(p *producer) {
	i, _ := h.search(p.id)
	*h = slices.Insert(*h, i, p)
}

// Producers are the ids of producers known here, rising: one row each.
func (p *Partition) Producers() []txn.ProducerID { return p.holds.ids() }

// AppendRow appends a producer's row to dst; false if there is none, and then the row is to be deleted.
func (p *Partition) AppendRow(dst []byte, id txn.ProducerID) ([]byte, bool) {
	h := p.holds.find(id)
	if h == nil {
		return dst, false
	}
	return binary.BigEndian.AppendUint64(h.appendTo(dst), uint64(p.First(id))), true
}

// LoadRow puts a producer into a partition that does not have it, in any order. It accepts only what AppendRow can have
// written; its error wraps txn.ErrRow, and then nothing was put.
func (p *Partition) LoadRow(id txn.ProducerID, row []byte) error {
	r := txn.NewRow(row)
	h := p.holds.load(id, r)
	u := undecided{id, int64(r.Uint(8))}
	i, taken := slices.BinarySearchFunc(p.undecided, u, func(a, b undecided) int { return cmp.Compare(a.first, b.first) })
	if u.first < -1 || u.first >= 0 && (h.open == 0 || taken) {
		r.Fail("%v from %d", h, u.first)
	}
	if err := r.End(); err != nil {
		return fmt.Errorf("producer %d: %w", id, err)
	}
	p.holds.insert(h)
	if u.first >= 0 {
		p.undecided = slices.Insert(p.undecided, i, u)
	}
	return nil
}

func appendConnection(dst []byte, c txn.Generation) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, c.Term), c.Count)
}

// Producers is as Partition.Producers.
func (g *Group) Producers() []txn.ProducerID { return g.holds.ids() }

// AppendRow is as Partition.AppendRow.
func (g *Group) AppendRow(dst []byte, id txn.ProducerID) ([]byte, bool) {
	h := g.holds.find(id)
	if h == nil {
		return dst, false
	}
	dst = h.appendTo(dst)
	var connection txn.Generation
	if i, known := g.searchNewest(id); known {
		connection = g.newest[i].connection
	}
	dst = appendConnection(dst, connection)
	i, known := g.searchPending(id)
	if !known {
		return append(dst, 0), true
	}
	p := g.pending[i]
	dst = appendConnection(append(dst, 1), p.connection)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p.offsets)))
	for _, o := range p.offsets {
		dst = append(dst, o.Topic[:]...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(o.Partition))
		dst = binary.BigEndian.AppendUint64(dst, uint64(o.Offset))
		dst = binary.BigEndian.AppendUint32(dst, uint32(o.LeaderEpoch))
		dst = binary.BigEndian.AppendUint64(dst, o.Written)
		for _, text := range []string{o.Name, o.Metadata} {
			dst = binary.BigEndian.AppendUint16(dst, uint16(len(text)))
			dst = append(dst, text...)
		}
	}
	return dst, true
}

// LoadRow is as Partition.LoadRow.
func (g *Group) LoadRow(id txn.ProducerID, row []byte) error {
	r := txn.NewRow(row)
	h := g.holds.load(id, r)
	c := newest{id, txn.Generation{Term: r.Uint(8), Count: r.Uint(8)}}
	var p pending
	has := r.Uint(1)
	if has == 1 {
		p = readPending(id, r)
	}
	if has > 1 || has == 1 && h.open == 0 {
		r.Fail("%v, pending %d", h, has)
	}
	if err := r.End(); err != nil {
		return fmt.Errorf("producer %d: %w", id, err)
	}
	g.holds.insert(h)
	if !c.connection.None() {
		i, _ := g.searchNewest(id)
		g.newest = slices.Insert(g.newest, i, c)
	}
	if has == 1 {
		i, _ := g.searchPending(id)
		g.pending = slices.Insert(g.pending, i, p)
	}
	return nil
}

func readPending(id txn.ProducerID, r *txn.Row) pending {
	p := pending{id: id, connection: txn.Generation{Term: r.Uint(8), Count: r.Uint(8)}}
	n := r.Uint(4)
	if n > PendingOffsetsMax {
		r.Fail("%d pending offsets", n)
		return p
	}
	for range n {
		var o Offset
		copy(o.Topic[:], r.Bytes(16))
		o.Partition, o.Offset, o.LeaderEpoch, o.Written = int32(r.Uint(4)), int64(r.Uint(8)), int32(r.Uint(4)), r.Uint(8)
		o.Name = string(r.Bytes(int(r.Uint(2))))
		o.Metadata = string(r.Bytes(int(r.Uint(2))))
		if k := len(p.offsets); k > 0 && p.offsets[k-1].compare(o) >= 0 {
			r.Fail("offset %v does not rise", o)
		}
		if r.Failed() {
			return p
		}
		p.offsets = append(p.offsets, o)
	}
	return p
}

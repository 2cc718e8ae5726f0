package partition

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// reverse collects what one log entry appended. Its row lets garbage collection of the journal ask, entry by entry,
// which payloads a batch row still names. The rows are not part of the replicated state: each replica deletes those
// it no longer needs when it likes (CleanReverse).
type reverse struct {
	index    uint64
	position uint32 // of the first item
	items    []byte // empty: nothing to write
}

const reverseVersion = 1

// add notes a batch. Items are varints: slot | last offset | position | length.
func (m *Machine) noteReverse(slot keyspace.Slot, b *Batch, w keyspace.Writer) {
	r := &m.reverse
	if len(r.items) > 0 && r.index != b.Name.Index {
		m.flushReverse(w)
	}
	if len(r.items) == 0 {
		r.index, r.position = b.Name.Index, b.Name.Position
		r.items = append(r.items, reverseVersion)
	}
	e := encoder{r.items}
	e.uint(uint64(slot))
	e.uint(uint64(b.Last))
	e.uint(uint64(b.Name.Position))
	e.uint(uint64(b.Name.Length))
	r.items = e.b
}

func (m *Machine) flushReverse(w keyspace.Writer) {
	r := &m.reverse
	if len(r.items) == 0 {
		return
	}
	m.key = keyspace.AppendReverseKey(m.key[:0], r.index, r.position)
	w.Set(m.key, r.items)
	r.items = r.items[:0]
}

// LiveNames yields the names of entries lo ≤ index ≤ hi that a batch row still holds, ascending by index, then
// position, until yield returns false. It is to be given a consistent view.
func LiveNames(r keyspace.Reader, lo, hi uint64, yield func(Name) bool) error {
	return eachReverse(r, lo, hi, func(_ []byte, index uint64, items []byte) (bool, error) {
		more := true
		err := eachLive(r, index, items, func(n Name) bool {
			more = yield(n)
			return more
		})
		return more, err
	})
}

// Cleaned is what one call of CleanReverse did.
type Cleaned struct {
	Deleted int
	Done    bool   // every row of the range was looked at
	Next    uint64 // if not done: the index from which to go on
}

// CleanReverse deletes the reverse rows of entries lo ≤ index ≤ hi that hold nothing live, looking at about rowsMax of
// them. What is dead stays dead, so the reader may be older than the writer's state. Not a replicated operation: each
// replica does it when it likes.
func CleanReverse(r keyspace.Reader, w keyspace.Writer, lo, hi uint64, rowsMax int) (Cleaned, error) {
	c := Cleaned{Done: true}
	seen, last := 0, lo
	err := eachReverse(r, lo, hi, func(key []byte, index uint64, items []byte) (bool, error) {
		if seen >= rowsMax && index != last { // the rows of an entry are looked at together, so that every call gets on
			c.Done, c.Next = false, index
			return false, nil
		}
		seen, last = seen+1, index
		live := false
		err := eachLive(r, index, items, func(Name) bool {
			live = true
			return false
		})
		if err == nil && !live {
			w.Delete(key)
			c.Deleted++
		}
		return true, err
	})
	return c, err
}

// eachReverse yields the reverse rows of entries lo..hi.
func eachReverse(r keyspace.Reader, lo, hi uint64, yield func(key []byte, index uint64, items []byte) (bool, error)) error {
	if lo > hi {
		return nil
	}
	from := keyspace.AppendReverseKey(nil, lo, 0)
	to := keyspace.Next(keyspace.AppendReverseKey(nil, hi, 1<<32-1))
	var failed error
	err := r.Scan(from, to, func(k, v []byte) bool {
		index, _, err := keyspace.DecodeReverseKey(k)
		if err != nil || len(v) == 0 || v[0] != reverseVersion {
			failed = fmt.Errorf("%w: reverse %x", ErrRow, k)
			return false
		}
		var more bool
		more, failed = yield(k, index, v[1:])
		return more && failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// eachLive yields the names of a reverse row's items that their batch rows still hold.
func eachLive(r keyspace.Reader, index uint64, items []byte, yield func(Name) bool) error {
	var key [13]byte
	d := decoder{b: items}
	for len(d.b) > 0 {
		slot := keyspace.Slot(d.uint(1<<32 - 1))
		last := broker.Offset(d.uint(1<<63 - 1))
		position := uint32(d.uint(1<<32 - 1))
		length := uint32(d.uint(1<<32 - 1))
		if d.failed {
			return fmt.Errorf("%w: reverse of entry %d: %x", ErrRow, index, items)
		}
		k := keyspace.AppendBatchKey(key[:0], slot, last)
		v, ok, err := r.Get(k)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		_, b, err := decodeBatchRow(k, v)
		if err != nil {
			return err
		}
		if b.Name.Index == index && b.Name.Position == position && b.Name.Length == length && !yield(b.Name) {
			return nil
		}
	}
	return nil
}

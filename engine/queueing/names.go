package queueing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/internal/invariant"
)

// names are the payloads that messages name, by log entry: what of an entry the journal must keep. In memory is only what
// changed since the last Flush; the row of an entry has the rest.
type names struct {
	changed map[uint64]map[uint32]nameChange
	// through: entries above it have no row yet.
	through uint64
}

// nameChange is how many messages more name a payload.
type nameChange struct {
	length, crc uint32
	by          int
}

func newNames() names {
	return names{changed: map[uint64]map[uint32]nameChange{}, through: 1<<64 - 1}
}

func (n *names) add(x Name)    { n.note(x, 1) }
func (n *names) remove(x Name) { n.note(x, -1) }

func (n *names) note(x Name, by int) {
	entry := n.changed[x.Index]
	if entry == nil {
		entry = map[uint32]nameChange{}
		n.changed[x.Index] = entry
	}
	c := entry[x.Position]
	entry[x.Position] = nameChange{x.Length, x.CRC, c.by + by}
}

// namedPayload is one payload of an entry, and how many messages name it.
type namedPayload struct {
	Name
	users uint64
}

// flush writes the rows of the entries that changed; last is the greatest entry of the batch.
func (n *names) flush(w keyspace.Writer, r keyspace.Reader, last uint64) error {
	for _, index := range slices.Sorted(maps.Keys(n.changed)) {
		key := keyspace.AppendQueueNamesKey(nil, index)
		var have []namedPayload
		if index <= n.through {
			v, ok, err := r.Get(key)
			if err != nil {
				return err
			}
			if ok {
				if have, err = decodeNames(key, v); err != nil {
					return err
				}
			}
		}
		if have = merge(index, have, n.changed[index]); len(have) == 0 {
			w.Delete(key)
		} else {
			w.Set(key, appendNames(nil, have))
		}
	}
	clear(n.changed)
	n.through = last
	return nil
}

// merge is what messages name of an entry after the changes, by position.
func merge(index uint64, have []namedPayload, changes map[uint32]nameChange) []namedPayload {
	out := have[:0]
	for _, p := range have {
		if c, ok := changes[p.Position]; ok {
			delete(changes, p.Position)
			invariant.Check(int64(p.users)+int64(c.by) >= 0, "BUG: entry %d position %d is named by %d messages, %d more", index, p.Position, p.users, c.by)
			p.users += uint64(c.by)
		}
		if p.users > 0 {
			out = append(out, p)
		}
	}
	for position, c := range changes { //lint:sorted below
		invariant.Check(c.by >= 0, "BUG: entry %d position %d is not named, %d more", index, position, c.by)
		if c.by > 0 {
			out = append(out, namedPayload{Name{index, position, c.length, c.crc}, uint64(c.by)})
		}
	}
	slices.SortFunc(out, func(a, b namedPayload) int { return cmp.Compare(a.Position, b.Position) })
	return out
}

const namesVersion = 1

// appendNames encodes the row of an entry: version | for each payload: position | length | crc | users.
func appendNames(dst []byte, ps []namedPayload) []byte {
	e := encoder{append(dst, namesVersion)}
	for _, p := range ps {
		e.uint(uint64(p.Position))
		e.uint(uint64(p.Length))
		e.uint(uint64(p.CRC))
		e.uint(p.users)
	}
	return e.b
}

func decodeNames(key, value []byte) ([]namedPayload, error) {
	index, err := keyspace.DecodeQueueNamesKey(key)
	if err != nil {
		return nil, fmt.Errorf("%w: names: %w", ErrRow, err)
	}
	d := open(value, namesVersion)
	var out []namedPayload
	for len(d.b) > 0 && !d.failed {
		out = append(out, namedPayload{Name{index, d.uint32(), d.uint32(), d.uint32()}, d.uint()})
	}
	return out, d.end("names", key)
}

// LiveNames yields the names of entries lo ≤ index ≤ hi that messages still name, ascending by index, then position, until
// yield returns false. It is to be given a consistent view.
func LiveNames(r keyspace.Reader, lo, hi uint64, yield func(Name) bool) error {
	if lo > hi {
		return nil
	}
	var failed error
	err := r.Scan(keyspace.AppendQueueNamesKey(nil, lo), keyspace.Next(keyspace.AppendQueueNamesKey(nil, hi)), func(k, v []byte) bool {
		var ps []namedPayload
		if ps, failed = decodeNames(k, v); failed != nil {
			return false
		}
		for _, p := range ps {
			if !yield(p.Name) {
				return false
			}
		}
		return true
	})
	if failed != nil {
		return failed
	}
	return err
}

package keyspace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Mem is a Reader and a Writer in memory, for tests of the machines. Like the store, it shows what was written only
// after Commit, so a machine that reads its own uncommitted rows is found out. The zero value is empty.
type Mem struct {
	rows    []memRow // sorted by key
	pending []memChange
}

type memRow struct{ key, value []byte }

// memChange is one call of the Writer: set (value not nil), delete (hi nil) or delete a range.
type memChange struct{ key, value, hi []byte }

// Set implements Writer.
func (m *Mem) Set(k, v []byte) {
	m.pending = append(m.pending, memChange{key: bytes.Clone(k), value: append([]byte{}, v...)})
}

// Delete implements Writer.
func (m *Mem) Delete(k []byte) { m.pending = append(m.pending, memChange{key: bytes.Clone(k)}) }

// DeleteRange implements Writer.
func (m *Mem) DeleteRange(lo, hi []byte) {
	m.pending = append(m.pending, memChange{key: bytes.Clone(lo), hi: append([]byte{}, hi...)})
}

// Commit makes what was written since the last Commit or Discard visible.
func (m *Mem) Commit() {
	if len(m.pending) >= memMergeMin && !slices.ContainsFunc(m.pending, func(c memChange) bool { return c.value == nil }) {
		m.merge()
	}
	for _, c := range m.pending {
		i, found := m.find(c.key)
		switch {
		case c.hi != nil:
			j, _ := m.find(c.hi)
			if i < j {
				m.rows = slices.Delete(m.rows, i, j)
			}
		case c.value == nil && found:
			m.rows = slices.Delete(m.rows, i, i+1)
		case c.value == nil:
		case found:
			m.rows[i].value = c.value
		default:
			m.rows = slices.Insert(m.rows, i, memRow{c.key, c.value})
		}
	}
	m.pending = m.pending[:0]
}

// memMergeMin is how many Sets are merged in one pass instead of one by one.
const memMergeMin = 64

// merge commits changes that all are Sets.
func (m *Mem) merge() {
	slices.SortStableFunc(m.pending, func(a, b memChange) int { return bytes.Compare(a.key, b.key) })
	rows, old := make([]memRow, 0, len(m.rows)+len(m.pending)), m.rows
	for i, c := range m.pending {
		if i+1 < len(m.pending) && bytes.Equal(c.key, m.pending[i+1].key) {
			continue // a later one wins
		}
		for len(old) > 0 && bytes.Compare(old[0].key, c.key) < 0 {
			rows, old = append(rows, old[0]), old[1:]
		}
		if len(old) > 0 && bytes.Equal(old[0].key, c.key) {
			old = old[1:]
		}
		rows = append(rows, memRow{c.key, c.value})
	}
	m.rows, m.pending = append(rows, old...), m.pending[:0]
}

// Discard forgets what was written since the last Commit, as a crash does.
func (m *Mem) Discard() { m.pending = m.pending[:0] }

// Clone copies the committed rows.
func (m *Mem) Clone() *Mem {
	return &Mem{rows: slices.Clone(m.rows)}
}

// Len counts the committed rows.
func (m *Mem) Len() int { return len(m.rows) }

func (m *Mem) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(m.rows, key, func(r memRow, k []byte) int { return bytes.Compare(r.key, k) })
}

// Get implements Reader.
func (m *Mem) Get(key []byte) ([]byte, bool, error) {
	i, found := m.find(key)
	if !found {
		return nil, false, nil
	}
	return bytes.Clone(m.rows[i].value), true, nil
}

// Scan implements Reader. It hands out copies that are spoilt when yield returns, so that a machine that keeps them
// is found out.
func (m *Mem) Scan(lo, hi []byte, yield func(k, v []byte) bool) error {
	i, _ := m.find(lo)
	for ; i < len(m.rows) && bytes.Compare(m.rows[i].key, hi) < 0; i++ {
		k, v := bytes.Clone(m.rows[i].key), bytes.Clone(m.rows[i].value)
		more := yield(k, v)
		for _, b := range [][]byte{k, v} {
			for j := range b {
				b[j] = 0xDB
			}
		}
		if !more {
			break
		}
	}
	return nil
}

// Describe is one line per committed row of the tables, all if none is named.
func (m *Mem) Describe(tables ...Table) string {
	var s strings.Builder
	for _, r := range m.rows {
		if len(tables) == 0 || bytes.IndexByte(tables, r.key[0]) >= 0 {
			fmt.Fprintf(&s, "%x = %x\n", r.key, r.value)
		}
	}
	return s.String()
}

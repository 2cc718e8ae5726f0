package group

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/keyspace"
)

// appendOwn is the machine's own row.
//
//	format | versions | digest | cursor: group, begun, topic id, name, partition
func (m *Machine) appendOwn(b []byte) []byte {
	b = appendText(appendU64(appendU64(append(b, formatVersion), m.versions), m.digest), m.cursor.group)
	if !m.cursor.begun {
		return append(b, 0)
	}
	a := m.cursor.after
	return appendU32(appendText(append(append(b, 1), a.topic[:]...), a.name), uint32(a.partition))
}

func (m *Machine) decodeOwn(b []byte) error {
	c := &cursor{b: b}
	c.failed = c.u8() != formatVersion
	m.versions, m.digest, m.cursor.group = c.u64(), c.u64(), c.text()
	if c.u8() == 1 {
		m.cursor.begun = true
		copy(m.cursor.after.topic[:], c.take(16))
		m.cursor.after.name, m.cursor.after.partition = c.text(), int32(c.u32())
	}
	return c.end("machine row")
}

// LoadMachine reads the machine from its rows.
func LoadMachine(rows keyspace.Reader) (*Machine, error) {
	m := NewMachine()
	own, ok, err := rows.Get(keyspace.MachineKey(keyspace.MachineGroup))
	if err != nil {
		return nil, fmt.Errorf("load groups: %w", err)
	}
	if ok {
		if err := m.decodeOwn(own); err != nil {
			return nil, fmt.Errorf("load groups: %w", err)
		}
	}
	if err := m.scan(rows, keyspace.TableGroup, m.loadGroup); err != nil {
		return nil, fmt.Errorf("load groups: %w", err)
	}
	if err := m.scan(rows, keyspace.TableOffset, m.loadOffset); err != nil {
		return nil, fmt.Errorf("load groups: %w", err)
	}
	if err := m.scan(rows, keyspace.TableGroupHold, m.loadHold); err != nil {
		return nil, fmt.Errorf("load groups: %w", err)
	}
	return m, nil
}

func (m *Machine) scan(rows keyspace.Reader, t keyspace.Table, load func(k, v []byte) error) error {
	var failed error
	lo, hi := keyspace.TableRange(t)
	err := rows.Scan(lo, hi, func(k, v []byte) bool {
		failed = load(k, v)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

func (m *Machine) loadGroup(k, v []byte) error {
	name, err := keyspace.DecodeGroupKey(k)
	if err != nil {
		return err
	}
	s, err := DecodeState(name, v)
	if err != nil {
		return err
	}
	if s.Version > m.versions {
		return fmt.Errorf("%w: group %q has version %d, the last given was %d", ErrMalformed, name, s.Version, m.versions)
	}
	m.put(s)
	return nil
}

func (m *Machine) loadOffset(k, v []byte) error {
	name, id, topic, partition, err := keyspace.DecodeOffsetKey(k)
	if err != nil {
		return err
	}
	o, err := decodeOffset(v)
	if err != nil {
		return err
	}
	g, ok := m.groups[name]
	if !ok {
		return fmt.Errorf("%w: an offset of group %q, which is not there", ErrMalformed, name)
	}
	m.setOffset(g, position{id, topic, partition}, o)
	return nil
}

package partition

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/engine/keyspace"
)

// Load is the machine that wrote these rows, as it was after its last Flush.
func Load(o Options, r keyspace.Reader) (*Machine, error) {
	m := New(o)
	key := keyspace.MachineKey(keyspace.MachinePartition)
	if v, ok, err := r.Get(key); err != nil {
		return nil, err
	} else if ok {
		if err := m.decodeSelfRow(key, v); err != nil {
			return nil, err
		}
	}
	for _, load := range []struct {
		table keyspace.Table
		row   func(k, v []byte) error
	}{
		{keyspace.TablePartition, m.loadHead},
		{keyspace.TableDoomed, m.loadDoomed},
		{keyspace.TableEpoch, m.loadEpoch},
		{keyspace.TableHold, m.loadHold},
	} {
		if err := scanTable(r, load.table, load.row); err != nil {
			return nil, err
		}
	}
	for _, p := range m.sorted() {
		p.stable = p.lastStable()
	}
	return m, m.loadWindows(r)
}

// scanTable calls row for every row of a table, and stops at its first error.
func scanTable(r keyspace.Reader, t keyspace.Table, row func(k, v []byte) error) error {
	lo, hi := keyspace.TableRange(t)
	var failed error
	err := r.Scan(lo, hi, func(k, v []byte) bool {
		failed = row(k, v)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

func (m *Machine) loadHead(k, v []byte) error {
	slot, err := keyspace.DecodePartitionKey(k)
	if err != nil {
		return fmt.Errorf("%w: head: %w", ErrRow, err)
	}
	p, err := decodeHeadRow(slot, k, v)
	if err != nil {
		return err
	}
	if m.byID[p.Partition] != nil || slot >= m.nextSlot {
		return fmt.Errorf("%w: head %x: %v is there already, or slot %d was never given", ErrRow, k, p.Partition, slot)
	}
	m.byID[p.Partition], m.bySlot[slot] = p, p
	if p.freed < p.Start {
		m.trimmed = append(m.trimmed, slot)
	}
	return nil
}

func (m *Machine) loadDoomed(k, v []byte) error {
	slot, err := keyspace.DecodeDoomedKey(k)
	if err != nil {
		return fmt.Errorf("%w: deleted: %w", ErrRow, err)
	}
	p, err := decodeHeadRow(slot, k, v)
	if err != nil {
		return err
	}
	if m.bySlot[slot] != nil || slot >= m.nextSlot {
		return fmt.Errorf("%w: deleted %x: slot %d is there already, or was never given", ErrRow, k, slot)
	}
	p.doomed = true
	m.bySlot[slot] = p
	m.doomed = append(m.doomed, slot)
	return nil
}

func (m *Machine) loadEpoch(k, v []byte) error {
	slot, e, err := decodeEpochRow(k, v)
	if err != nil {
		return err
	}
	p := m.bySlot[slot]
	if p == nil {
		return fmt.Errorf("%w: epoch %x of a partition that is not there", ErrRow, k)
	}
	if n := len(p.epochs); n > 0 && p.epochs[n-1].Start >= e.Start {
		return fmt.Errorf("%w: epoch %d of slot %d begins at %d, not above the one before", ErrRow, e.Epoch, slot, e.Start)
	}
	p.epochs = append(p.epochs, e)
	return nil
}

// loadWindows reads all producers, then links them in the order of their last use.
func (m *Machine) loadWindows(r keyspace.Reader) error {
	var all []*window
	err := scanTable(r, keyspace.TableWindow, func(k, v []byte) error {
		slot, producer, touch, w, err := decodeWindowRow(k, v)
		if err != nil {
			return err
		}
		p := m.bySlot[slot]
		if p == nil {
			return fmt.Errorf("%w: producer %x of a partition that is not there", ErrRow, k)
		}
		all = append(all, &window{Window: w, producer: producer, partition: p, touch: touch})
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b *window) int { return cmp.Compare(a.touch, b.touch) })
	for _, loaded := range all {
		w := m.addWindow(loaded.partition, loaded.producer)
		w.Window, w.touch = loaded.Window, loaded.touch
	}
	return nil
}

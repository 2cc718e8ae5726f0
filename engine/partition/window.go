package partition

import (
	"encoding/binary"
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
	"github.com/tallymq/tallymq/txn"
)

// window is what one partition remembers of one producer. It is in three structures: its partition's map, and
// the partition's and the machine's list by last use.
type window struct {
	txn.Window
	producer  broker.ProducerID
	partition *partition
	// touch orders uses: the lists are sorted by it, so that expiry takes the same windows on a replica that was
	// loaded from rows. Replicated time alone does not order two uses within a millisecond.
	touch uint64

	links [2]link // in the machine's list and in the partition's

	dirty bool
	gone  bool // forgotten since it became dirty: its row is not to be written
}

// link is a window's place in one list.
type link struct{ prev, next *window }

// The lists a window is in.
const (
	ofMachine   = 0
	ofPartition = 1
)

// windowList links windows, least recently used first.
type windowList struct {
	first, last *window
	n           int
}

func (l *windowList) pushBack(w *window, which int) {
	w.links[which] = link{prev: l.last}
	if l.last != nil {
		l.last.links[which].next = w
	} else {
		l.first = w
	}
	l.last = w
	l.n++
}

func (l *windowList) remove(w *window, which int) {
	at := w.links[which]
	if at.prev != nil {
		at.prev.links[which].next = at.next
	} else {
		l.first = at.next
	}
	if at.next != nil {
		at.next.links[which].prev = at.prev
	} else {
		l.last = at.prev
	}
	w.links[which] = link{}
	l.n--
}

// addWindow begins to remember a producer, as the most recently used.
func (m *Machine) addWindow(p *partition, producer broker.ProducerID) *window {
	w := &window{producer: producer, partition: p}
	if p.windows == nil {
		p.windows = map[broker.ProducerID]*window{}
	}
	p.windows[producer] = w
	p.byUse.pushBack(w, ofPartition)
	m.windows.pushBack(w, ofMachine)
	return w
}

// used moves a window to the end of its lists and marks its row to be written.
func (m *Machine) used(w *window) {
	p := w.partition
	p.byUse.remove(w, ofPartition)
	p.byUse.pushBack(w, ofPartition)
	m.windows.remove(w, ofMachine)
	m.windows.pushBack(w, ofMachine)
	m.touches++
	w.touch = m.touches
	m.dirtySelf = true
	if !w.dirty {
		w.dirty = true
		m.dirtyWindows = append(m.dirtyWindows, w)
	}
}

// forget drops a producer, row and all.
func (m *Machine) forget(win *window, w keyspace.Writer) {
	p := win.partition
	m.key = keyspace.AppendWindowKey(m.key[:0], p.Slot, win.producer)
	w.Delete(m.key)
	delete(p.windows, win.producer)
	if len(p.windows) == 0 {
		p.windows = nil
	}
	p.byUse.remove(win, ofPartition)
	m.windows.remove(win, ofMachine)
	win.gone = true
	m.forgetHold(p, win.producer, w)
}

// appendWindowRow encodes the value of a window's row: touch [8], then the window.
func appendWindowRow(dst []byte, w *window) []byte {
	return w.AppendTo(binary.BigEndian.AppendUint64(dst, w.touch))
}

func decodeWindowRow(key, value []byte) (keyspace.Slot, broker.ProducerID, uint64, txn.Window, error) {
	slot, producer, err := keyspace.DecodeWindowKey(key)
	if err != nil {
		return 0, 0, 0, txn.Window{}, fmt.Errorf("%w: producer: %w", ErrRow, err)
	}
	if len(value) < 8 {
		return 0, 0, 0, txn.Window{}, fmt.Errorf("%w: producer %x: %d bytes", ErrRow, key, len(value))
	}
	w, err := txn.Decode(value[8:])
	if err != nil {
		return 0, 0, 0, txn.Window{}, fmt.Errorf("%w: producer %x: %w", ErrRow, key, err)
	}
	return slot, producer, binary.BigEndian.Uint64(value), w, nil
}

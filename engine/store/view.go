package store

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// View is a consistent snapshot of one replica's rows; a keyspace.Reader. Any number of goroutines may read it. It holds
// back compactions only until the next flush; from then on it keeps the tables it was taken on, so that a stream of
// hours costs disk, not the speed of the others.
type View struct {
	replica *Replica
	rows    *pebble.EventuallyFileOnlySnapshot
	control control

	mu      sync.RWMutex
	closed  bool
	release func() error
}

// View takes a snapshot of the committed rows; Close it.
func (r *Replica) View() (*View, error) {
	s := r.store
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	for {
		g := generation(r.live.Load())
		if g == 0 {
			return nil, ErrNotOpen
		}
		key := controlKey(r.id)
		rows := s.db.NewEventuallyFileOnlySnapshot([]pebble.KeyRange{
			{Start: key, End: append(key[:len(key):len(key)], 0)},
			{Start: appendLow(nil, g, nil), End: appendHigh(nil, g, nil)},
		})
		c, found, err := s.readControl(rows, r.id)
		// A generation other than the one asked for: an install flipped it in between. None: nothing was committed yet,
		// or the replica was dropped.
		if err == nil && (found && c.generation == g || !found && generation(r.live.Load()) == g) {
			return s.newView(r, rows, control{generation: g, applied: c.applied, meta: c.meta}), nil
		}
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, s.rowError("view", err)
		}
	}
}

func (s *Store) newView(r *Replica, rows *pebble.EventuallyFileOnlySnapshot, c control) *View {
	v := &View{replica: r, rows: rows, control: c}
	v.release = sync.OnceValue(func() error {
		v.mu.Lock()
		v.closed = true
		v.mu.Unlock()
		s.mu.Lock()
		delete(s.views, v)
		s.mu.Unlock()
		return s.rowError("close view", rows.Close())
	})
	s.mu.Lock()
	s.views[v] = struct{}{}
	s.mu.Unlock()
	return v
}

// use keeps the view and the store open during a read. The lock is not held during yield, see Scan.
func (v *View) use() error {
	if err := v.replica.store.enter(); err != nil {
		return err
	}
	v.mu.RLock()
	if v.closed {
		v.mu.RUnlock()
		v.replica.store.leave()
		return ErrClosed
	}
	return nil
}

// Get reads one row; the value is the caller's.
func (v *View) Get(key []byte) (value []byte, ok bool, err error) {
	if err := v.use(); err != nil {
		return nil, false, err
	}
	defer v.replica.store.leave()
	defer v.mu.RUnlock()
	b := boundsPool.Get().(*bounds)
	defer b.release()
	b.lo = appendLow(b.lo[:0], v.control.generation, key)
	return v.replica.store.get(v.rows, b.lo)
}

// Scan yields the rows of [lo, hi) in ascending order until yield says false; nil lo: from the first, nil hi: to the
// last. Slices are valid only during yield.
func (v *View) Scan(lo, hi []byte, yield func(k, v []byte) bool) error {
	return v.scan(lo, hi, false, yield)
}

// ScanReverse is Scan in descending order.
func (v *View) ScanReverse(lo, hi []byte, yield func(k, v []byte) bool) error {
	return v.scan(lo, hi, true, yield)
}

func (v *View) scan(lo, hi []byte, reverse bool, yield func(k, v []byte) bool) error {
	if empty(lo, hi) {
		return nil
	}
	if err := v.use(); err != nil {
		return err
	}
	s := v.replica.store
	defer s.leave()
	b := boundsPool.Get().(*bounds)
	defer b.release()
	it, err := s.iterate(v.rows, b, v.control.generation, lo, hi)
	// The iterator outlives the snapshot it was made from, so yield may read or even close the view.
	v.mu.RUnlock()
	if err != nil {
		return err
	}
	return s.walk(it, reverse, yield)
}

// Applied is the applied index of the view.
func (v *View) Applied() uint64 { return v.control.applied }

// Meta is the meta of the view; not to be changed.
func (v *View) Meta() []byte { return v.control.meta }

// Close releases the view. The second Close, and one after the store's, does nothing.
func (v *View) Close() error {
	s := v.replica.store
	if !s.entry.enter() {
		return nil // the store closes it
	}
	defer s.leave()
	return v.release()
}

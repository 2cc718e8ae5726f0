package store

import (
	"bytes"
	"errors"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// bounds are the pooled buffers of one read.
type bounds struct {
	lo, hi  []byte
	options pebble.IterOptions
}

var boundsPool = sync.Pool{New: func() any { return new(bounds) }}

func (b *bounds) release() {
	b.options = pebble.IterOptions{}
	boundsPool.Put(b)
}

// Get reads one committed row; the value is the caller's.
func (r *Replica) Get(key []byte) (value []byte, ok bool, err error) {
	s := r.store
	if err := s.enter(); err != nil {
		return nil, false, err
	}
	defer s.leave()
	b := boundsPool.Get().(*bounds)
	defer b.release()
	for {
		g := r.live.Load()
		if g == 0 {
			return nil, false, ErrNotOpen
		}
		b.lo = appendLow(b.lo[:0], generation(g), key)
		value, ok, err = s.get(s.db, b.lo)
		// An install or drop may have deleted the generation meanwhile: then what was read is of no state.
		if r.live.Load() == g {
			return value, ok, err
		}
	}
}

func (s *Store) get(from pebble.Reader, key []byte) ([]byte, bool, error) {
	v, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, s.rowError("get", err)
	}
	value := make([]byte, len(v))
	copy(value, v)
	return value, true, s.rowError("get", closer.Close())
}

// Scan yields the committed rows of [lo, hi) in ascending order until yield says false; nil lo: from the first, nil hi:
// to the last. It sees one state, the one at the call. Slices are valid only during yield.
func (r *Replica) Scan(lo, hi []byte, yield func(k, v []byte) bool) error {
	return r.scan(lo, hi, false, yield)
}

// ScanReverse is Scan in descending order.
func (r *Replica) ScanReverse(lo, hi []byte, yield func(k, v []byte) bool) error {
	return r.scan(lo, hi, true, yield)
}

func (r *Replica) scan(lo, hi []byte, reverse bool, yield func(k, v []byte) bool) error {
	s := r.store
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if empty(lo, hi) {
		return nil
	}
	b := boundsPool.Get().(*bounds)
	defer b.release()
	for {
		g := r.live.Load()
		if g == 0 {
			return ErrNotOpen
		}
		it, err := s.iterate(s.db, b, generation(g), lo, hi)
		if err != nil {
			return err
		}
		// The iterator holds one state; if the generation is still live now, it was live in that state.
		if r.live.Load() == g {
			return s.walk(it, reverse, yield)
		}
		if err := it.Close(); err != nil {
			return s.rowError("scan", err)
		}
	}
}

// empty says that a range holds no key; pebble wants bounds in order.
func empty(lo, hi []byte) bool { return hi != nil && bytes.Compare(lo, hi) >= 0 }

func (s *Store) iterate(from pebble.Reader, b *bounds, g generation, lo, hi []byte) (*pebble.Iterator, error) {
	b.lo = appendLow(b.lo[:0], g, lo)
	b.hi = appendHigh(b.hi[:0], g, hi)
	b.options.LowerBound, b.options.UpperBound = b.lo, b.hi
	it, err := from.NewIter(&b.options)
	if err != nil {
		return nil, s.rowError("scan", err)
	}
	return it, nil
}

// walk yields what an iterator holds and closes it. An iterator that ends early because of an error yields no more rows
// and returns the error.
func (s *Store) walk(it *pebble.Iterator, reverse bool, yield func(k, v []byte) bool) (err error) {
	// Also when yield panics: an iterator left open would keep Close from ending in peace.
	defer func() { err = errors.Join(err, s.rowError("scan", it.Close())) }()
	first, next := it.First, it.Next
	if reverse {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return s.rowError("scan", err)
		}
		if !yield(it.Key()[prefixBytes:], v) {
			return nil
		}
	}
	return s.rowError("scan", it.Error())
}

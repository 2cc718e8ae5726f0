package store

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallymq/tallymq/internal/invariant"
)

// flights shares flushes. At most one runs and one waits: whoever comes while one runs joins the one that waits, which
// begins after the running one ended and so covers everything committed until then.
type flights struct {
	mu      sync.Mutex
	running *flight
	waiting *flight
}

type flight struct {
	// done is closed when it ended; err is valid then.
	done chan struct{}
	err  error
}

// flush waits for a flush that covers everything committed before the call. The caller is inside (entry).
func (s *Store) flush(stop <-chan struct{}) error {
	f := s.board()
	select {
	case <-f.done:
		return f.err
	case <-stop:
		return ErrStopped
	case <-s.entry.closing:
		return ErrClosed
	case <-s.events.fatalSet:
		return s.fatalError()
	}
}

// board finds a flight that has not begun.
func (s *Store) board() *flight {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	if s.flights.waiting == nil {
		f := &flight{done: make(chan struct{})}
		s.flights.waiting = f
		before := s.flights.running
		// The caller is inside, so Close has not begun to wait for flushers.
		s.flushers.Go(func() { s.fly(f, before) })
	}
	return s.flights.waiting
}

func (s *Store) fly(f, before *flight) {
	defer close(f.done)
	if before != nil {
		<-before.done
	}
	// From here on nobody boards; whoever did had committed before.
	s.flights.mu.Lock()
	s.flights.running, s.flights.waiting = f, nil
	s.flights.mu.Unlock()
	f.err = s.flushNow()
}

// flushNow is one flush of all memtables. Pebble flushes memtables in the order they were filled, a prefix of them in
// one version edit, and a batch is in one of them.
func (s *Store) flushNow() error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return s.rowError("flush", err)
	}
	// A flush that fails is tried again by pebble until it succeeds.
	select {
	case <-flushed:
	case <-s.entry.closing:
		return ErrClosed
	case <-s.events.fatalSet:
	}
	// After a fatal error pebble may say flushed though the manifest was not synced.
	if err := s.fatalError(); err != nil {
		return err
	}
	return s.refreshDurable()
}

// durable remembers what the tables hold, so that DurableApplied reads them only after a flush.
type durable struct {
	mu sync.Mutex
	// known: a first look was taken; flushes: how many had ended then.
	known   bool
	flushes uint64
	applied map[ID]uint64
}

// refreshDurable reads every replica's applied index from the tables alone, leaving memtables out. So what is called
// durable is not calculated, it is what the next Open would read.
func (s *Store) refreshDurable() error {
	d := &s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	flushes := s.events.flushesFinished()
	if d.known && flushes == d.flushes {
		return nil
	}
	live, err := s.readControls(&pebble.IterOptions{OnlyReadGuaranteedDurable: true})
	if err != nil {
		return err
	}
	// After a manifest that was not synced pebble's tables are no longer those of the disk.
	if err := s.fatalError(); err != nil {
		return err
	}
	applied := make(map[ID]uint64, len(live))
	for _, l := range live {
		applied[l.id] = l.applied
	}
	d.known, d.flushes, d.applied = true, flushes, applied
	return nil
}

// durableApplied is the last known durable index after a refresh that may have failed.
func (s *Store) durableApplied(id ID) uint64 {
	s.durable.mu.Lock()
	defer s.durable.mu.Unlock()
	return s.durable.applied[id]
}

// DurableApplied is the applied index that a power loss now would leave at least. It costs a read of the control rows
// after a flush, else two locks. After the store ended it is the last that was known.
func (r *Replica) DurableApplied() uint64 {
	if r.store.enter() == nil {
		// A read that fails leaves the older index, which is still true.
		_ = r.store.refreshDurable()
		r.store.leave()
	}
	return r.store.durableApplied(r.id)
}

// Sync returns when everything that this replica committed before the call is durable. It waits as long as the disk is
// full, until Close.
func (r *Replica) Sync() error {
	s := r.store
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	commits := r.commits.Load()
	if r.synced.Load() >= commits {
		return nil
	}
	if err := s.flush(nil); err != nil {
		return err
	}
	r.syncedTo(commits)
	return nil
}

func (r *Replica) syncedTo(commits uint64) {
	for {
		was := r.synced.Load()
		if was >= commits || r.synced.CompareAndSwap(was, commits) {
			invariant.Check(commits <= r.commits.Load(), "replica %s: %d commits are durable of %d", r.id, commits, r.commits.Load())
			return
		}
	}
}

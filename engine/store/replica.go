package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Replica is the handle of one replica's rows. Reads, Sync and views may be used at the same time as anything; Open,
// Commit, InstallRows and Drop take turns.
type Replica struct {
	store *Store
	id    ID

	// mu is held by whoever changes rows.
	mu sync.Mutex
	// live generation; 0 while the replica is not open. Changed after the batch that flips it and before the old rows are
	// deleted, so that a reader that began with the old one can tell.
	live    atomic.Uint32
	applied atomic.Uint64
	// commits counts batches, synced how many of them are known to be durable.
	commits atomic.Uint64
	synced  atomic.Uint64
}

// ID says whose rows these are.
func (r *Replica) ID() ID { return r.id }

// Open reads what is applied, and makes it durable first: the log may be cut below what Open says. A replica that never
// committed has applied 0 and no meta. It may be opened again.
func (r *Replica) Open() (applied uint64, meta []byte, err error) {
	s := r.store
	if err := r.Sync(); err != nil {
		return 0, nil, err
	}
	if err := s.enter(); err != nil {
		return 0, nil, err
	}
	defer s.leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	c, found, err := s.readControl(s.db, r.id)
	if err != nil {
		return 0, nil, err
	}
	switch {
	case found:
		r.live.Store(uint32(c.generation))
	case r.live.Load() == 0:
		r.live.Store(uint32(s.nextGeneration()))
	}
	r.applied.Store(c.applied)
	return c.applied, c.meta, nil
}

// readControl reads a control row; meta is the caller's.
func (s *Store) readControl(from pebble.Reader, id ID) (c control, found bool, err error) {
	v, closer, err := from.Get(controlKey(id))
	if errors.Is(err, pebble.ErrNotFound) {
		return control{}, false, nil
	}
	if err != nil {
		return control{}, false, s.rowError("read control row of "+id.String(), err)
	}
	c, ok := parseControl(v)
	c.meta = append([]byte(nil), c.meta...)
	err = s.rowError("read control row of "+id.String(), closer.Close())
	if !ok {
		err = s.corruptRow("control row of %s with %d bytes", id, len(v))
	}
	return c, ok, err
}

// NewBatch begins a batch; it ends in Commit or Discard. The replica must be open.
func (r *Replica) NewBatch() *Batch {
	g := generation(r.live.Load())
	invariant.Check(g != 0, "batch for replica %s, which is not open", r.id)
	invariant.Check(r.store.entry.enter(), "batch for replica %s after Close", r.id)
	defer r.store.leave()
	return newBatch(r, g)
}

// Commit applies the rows, the applied index and meta as one batch: readers see all of it when Commit returns, and a
// power loss leaves all of it or nothing, and never without the batches committed before it, of any replica. It does
// not wait for the disk unless four memtables wait for a flush. The batch is consumed, whatever happens. After an error
// nothing of it was applied, except after ErrFatal, which leaves a store that is never read again.
func (r *Replica) Commit(b *Batch, applied uint64, meta []byte) error {
	defer b.Discard()
	s := r.store
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	g := generation(r.live.Load())
	if g == 0 {
		return ErrNotOpen
	}
	invariant.Check(b.replica == r && b.generation == g, "batch of %s, generation %d, committed to %s, generation %d", b.replica.id, b.generation, r.id, g)
	invariant.Check(applied >= r.applied.Load(), "replica %s: applied falls from %d to %d", r.id, r.applied.Load(), applied)
	b.setControl(control{generation: g, applied: applied, meta: meta})
	if err := s.admit(b.pb, nil); err != nil {
		return err
	}
	if err := s.apply(b.pb); err != nil {
		return err
	}
	r.applied.Store(applied)
	r.commits.Add(1)
	if actFlushEarly.Now() {
		s.board()
	}
	return nil
}

// apply hands a batch to pebble, which calls Fatalf and returns nil when it could not take it.
func (s *Store) apply(pb *pebble.Batch) error {
	if err := s.db.Apply(pb, pebble.NoSync); err != nil {
		return s.rowError("commit", err)
	}
	return s.fatalError()
}

// Applied is the applied index of the last Open, Commit or InstallRows.
func (r *Replica) Applied() uint64 { return r.applied.Load() }

// String is one line.
func (r *Replica) String() string {
	return fmt.Sprintf("replica %s: generation %d, applied %d, durable %d, commits %d", r.id, r.live.Load(), r.applied.Load(), r.store.durableApplied(r.id), r.commits.Load())
}

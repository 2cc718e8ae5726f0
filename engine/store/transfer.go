package store

import (
	"errors"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallymq/tallymq/internal/invariant"
)

// WriteRows streams a view of this replica's rows with its applied index and meta; see stream.go for the bytes. It ends
// with ErrStopped soon after stop is closed, and with ErrClosed when the store ends, unless w.Write hangs.
func (r *Replica) WriteRows(v *View, w io.Writer, stop <-chan struct{}) error {
	invariant.Check(v.replica == r, "view of %s streamed as %s", v.replica.id, r.id)
	e := newRowsEncoder(w)
	if err := e.head(v.control.applied, v.control.meta); err != nil {
		return err
	}
	var failed error
	err := v.Scan(nil, nil, func(k, value []byte) bool {
		var sent bool
		if sent, failed = e.row(k, value); failed == nil && sent {
			failed = r.store.stopped(stop)
		}
		return failed == nil
	})
	if err := errors.Join(failed, err); err != nil {
		return err
	}
	return e.end()
}

func (s *Store) stopped(stop <-chan struct{}) error {
	select {
	case <-stop:
		return ErrStopped
	case <-s.entry.closing:
		return ErrClosed
	default:
		return nil
	}
}

// InstallRows replaces all rows of the replica, with applied index and meta, by those of a stream. On a nil error the
// new rows are durable. On an error they are not there: not after ErrStream or ErrStopped, nor after a power loss at any
// step; except that after ErrClosed or ErrFatal the next Open of the store shows either the old rows or the new, whole.
// Memory is bounded by a batch of 1 MiB or one row. Once the rows are flipped stop has no effect any more.
func (r *Replica) InstallRows(rd io.Reader, stop <-chan struct{}) (applied uint64, meta []byte, err error) {
	s := r.store
	r.mu.Lock()
	defer r.mu.Unlock()
	old := generation(r.live.Load())
	if old == 0 {
		return 0, nil, ErrNotOpen
	}
	// Rows come in under a generation that no control row names. A power loss from here on leaves the old rows, and
	// some of the new that the next Open drops.
	fresh := s.nextGeneration()
	if applied, meta, err = s.receive(fresh, rd, stop); err == nil {
		s.step("received")
		// Now all new rows become durable. They would anyway before the flip, which is a later batch; but so the flip
		// waits for one small flush only, and while the disk is full the old rows stay live and stop is heeded.
		err = s.inside(func() error { return s.flush(stop) })
		s.step("rows durable")
	}
	if err != nil {
		s.abandon(fresh)
		return 0, nil, err
	}
	// One batch makes the new rows live, with their applied index and meta. Readers see it at once; a power loss
	// leaves the old rows or the new, never a mix, for rows of two generations have no key in common.
	if err := r.flip(control{generation: fresh, applied: applied, meta: meta}); err != nil {
		s.abandon(fresh)
		return 0, nil, err
	}
	s.step("flipped")
	// The flip becomes durable. Not stopped any more: it took effect already.
	if err := s.inside(func() error { return s.flush(nil) }); err != nil {
		return 0, nil, err
	}
	s.step("flip durable")
	// The old rows are dead. A power loss before this is flushed leaves them to the next Open.
	s.abandon(old)
	s.step("old dropped")
	return applied, meta, nil
}

// flip makes a generation live, in the database and for readers.
func (r *Replica) flip(c control) error {
	s := r.store
	return s.inside(func() error {
		pb := s.db.NewBatch()
		defer pb.Close()
		setControl(pb, r.id, c)
		if err := s.apply(pb); err != nil {
			return err
		}
		r.live.Store(uint32(c.generation))
		r.applied.Store(c.applied)
		r.commits.Add(1)
		return nil
	})
}

// receive writes the rows of a stream under a generation.
func (s *Store) receive(g generation, rd io.Reader, stop <-chan struct{}) (applied uint64, meta []byte, err error) {
	d := &rowsDecoder{r: rd}
	if applied, meta, err = d.head(); err != nil {
		return 0, nil, err
	}
	b := &Batch{generation: g}
	defer func() {
		if b.pb != nil {
			err = errors.Join(err, b.pb.Close())
		}
	}()
	for more := true; more; {
		// Nobody is kept from closing the store while the wire is slow: each step goes in by itself.
		if err := s.stopped(stop); err != nil {
			return 0, nil, err
		}
		if b.pb == nil {
			if err := s.inside(func() error { b.pb = s.db.NewBatch(); return nil }); err != nil {
				return 0, nil, err
			}
		}
		if more, err = d.frame(b.Set); err != nil {
			return 0, nil, err
		}
		if b.pb.Len() >= installBatchBytes || !more {
			if err := s.inside(func() error { return s.install(b, stop) }); err != nil {
				return 0, nil, err
			}
			s.step("batch")
		}
	}
	return applied, meta, nil
}

// install applies a batch of not yet live rows.
func (s *Store) install(b *Batch, stop <-chan struct{}) error {
	if err := s.admit(b.pb, stop); err != nil {
		return err
	}
	if err := s.apply(b.pb); err != nil {
		return err
	}
	err := b.pb.Close()
	b.pb = nil
	return err
}

// abandon deletes the rows of a generation that is not live. If it fails, or is lost with the power, the next Open does
// it again.
func (s *Store) abandon(g generation) {
	err := s.inside(func() error {
		pb := s.db.NewBatch()
		defer pb.Close()
		deleteRange(pb, g, nil, nil)
		return s.apply(pb)
	})
	if err != nil {
		s.options.Logger.Debug("store: dead rows stay until the next open", "generation", g, "error", err)
	}
}

// inside runs a step that uses pebble.
func (s *Store) inside(do func() error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return do()
}

// Drop deletes the replica, its rows and its applied index, durably. A power loss before it returns leaves all or
// nothing of it. The handle stays usable: Open begins anew at 0. Views taken before live on.
func (r *Replica) Drop() error {
	s := r.store
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	r.mu.Lock()
	defer r.mu.Unlock()
	c, found, err := s.readControl(s.db, r.id)
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	pb := s.db.NewBatch()
	defer pb.Close()
	if err := pb.Delete(controlKey(r.id), nil); err != nil {
		return s.rowError("drop", err)
	}
	if found {
		deleteRange(pb, c.generation, nil, nil)
	}
	// Readers are turned away before their rows go: after it, one that is under way sees that its generation is gone.
	live := r.live.Swap(0)
	if err := s.apply(pb); err != nil {
		r.live.Store(live)
		return err
	}
	r.applied.Store(0)
	r.commits.Add(1)
	s.step("drop committed")
	return s.flush(nil)
}

var _ pebble.Reader = (*pebble.EventuallyFileOnlySnapshot)(nil)

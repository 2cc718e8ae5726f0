package store

import "github.com/cockroachdb/pebble/v2"

// admission holds committers back while too much waits to be flushed or compacted. Pebble would do it too, but inside
// its commit lock, where neither Close nor a stop channel can reach; so its thresholds are out of reach and these count.
// They are kept from the events, for pebble's own Metrics wait until the manifest is written: on a full disk, for ever.
// All fields are guarded by events.mu.
type admission struct {
	// taken is all bytes ever committed; begun is taken when the last flush began; covered is begun of the last flush
	// that succeeded. What is in memory is taken - covered and at most one memtable that was being filled then.
	taken, begun, covered int64
	// tables of level 0: grows when compactions fail while flushes do not.
	tables int
}

// memoryBytes is what a batch takes in a memtable, roughly: each row is a node with a tower.
func memoryBytes(pb *pebble.Batch) int64 { return int64(pb.Len()) + int64(pb.Count())*rowOverheadBytes }

// admit waits until there is room for a batch.
func (s *Store) admit(pb *pebble.Batch, stop <-chan struct{}) error {
	n := memoryBytes(pb)
	for {
		progress, full, ok := s.takes(n)
		if ok {
			return nil
		}
		if full {
			// Pebble may see less than we count and not flush by itself.
			s.board()
		}
		select {
		case <-progress:
		case <-stop:
			return ErrStopped
		case <-s.entry.closing:
			return ErrClosed
		case <-s.events.fatalSet:
			return s.fatalError()
		}
	}
}

// takes counts n bytes if there is room, else gives the channel that closes when there may be; full says that memory
// is what lacks. The caller is inside (entry).
func (s *Store) takes(n int64) (progress <-chan struct{}, full, ok bool) {
	e := &s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	a := &e.admission
	full = a.taken-a.covered >= stallMemTables*s.options.MemTableBytes
	if full || a.tables >= stallTables {
		return e.progress, full, false
	}
	a.taken += n
	return nil, false, true
}

func (e *events) flushBegan(pebble.FlushInfo) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.admission.begun = e.admission.taken
}

// flushEnded counts a flush. One that wrote no table, because its rows were all deleted, carries an error too and did
// succeed; it is told from a failed one by the next flush, which covers it: that costs nothing but a little patience.
func (e *events) flushEnded(i pebble.FlushInfo) {
	e.mu.Lock()
	if i.Err == nil {
		e.admission.covered = e.admission.begun
		e.admission.tables += len(i.Output)
	}
	e.mu.Unlock()
	e.ended(true, false)
}

func (e *events) compactionEnded(i pebble.CompactionInfo) {
	e.mu.Lock()
	if i.Err == nil {
		for _, in := range i.Input {
			if in.Level == 0 {
				e.admission.tables = max(0, e.admission.tables-len(in.Tables))
			}
		}
		if i.Output.Level == 0 {
			e.admission.tables += len(i.Output.Tables)
		}
	}
	e.mu.Unlock()
	e.ended(false, i.Err != nil)
}

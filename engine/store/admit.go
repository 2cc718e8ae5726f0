package store

import "sync/atomic"

// admission holds committers back while too much waits to be flushed or compacted. Pebble would do it too, but inside
// its commit lock, where neither Close nor a stop channel can reach; so its thresholds are out of reach and these count.
type admission struct {
	// unchecked bytes were committed since the last look at pebble's own figures.
	unchecked atomic.Int64
}

// admitBytes waits until there is room. Memory in memtables stays below stallMemTables and a quarter, plus one batch per
// replica.
func (s *Store) admitBytes(n int, stop <-chan struct{}) error {
	if s.admit.unchecked.Add(int64(n)) < s.options.MemTableBytes/4 {
		return nil
	}
	for {
		progress := s.events.watch()
		m := s.db.Metrics()
		if int64(m.MemTable.Size) < stallMemTables*s.options.MemTableBytes && m.Levels[0].Sublevels < stallSublevels {
			s.admit.unchecked.Store(int64(n))
			return nil
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

package store

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Store is the row database of one node. All methods may be called at the same time.
type Store struct {
	options Options
	pebble  *pebble.Options
	db      *pebble.DB

	entry  entry
	events events
	fatal  atomic.Pointer[error]
	// opened: from now on a full disk is waited out.
	opened  atomic.Bool
	flights flights
	durable durable
	// flushers are the goroutines of flights.go, one per running or waiting flush.
	flushers sync.WaitGroup

	mu       sync.Mutex
	replicas map[ID]*Replica
	views    map[*View]struct{}
	// last generation given; never reused while the process lives, nor while rows of it are on the disk.
	last generation

	// onStep is called between the steps of an install and a drop; tests take the power away there.
	onStep func(step string)
}

// ID names a replica of a shard.
type ID struct {
	Shard   uint64
	Replica uint64
}

// String is "shard/replica".
func (id ID) String() string { return fmt.Sprintf("%d/%d", id.Shard, id.Replica) }

// Open opens or creates the store and drops what an interrupted install left. After a power loss the rows of all
// replicas together are those of a prefix of the committed batches.
func Open(o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Store{options: o.withDefaults(), replicas: make(map[ID]*Replica), views: make(map[*View]struct{})}
	s.entry.init()
	s.events.init()
	s.pebble = s.options.pebbleOptions()
	s.pebble.FS = &guard{FS: s.options.FS, s: s}
	s.pebble.Logger = logger{s}
	s.pebble.EventListener = s.listener()
	if err := s.options.FS.MkdirAll(s.options.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("store: open %s: %w", s.options.Dir, err)
	}
	if err := s.checkManifest(); err != nil {
		return nil, s.rowError("open "+s.options.Dir, err)
	}
	if err := s.mendOptionsFile(); err != nil {
		return nil, s.rowError("open "+s.options.Dir, err)
	}
	db, err := s.openPebble()
	if err != nil {
		return nil, s.rowError("open "+s.options.Dir, s.openError(err))
	}
	s.db = db
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// The only look at pebble's figures that admission takes; nothing runs yet that holds the manifest.
	tables := int(db.Metrics().Levels[0].TablesCount)
	s.events.mu.Lock()
	s.events.admission.tables = tables
	s.events.mu.Unlock()
	s.opened.Store(true)
	return s, nil
}

// openPebble is pebble.Open that ends also when the store has stopped for good meanwhile. Pebble's own waits for a flush
// whose record of the manifest failed, and that flush is tried again for ever: a node that started on a full disk
// neither came up nor ended. What is left behind changes nothing more (guard.go), and keeps the folder's lock
// until the process ends. It also panics when it gives up, on a failing disk, while a compaction that it began reads
// tables: that is an error here.
func (s *Store) openPebble() (*pebble.DB, error) {
	type opened struct {
		db  *pebble.DB
		err error
	}
	done := make(chan opened, 1)
	go func() {
		var o opened
		defer func() {
			if v := recover(); v != nil {
				o = opened{nil, fmt.Errorf("%w: pebble panicked: %v", ErrFatal, v)}
			}
			done <- o
		}()
		o.db, o.err = pebble.Open(s.options.Dir, s.pebble)
	}()
	select {
	case o := <-done:
		return o.db, o.err
	case <-s.events.fatalSet:
		return nil, s.fatalError()
	}
}

// recover finds the live generations and drops the rest. Dropping is one range deletion per dead generation, committed
// like any row: if the power goes before the next flush, the next Open finds the same dead rows again.
func (s *Store) recover() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	live, err := s.controls()
	if err != nil {
		return err
	}
	named := make(map[generation]ID, len(live))
	for _, l := range live {
		if other, twice := named[l.generation]; twice {
			return s.corruptRow("generation %d is named by %s and %s", l.generation, other, l.id)
		}
		named[l.generation] = l.id
		s.last = max(s.last, l.generation)
	}
	found, err := s.generations()
	if err != nil {
		return err
	}
	for _, g := range found {
		s.last = max(s.last, g)
		if _, ok := named[g]; ok {
			continue
		}
		pb := s.db.NewBatch()
		deleteRange(pb, g, nil, nil)
		if err := errors.Join(s.db.Apply(pb, pebble.NoSync), pb.Close()); err != nil {
			return s.rowError("drop dead rows", err)
		}
	}
	return nil
}

// checkFormat refuses a layout that this code does not know, and marks a new database with its own.
func (s *Store) checkFormat() error {
	v, closer, err := s.db.Get([]byte{kindFormat})
	if err == nil {
		defer closer.Close()
		if !bytes.Equal(v, []byte{formatVersion}) {
			return fmt.Errorf("store: open %s: rows have layout %x, this version knows %d", s.options.Dir, v, formatVersion)
		}
		return nil
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return s.rowError("read layout", err)
	}
	if found, err := s.anyRow(); err != nil {
		return err
	} else if found {
		// The mark is in the first batch of all, and what survives is a prefix.
		return s.corruptRow("there are rows but no mark of their layout")
	}
	return s.rowError("mark layout", s.db.Set([]byte{kindFormat}, []byte{formatVersion}, pebble.NoSync))
}

func (s *Store) anyRow() (bool, error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return false, s.rowError("open", err)
	}
	found := it.First()
	return found, s.rowError("open", errors.Join(it.Error(), it.Close()))
}

// Replica gives the one handle of a replica; it does not touch the disk.
func (s *Store) Replica(shard, replica uint64) *Replica {
	id := ID{Shard: shard, Replica: replica}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.replicas[id]
	if r == nil {
		r = &Replica{store: s, id: id}
		s.replicas[id] = r
	}
	return r
}

// Replicas lists the replicas that have committed anything, in order of shard and replica.
func (s *Store) Replicas() ([]ID, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	live, err := s.controls()
	ids := make([]ID, 0, len(live))
	for _, l := range live {
		ids = append(ids, l.id)
	}
	return ids, err
}

// nextGeneration gives a number that no row carries.
func (s *Store) nextGeneration() generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	invariant.Check(s.last < generationMax, "all %d generations are used up", s.last)
	s.last++
	return s.last
}

func (s *Store) step(name string) {
	if s.onStep != nil {
		s.onStep(name)
	}
}

// Close ends the store. What is committed is flushed unless the disk refuses; what was not comes back from the journal.
// Calls that wait inside return ErrClosed, open views are closed, no goroutine stays. The second Close returns nil.
func (s *Store) Close() error {
	if !s.entry.shut() {
		return nil
	}
	s.flushers.Wait()
	s.mu.Lock()
	views := make([]*View, 0, len(s.views))
	for v := range s.views {
		views = append(views, v)
	}
	s.mu.Unlock()
	for _, v := range views {
		_ = v.release()
	}
	s.lastFlush()
	return errors.Join(s.fatalError(), s.rowError("close", s.db.Close()))
}

// lastFlush spares the next start the replay. It gives up at the first failure: a full disk must not keep a node from
// ending.
func (s *Store) lastFlush() {
	if s.fatalError() != nil {
		return
	}
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return
	}
	for {
		progress := s.events.watch()
		select {
		case <-flushed:
			return
		default:
		}
		if s.events.failing() {
			return
		}
		select {
		case <-flushed:
			return
		case <-s.events.fatalSet:
			return
		case <-progress:
		}
	}
}

// String is one line on what is open.
func (s *Store) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("store %s: %d replicas, %d views, generation %d", s.options.Dir, len(s.replicas), len(s.views), s.last)
}

// Describe is String and one line per replica.
func (s *Store) Describe() string {
	s.mu.Lock()
	list := make([]*Replica, 0, len(s.replicas))
	for _, r := range s.replicas {
		list = append(list, r)
	}
	s.mu.Unlock()
	sort.Slice(list, func(i, j int) bool { return list[i].id.less(list[j].id) })
	var b bytes.Buffer
	fmt.Fprintln(&b, s)
	for _, r := range list {
		fmt.Fprintln(&b, " ", r)
	}
	return b.String()
}

func (id ID) less(o ID) bool {
	return id.Shard < o.Shard || id.Shard == o.Shard && id.Replica < o.Replica
}

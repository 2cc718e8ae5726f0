package tallysim

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// Errors of Update. After ErrUnknown the transaction is committed or not, and only a
// look can tell: the connection to the database broke while it was on its way.
var (
	ErrUnavailable = errors.New("tallysim: the store refused the transaction; nothing was changed")
	ErrUnknown     = errors.New("tallysim: the store did not answer; the transaction may be committed")
)

// A Store is a small transactional database outside all processes, in the place of
// the user's SQL database: it survives every crash. Transactions are serializable and
// take simulated time, so a process may die before or after the commit of its own.
type Store struct {
	c    *Cluster
	name string

	mu      sync.Mutex // never held while anything blocks: its holder may be killed
	rng     *rand.Rand
	rows    map[string]string
	version uint64 // counts commits
}

// Store returns the database of that name, empty when it is new.
func (c *Cluster) Store(name string) *Store {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.stores {
		if s.name == name {
			return s
		}
	}
	s := &Store{c: c, name: name, rng: c.World.Rand("store " + name), rows: map[string]string{}}
	c.stores = append(c.stores, s)
	return s
}

// A Tx is one transaction. It is used by the function it was handed to and not later.
type Tx struct {
	s       *Store
	changes map[string]*string // nil deletes
}

// Get returns the value of a key.
func (tx *Tx) Get(key string) (value string, ok bool) {
	if v, changed := tx.changes[key]; changed {
		if v == nil {
			return "", false
		}
		return *v, true
	}
	return tx.s.Get(key)
}

// Set gives a key a value.
func (tx *Tx) Set(key, value string) { tx.changes[key] = &value }

// Delete removes a key.
func (tx *Tx) Delete(key string) { tx.changes[key] = nil }

// Update runs a transaction: all changes of f or, when it returns an error, none. f
// may be called more than once and must only use tx. Errors are f's own,
// ErrUnavailable, ErrUnknown.
func (s *Store) Update(f func(tx *Tx) error) error {
	for {
		begin := s.begin()
		tx := &Tx{s: s, changes: map[string]*string{}}
		err := f(tx)
		switch {
		case !s.unchanged(begin.version):
			continue // f saw two states, and what it made of them counts for nothing
		case err != nil:
			return err
		}
		time.Sleep(begin.before)
		if begin.fate == refused || begin.fate == unanswered && len(tx.changes) == 0 {
			return ErrUnavailable
		}
		if len(tx.changes) == 0 {
			return nil // what was read stood there at one moment
		}
		if !s.commit(tx, begin.version) {
			continue // another transaction was faster
		}
		time.Sleep(begin.after)
		if begin.fate == unanswered {
			return ErrUnknown
		}
		return nil
	}
}

// The fates of a transaction.
const (
	answered = iota
	refused
	unanswered
)

// A beginning is what is drawn for a transaction, and the state it starts from.
type beginning struct {
	version       uint64
	before, after time.Duration // of its commit
	fate          int
}

func (s *Store) begin() beginning {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := beginning{
		version: s.version,
		before:  time.Duration(s.rng.Int64N(int64(storeDelayMax))),
		after:   time.Duration(s.rng.Int64N(int64(storeDelayMax))),
	}
	if int32(s.rng.IntN(1000)) < s.c.failing.Load() {
		b.fate = refused + s.rng.IntN(2)
	}
	return b
}

func (s *Store) unchanged(version uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version == version
}

// commit applies the changes if nothing was committed since the version.
func (s *Store) commit(tx *Tx, version uint64) bool {
	if !s.apply(tx, version) {
		return false
	}
	s.c.World.Trace.Event(trace.Client, s.name, "commit %d: %s", version+1, strings.Join(slices.Sorted(maps.Keys(tx.changes)), " "))
	return true
}

func (s *Store) apply(tx *Tx, version uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != version {
		return false
	}
	s.version++
	for key, value := range tx.changes {
		if value == nil {
			delete(s.rows, key)
		} else {
			s.rows[key] = *value
		}
	}
	return true
}

// Get returns the value of a key now, for assertions; it takes no time.
func (s *Store) Get(key string) (value string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok = s.rows[key]
	return value, ok
}

// Rows returns what the store holds now, of the keys that begin with a prefix, for
// assertions; it takes no time.
func (s *Store) Rows(prefix string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := map[string]string{}
	for key, value := range s.rows {
		if strings.HasPrefix(key, prefix) {
			rows[key] = value
		}
	}
	return rows
}

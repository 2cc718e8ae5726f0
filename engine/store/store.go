package store

import "errors"

// Store is the row database of one node.
type Store struct{}

// ID names a replica of a shard.
type ID struct {
	Shard   uint64
	Replica uint64
}

// Open opens or creates the store.
func Open(o Options) (*Store, error) { return nil, errors.New("store: not there yet") }

// Replica gives the one handle of a replica; it does not touch the disk.
func (s *Store) Replica(shard, replica uint64) *Replica { return nil }

// Replicas lists the replicas that have rows, in order of shard and replica.
func (s *Store) Replicas() ([]ID, error) { return nil, nil }

// Check reads every table of the store and verifies every block.
func (s *Store) Check() error { return nil }

// Stats is a cheap look at the store.
func (s *Store) Stats() Stats { return Stats{} }

// Close ends the store: everything committed is flushed if it can be, no goroutine stays.
func (s *Store) Close() error { return nil }

// Stats are figures for metrics.
type Stats struct {
	MemTableBytes, DiskBytes, CacheBytes int64
}

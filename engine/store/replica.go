package store

import "io"

// Replica is the handle of one replica's rows.
type Replica struct{}

// Open says what is applied, and makes it durable first.
func (r *Replica) Open() (applied uint64, meta []byte, err error) { return 0, nil, nil }

// NewBatch begins a batch; it ends in Commit or Discard.
func (r *Replica) NewBatch() *Batch { return nil }

// Commit applies rows, applied index and meta atomically, consuming the batch. Not durable until Sync or a flush.
func (r *Replica) Commit(b *Batch, applied uint64, meta []byte) error { return nil }

// Get reads one committed row; the value is the caller's.
func (r *Replica) Get(key []byte) (value []byte, ok bool, err error) { return nil, false, nil }

// Scan yields committed rows of [lo, hi) ascending; nil hi: to the end.
func (r *Replica) Scan(lo, hi []byte, yield func(k, v []byte) bool) error { return nil }

// ScanReverse yields committed rows of [lo, hi) descending.
func (r *Replica) ScanReverse(lo, hi []byte, yield func(k, v []byte) bool) error { return nil }

// View is a consistent snapshot; Close it.
func (r *Replica) View() (*View, error) { return nil, nil }

// Sync returns when everything committed before the call is durable.
func (r *Replica) Sync() error { return nil }

// Applied is the applied index of the last Commit or InstallRows.
func (r *Replica) Applied() uint64 { return 0 }

// DurableApplied is the applied index that a power loss now would leave.
func (r *Replica) DurableApplied() uint64 { return 0 }

// WriteRows streams a view's rows; ErrStopped when stop is closed.
func (r *Replica) WriteRows(v *View, w io.Writer, stop <-chan struct{}) error { return nil }

// InstallRows replaces all rows by those of a stream, atomically and durably; ErrStopped when stop is closed.
func (r *Replica) InstallRows(rd io.Reader, stop <-chan struct{}) (applied uint64, meta []byte, err error) {
	return 0, nil, nil
}

// Drop deletes the replica durably.
func (r *Replica) Drop() error { return nil }

package keyspace

// Reader reads rows of one replica, in one consistent state.
type Reader interface {
	// Get returns the value of a key. The value is the caller's to read until its next call of the Reader, and never
	// to change.
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan yields the rows lo ≤ key < hi, ascending, until yield returns false. The slices are valid only during
	// yield. Yield may call Get, not Scan.
	Scan(lo, hi []byte, yield func(k, v []byte) bool) error
}

// Writer takes changes that become visible to Readers together, when the batch they belong to is committed. It
// copies what it is given. A later call wins over an earlier one.
type Writer interface {
	Set(k, v []byte)
	Delete(k []byte)
	// DeleteRange deletes lo ≤ key < hi.
	DeleteRange(lo, hi []byte)
}

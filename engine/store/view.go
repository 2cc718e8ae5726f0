package store

// View is a consistent snapshot of one replica's rows; a keyspace.Reader.
type View struct{}

// Get reads one row; the value is the caller's.
func (v *View) Get(key []byte) (value []byte, ok bool, err error) { return nil, false, nil }

// Scan yields rows of [lo, hi) ascending; nil hi: to the end.
func (v *View) Scan(lo, hi []byte, yield func(k, v []byte) bool) error { return nil }

// ScanReverse yields rows of [lo, hi) descending.
func (v *View) ScanReverse(lo, hi []byte, yield func(k, v []byte) bool) error { return nil }

// Applied is the applied index of the view.
func (v *View) Applied() uint64 { return 0 }

// Meta is the meta of the view.
func (v *View) Meta() []byte { return nil }

// Close releases the view.
func (v *View) Close() error { return nil }

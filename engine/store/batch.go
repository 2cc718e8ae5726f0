package store

// Batch gathers rows for one Commit; a keyspace.Writer. Not for concurrent use.
type Batch struct{}

// Set writes a row.
func (b *Batch) Set(k, v []byte) {}

// Delete deletes a row.
func (b *Batch) Delete(k []byte) {}

// DeleteRange deletes rows of [lo, hi); nil hi: to the end.
func (b *Batch) DeleteRange(lo, hi []byte) {}

// Len is the number of bytes gathered.
func (b *Batch) Len() int { return 0 }

// Discard gives an uncommitted batch back.
func (b *Batch) Discard() {}

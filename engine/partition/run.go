package partition

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// run summarises consecutive batches, so that look-ups by time or size need not read them all. Level 1 runs are of
// runFanOut batches, level n+1 runs of runFanOut level n runs: a tree that only grows at its right edge. Timestamps
// may go up and down in a log, and its beginning may be trimmed away; the tree gives exact answers all the same.
type run struct {
	first, last broker.Offset
	maxAge      int64  // greatest Age of the batches, which is at least their MaxTimestamp
	bytesEnd    uint64 // as in Batch
	n           int    // members so far; 0: empty. A run with a row is full
}

// String is one line.
func (r run) String() string {
	if r.n == 0 {
		return "empty"
	}
	return fmt.Sprintf("%d..%d age %d bytes to %d of %d", r.first, r.last, r.maxAge, r.bytesEnd, r.n)
}

// add makes a member part of the run.
func (r *run) add(first, last broker.Offset, age int64, bytesEnd uint64) {
	if r.n == 0 {
		r.first, r.maxAge = first, age
	}
	r.last, r.bytesEnd = last, bytesEnd
	r.maxAge = max(r.maxAge, age)
	r.n++
}

// grow adds a batch to the open runs and writes those that became full.
func (m *Machine) grow(p *partition, b *Batch, w keyspace.Writer) {
	member := run{first: b.Base, last: b.Last, maxAge: b.Age, bytesEnd: b.BytesEnd}
	for i := range p.runs {
		r := &p.runs[i]
		r.add(member.first, member.last, member.maxAge, member.bytesEnd)
		if r.n < runFanOut {
			return
		}
		m.key = keyspace.AppendTimeKey(m.key[:0], p.Slot, uint8(i+1), r.last)
		m.value = appendRunRow(m.value[:0], r)
		w.Set(m.key, m.value)
		member = *r
		*r = run{}
	}
}

const runVersion = 1

// appendRunRow encodes the value of a full run's row: version | last−first | max age | bytes end.
func appendRunRow(dst []byte, r *run) []byte {
	e := encoder{append(dst, runVersion)}
	e.uint(uint64(r.last - r.first))
	e.int(r.maxAge)
	e.uint(r.bytesEnd)
	return e.b
}

func decodeRunRow(key, value []byte) (run, error) {
	_, _, last, err := keyspace.DecodeTimeKey(key)
	if err != nil {
		return run{}, fmt.Errorf("%w: run: %w", ErrRow, err)
	}
	d := open(value, runVersion)
	r := run{last: last, n: runFanOut}
	r.first = last - broker.Offset(d.uint(1<<63-1))
	r.maxAge = d.int()
	r.bytesEnd = d.uint(1<<64 - 1)
	if r.first < 0 {
		d.failed = true
	}
	return r, d.end("run", key)
}

package store

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BenchmarkCommit: the cost of a row, by rows per batch, flushes included. allocs/row is what a profile of the produce
// path would show.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			o := testOptions(vfs.NewMem())
			o.MemTableBytes, o.CacheBytes = 0, 0
			s := mustOpen(b, o)
			r := s.Replica(1, 1)
			mustOpenReplica(b, r)
			var key [13]byte
			var value, meta [40]byte
			b.ReportAllocs()
			for i := range b.N {
				batch := r.NewBatch()
				for j := range n {
					binary.BigEndian.PutUint64(key[5:], uint64(i*n+j))
					batch.Set(key[:], value[:])
				}
				if err := r.Commit(batch, uint64(i+1), meta[:]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
			must(b, s.Close())
		})
	}
}

// TestAllocationsOfACommit: none per row, a handful per batch inside pebble.
func TestAllocationsOfACommit(t *testing.T) {
	o := testOptions(vfs.NewMem())
	o.MemTableBytes = 0
	s := mustOpen(t, o)
	r := s.Replica(1, 1)
	mustOpenReplica(t, r)
	var applied uint64
	key, value, meta := make([]byte, 13), make([]byte, 40), make([]byte, 40)
	perBatch := func(n int) float64 {
		return testing.AllocsPerRun(200, func() {
			b := r.NewBatch()
			for j := range n {
				binary.BigEndian.PutUint64(key[5:], applied<<16|uint64(j))
				b.Set(key, value)
			}
			applied++
			must(t, r.Commit(b, applied, meta))
		})
	}
	small, large := perBatch(1), perBatch(101)
	t.Logf("%.1f allocations for 1 row, %.1f for 101", small, large)
	if large-small > 10 {
		t.Fatalf("%.1f allocations for 1 row, %.1f for 101: rows allocate", small, large)
	}
	must(t, s.Close())
}

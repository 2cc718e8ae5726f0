package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/partition"
)

// planned is a read of two partitions with batches of so many bytes.
func planned(sizes ...uint32) *reading {
	p := &reading{results: make([]broker.ReadPartitionResult, 2), batches: make([][]partition.Batch, 2)}
	for i, n := range sizes {
		var b partition.Batch
		b.Name.Length = n
		p.batches[i%2] = append(p.batches[i%2], b)
		p.size += int64(n)
	}
	return p
}

func TestTrimKeepsTheFirstBatchAndWholeOnes(t *testing.T) {
	for _, x := range []struct {
		limit  int64
		size   int64
		counts [2]int
	}{
		{0, 10, [2]int{1, 0}},
		{29, 10, [2]int{1, 0}},
		{40, 40, [2]int{2, 0}},
		{59, 40, [2]int{2, 0}},
		{60, 60, [2]int{2, 1}},
		{1000, 100, [2]int{2, 2}},
	} {
		p := planned(10, 20, 30, 40)
		p.trim(x.limit)
		if p.size != x.size || len(p.batches[0]) != x.counts[0] || len(p.batches[1]) != x.counts[1] {
			t.Errorf("limit %d: %d bytes, %d and %d batches; want %d, %v", x.limit, p.size, len(p.batches[0]), len(p.batches[1]), x.size, x.counts)
		}
	}
}

// Readers that hold everything make others wait, and then answer with nothing; they hold
// no more than the limit, whatever they ask for.
func TestReadsHoldNoMoreThanTheirRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 16 << 20
		e := &Engine{reads: newGate(limit)}
		for e.reads.free > 0 {
			p := planned(64<<10, 64<<10, 64<<20)
			p.trim(e.reads.share())
			charge := max(p.size, readBufferBytes)
			if charge > limit/gateShare && len(p.batches[0]) > 1 {
				t.Fatalf("one read may take %d of %d", charge, int64(limit))
			}
			if err := e.reads.enter(t.Context(), charge); err != nil {
				t.Fatal(err)
			}
		}
		if n := e.reads.inFlight(); n != limit {
			t.Fatalf("%d bytes are held, want %d", n, int64(limit))
		}
		began := time.Now()
		res, err := e.fetch(t.Context(), planned(10), began.Add(readRoomWait))
		if err != nil || res.Partitions[0].Err != nil || len(res.Partitions[0].Batches) != 0 || time.Since(began) != readRoomWait {
			t.Fatalf("answer without room: %+v, %v, after %v", res, err, time.Since(began))
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.fetch(gone, planned(10), began.Add(time.Hour)); !errors.Is(err, context.Canceled) {
			t.Fatalf("a client that went away got %v", err)
		}
		if e.reads.inFlight() != limit || len(e.reads.queue) != 0 {
			t.Fatalf("%d bytes are held, %d wait", e.reads.inFlight(), len(e.reads.queue))
		}
	})
}

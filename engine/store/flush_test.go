package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestSyncsShareAFlush: while one flush runs all others that come are covered by the next one.
func TestSyncsShareAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var closed atomic.Bool
		s := mustOpen(t, testOptions(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if closed.Load() && op.Kind == errorfs.OpCreate {
				<-gate
			}
			return nil
		}))))
		const n = 40
		commit := func(i int, applied uint64) *Replica {
			r := s.Replica(uint64(i), 1)
			mustOpenReplica(t, r)
			b := r.NewBatch()
			b.Set([]byte("k"), []byte("v"))
			must(t, r.Commit(b, applied, nil))
			return r
		}
		first := commit(0, 1)
		before := s.Stats().Flushes
		closed.Store(true)
		var all sync.WaitGroup
		all.Go(func() { must(t, first.Sync()) })
		synctest.Wait()
		for i := range n {
			r := commit(i+1, 7)
			all.Go(func() {
				must(t, r.Sync())
				if r.DurableApplied() != 7 {
					t.Errorf("%s after Sync", r)
				}
			})
		}
		synctest.Wait()
		close(gate)
		all.Wait()
		if flushes := s.Stats().Flushes - before; flushes != 2 {
			t.Fatalf("%d syncs took %d flushes, want 2", n+1, flushes)
		}
		must(t, first.Sync()) // nothing new: no flush
		if flushes := s.Stats().Flushes - before; flushes != 2 {
			t.Fatalf("a Sync of nothing took a flush")
		}
		must(t, s.Close())
	})
}

// TestCloseLeavesNothing: in a bubble every goroutine must have ended. Views and replicas stay harmless afterwards.
func TestCloseLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewCrashableMem()
		s := mustOpen(t, testOptions(fs))
		w := newWorld(t, s, rand.New(rand.NewPCG(3, 3)), 3)
		w.scale = 30
		for range 100 {
			w.commit()
		}
		_, r := w.replica()
		v, err := r.View()
		must(t, err)
		must(t, r.Scan(nil, nil, func(k, _ []byte) bool {
			_, _, err := r.Get(k) // reads inside a read
			must(t, err)
			return true
		}))
		must(t, s.Close())
		must(t, s.Close())
		must(t, v.Close())
		_, _, getErr := r.Get(nil)
		_, viewErr := r.View()
		_, _, openErr := r.Open()
		_, listErr := s.Replicas()
		for i, err := range []error{getErr, viewErr, openErr, listErr, r.Sync(), r.Drop(), s.Check(), v.Scan(nil, nil, nil)} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("call %d after Close: %v", i, err)
			}
		}
		_ = s.Stats()
		checkRecovered(t, "after close", fs.CrashClone(vfs.CrashCloneCfg{}), w.h, w.h.seq)
	})
}

// TestConcurrentCommitsStayCausal: replicas commit at the same time; each commit notes what the others had committed
// before it began. After a power loss whoever is there has its causes there.
func TestConcurrentCommitsStayCausal(t *testing.T) {
	const replicas, commits = 4, 400
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, testOptions(fs))
	var done [replicas]atomic.Uint64
	var work sync.WaitGroup
	for i := range replicas {
		r := s.Replica(1, uint64(i))
		mustOpenReplica(t, r)
		work.Go(func() {
			for n := range uint64(commits) {
				var meta []byte
				for j := range done {
					meta = binary.BigEndian.AppendUint64(meta, done[j].Load())
				}
				b := r.NewBatch()
				b.Set(fmt.Appendf(nil, "%d", n%50), make([]byte, 700))
				must(t, r.Commit(b, n+1, meta))
				done[i].Store(n + 1)
				if n%100 == 99 {
					must(t, r.Sync())
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	check := func() (total uint64) {
		var floor [replicas]uint64
		for i := range floor {
			floor[i] = s.Replica(1, uint64(i)).DurableApplied()
		}
		c := mustOpen(t, testOptions(fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})))
		var at [replicas]uint64
		var causes [replicas][]byte
		for i := range at {
			at[i], causes[i] = mustOpenReplica(t, c.Replica(1, uint64(i)))
			if at[i] < floor[i] {
				t.Errorf("replica %d is at %d, durable was %d", i, at[i], floor[i])
			}
			total += at[i]
		}
		for i, cause := range causes {
			for j := 0; j*8 < len(cause); j++ {
				if need := binary.BigEndian.Uint64(cause[j*8:]); at[j] < need {
					t.Errorf("replica %d at %d knew replica %d at %d, which is at %d", i, at[i], j, need, at[j])
				}
			}
		}
		must(t, c.Close())
		return total
	}
	for check() < replicas*commits/2 {
	}
	work.Wait()
	check()
	must(t, s.Close())
}

package store

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestPowerLossLeavesAPrefix takes the power at random moments between the calls, while flushes and compactions run,
// with none, some or all of the unsynced bytes surviving. All replicas together must be at one point of the history,
// never before what was durable.
func TestPowerLossLeavesAPrefix(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fs := vfs.NewCrashableMem()
		s := mustOpen(t, testOptions(fs))
		w := newWorld(t, s, rng, 5)
		// Odd seeds: nobody asks for a flush, memtables fill and are flushed in the background.
		commits := 90
		if seed%2 == 1 {
			commits, w.scale = 97, 40
		}
		behind := 0
		for range 350 {
			switch n := rng.IntN(100); {
			case n < commits:
				w.commit()
			case n < 93:
				w.install()
			case n < 95:
				w.drop()
			case n < 97:
				_, r := w.replica()
				must(t, r.Sync())
				if r.DurableApplied() < r.Applied() {
					t.Fatalf("seed %d: after Sync %s", seed, r)
				}
			default:
				floor := w.durable()
				clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
				if checkRecovered(t, "between calls", clone, w.h, floor) < w.h.seq {
					behind++
				}
			}
		}
		must(t, s.Close())
		if got := checkRecovered(t, "after close", fs, w.h, w.h.seq); got != w.h.seq {
			t.Fatalf("closed at %d of %d", got, w.h.seq)
		}
		if behind == 0 {
			t.Fatalf("seed %d: no power loss lost anything: the test shows nothing", seed)
		}
	}
}

// TestPowerLossInsideEveryFileOperation takes the power before the n-th change of the file system, for many n: in the
// middle of flushes, manifest writes, compactions and deletions of tables.
func TestPowerLossInsideEveryFileOperation(t *testing.T) {
	type crash struct {
		op    string
		fs    *vfs.MemFS
		floor uint64
	}
	rng := rand.New(rand.NewPCG(7, 7))
	fs := vfs.NewCrashableMem()
	var (
		mu      sync.Mutex
		floor   uint64
		n       int
		crashes []crash
		cloner  = rand.New(rand.NewPCG(8, 8))
	)
	counting := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, "rows/") {
			mu.Lock()
			defer mu.Unlock()
			if n++; n > 12 && n%3 == 0 {
				crashes = append(crashes, crash{op: op.Path, floor: floor, fs: fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: cloner.IntN(3) * 50, RNG: cloner})})
			}
		}
		return nil
	}))
	s := mustOpen(t, testOptions(counting))
	w := newWorld(t, s, rng, 5)
	work := func(rounds int) {
		for range rounds {
			switch k := rng.IntN(100); {
			case k < 94:
				w.commit()
			case k < 97:
				w.install()
			default:
				_, r := w.replica()
				must(t, r.Sync())
			}
			mu.Lock()
			floor = max(floor, w.durable())
			mu.Unlock()
		}
	}
	work(400)
	mu.Lock()
	w.scale = 40
	mu.Unlock()
	work(200)
	must(t, s.Close())
	if len(crashes) < 100 {
		t.Fatalf("only %d power losses of %d operations", len(crashes), n)
	}
	inside := map[string]int{}
	for _, c := range crashes {
		checkRecovered(t, c.op, c.fs, w.h, c.floor)
		inside[c.op[strings.LastIndexByte(c.op, '/')+1:][:3]]++
	}
	t.Logf("%d power losses, before operations on %v", len(crashes), inside)
}

package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// bigRows is enough for several batches of an install.
func bigRows(mark string, n int) rows {
	m := rows{}
	for i := range n {
		m[fmt.Sprintf("key%05d", i)] = strings.Repeat(mark, 1000)
	}
	return m
}

// installWorld has a replica with old rows, durable, and a neighbour, and a stream of new rows.
func installWorld(t *testing.T, fs vfs.FS, rng *rand.Rand) (*world, *Replica, []byte) {
	s := mustOpen(t, testOptions(fs))
	w := newWorld(t, s, rng, 2)
	for range 30 {
		w.commit()
	}
	id := w.ids[0]
	r := s.Replica(id.Shard, id.Replica)
	mustOpenReplica(t, r)
	w.open[id] = true
	must(t, r.Sync())
	w.h.seq++
	next := bigRows("n", 2500)
	w.h.add(id, next)
	return w, r, encodeRows(t, w.h.seq, seqMeta(w.h.seq), next)
}

// TestPowerLossAtEveryStepOfAnInstall: the old rows or the new, never a mix, and the new once InstallRows said so.
func TestPowerLossAtEveryStepOfAnInstall(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		rng := rand.New(rand.NewPCG(uint64(percent), 3))
		fs := vfs.NewCrashableMem()
		w, r, stream := installWorld(t, fs, rng)
		before := w.h.seq - 1
		steps := map[string]int{}
		flipped := false
		w.s.onStep = func(step string) {
			steps[step]++
			floor := w.durable()
			at := checkRecovered(t, step, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}), w.h, floor)
			flipped = flipped || step == "flipped"
			switch {
			case !flipped && at != before:
				t.Fatalf("%s: new rows before the flip", step)
			case (step == "flip durable" || step == "old dropped") && at != w.h.seq:
				t.Fatalf("%s: old rows after the flip was durable", step)
			}
		}
		_, _, err := r.InstallRows(bytes.NewReader(stream), nil)
		must(t, err)
		if got := readAll(t, r); !maps.Equal(got, w.h.at(r.id, w.h.seq).rows) {
			t.Fatal("installed rows differ")
		}
		if len(steps) != 6 || steps["batch"] < 3 {
			t.Fatalf("steps taken: %v", steps)
		}
		must(t, w.s.Close())
	}
}

// TestPowerLossInsideAnInstall takes the power before every change of the file system during an install.
func TestPowerLossInsideAnInstall(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	fs := vfs.NewCrashableMem()
	var mu sync.Mutex
	var clones []*vfs.MemFS
	armed := false
	hooked := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if armed && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng}))
		}
		return nil
	}))
	w, r, stream := installWorld(t, hooked, rand.New(rand.NewPCG(5, 5)))
	mu.Lock()
	armed = true
	mu.Unlock()
	_, _, err := r.InstallRows(bytes.NewReader(stream), nil)
	must(t, err)
	mu.Lock()
	armed = false
	// And once when it has returned: how much is written after the flip is durable depends on pebble's background work.
	clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng}))
	mu.Unlock()
	ends := map[uint64]int{}
	for i, c := range clones {
		ends[checkRecovered(t, fmt.Sprintf("operation %d", i), c, w.h, w.h.seq-1)]++
	}
	if len(clones) < 30 || len(ends) != 2 {
		t.Fatalf("%d power losses, recovered to events %v: want both old and new", len(clones), ends)
	}
	must(t, w.s.Close())
}

// TestRefusedStreamChangesNothing: truncated at any point, or flipped anywhere, or ended by the wire or the caller.
func TestRefusedStreamChangesNothing(t *testing.T) {
	fs := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(6, 6))
	w, r, stream := installWorld(t, fs, rng)
	w.h.seq--
	old := readAll(t, r)
	unchanged := func(what string, err error, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", what, err, want)
		}
		if got := readAll(t, r); !maps.Equal(got, old) {
			t.Fatalf("%s: rows changed", what)
		}
	}
	for range 25 {
		cut := rng.IntN(len(stream))
		_, _, err := r.InstallRows(bytes.NewReader(stream[:cut]), nil)
		unchanged(fmt.Sprintf("cut at %d", cut), err, ErrStream)
		at := rng.IntN(len(stream))
		flipped := bytes.Clone(stream)
		flipped[at] ^= 1 << rng.IntN(8)
		_, _, err = r.InstallRows(bytes.NewReader(flipped), nil)
		unchanged(fmt.Sprintf("flipped at %d", at), err, ErrStream)
	}
	broken := errors.New("wire broke")
	_, _, err := r.InstallRows(io.MultiReader(bytes.NewReader(stream[:len(stream)/2]), failingReader{broken}), nil)
	unchanged("broken wire", err, broken)
	stop := make(chan struct{})
	w.s.onStep = func(step string) {
		if step == "batch" && stop != nil {
			close(stop)
			w.s.onStep = nil
		}
	}
	_, _, err = r.InstallRows(bytes.NewReader(stream), stop)
	unchanged("stopped", err, ErrStopped)
	checkRecovered(t, "after refusals", fs.CrashClone(vfs.CrashCloneCfg{}), w.h, w.durable())
	must(t, w.s.Close())
	checkRecovered(t, "after close", fs, w.h, w.h.seq)
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

// TestStreamFromStoreToStore: what a view writes is what another store reads; later commits are not in it.
func TestStreamFromStoreToStore(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	w := newWorld(t, s, rand.New(rand.NewPCG(9, 9)), 1)
	for range 200 {
		w.commit()
	}
	_, r := w.replica()
	v, err := r.View()
	must(t, err)
	want := w.h.at(w.ids[0], w.h.seq).rows
	at := w.h.seq
	for range 50 {
		w.commit()
	}
	must(t, r.Sync()) // the view goes over to tables only
	var b bytes.Buffer
	must(t, r.WriteRows(v, &b, nil))
	stop := make(chan struct{})
	close(stop)
	if err := r.WriteRows(v, io.Discard, stop); !errors.Is(err, ErrStopped) && int64(b.Len()) > 2*frameBytesTarget {
		t.Fatalf("stopped stream: %v", err)
	}
	if v.Applied() != at || !bytes.Equal(v.Meta(), seqMeta(at)) {
		t.Fatalf("view at %d, want %d", v.Applied(), at)
	}
	must(t, v.Close())
	must(t, v.Close())
	if _, _, err := v.Get(nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("closed view: %v", err)
	}
	other := mustOpen(t, testOptions(vfs.NewMem()))
	o := other.Replica(7, 8)
	mustOpenReplica(t, o)
	applied, meta, err := o.InstallRows(&b, nil)
	must(t, err)
	if got := readAll(t, o); applied != at || !bytes.Equal(meta, seqMeta(at)) || !maps.Equal(got, want) {
		t.Fatalf("installed %d rows at %d, want %d at %d", len(got), applied, len(want), at)
	}
	must(t, s.Close())
	must(t, other.Close())
}

// TestReadersDuringInstalls: a reader sees the rows of one install, whole, whatever happens to them meanwhile.
func TestReadersDuringInstalls(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	r := s.Replica(1, 1)
	mustOpenReplica(t, r)
	const n = 50
	install := func(i int) {
		m := rows{}
		for k := range n {
			m[fmt.Sprint(1000+k)] = fmt.Sprint(i)
		}
		_, _, err := r.InstallRows(bytes.NewReader(encodeRows(t, uint64(i), nil, m)), nil)
		must(t, err)
	}
	install(0)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for which := range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				values := map[string]int{}
				count := func(_, v []byte) bool { values[string(v)]++; return true }
				var err error
				switch which {
				case 0:
					err = r.Scan(nil, nil, count)
				case 1:
					var v *View
					if v, err = r.View(); err == nil {
						err = v.ScanReverse(nil, nil, count)
						_ = v.Close()
					}
				case 2:
					var ok bool
					if _, ok, err = r.Get([]byte("1007")); ok {
						values["get"] = n
					}
				}
				if err != nil || len(values) != 1 {
					t.Errorf("reader %d saw %v %v", which, values, err)
					return
				}
				for v, c := range values {
					if c != n {
						t.Errorf("reader %d saw %d rows of %s", which, c, v)
					}
				}
			}
		})
	}
	for i := range 60 {
		install(i + 1)
	}
	close(done)
	readers.Wait()
	must(t, s.Close())
}

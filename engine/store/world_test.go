package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// rows is the model of one replica's rows.
type rows map[string]string

func (m rows) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s=%.20q ", k, m[k])
	}
	return b.String()
}

// version is a replica's state from event seq on; nil rows: it does not exist.
type version struct {
	seq  uint64
	rows rows
}

// history is every state of every replica, numbered over all replicas in the order of the commits. The number is also
// the meta of the commit, so a recovered replica says which event it is at.
type history struct {
	seq      uint64
	versions map[ID][]version
}

func (h *history) add(id ID, m rows) { h.versions[id] = append(h.versions[id], version{h.seq, m}) }

// at is the state of a replica after event seq.
func (h *history) at(id ID, seq uint64) version {
	list := h.versions[id]
	i := sort.Search(len(list), func(i int) bool { return list[i].seq > seq })
	if i == 0 {
		return version{}
	}
	return list[i-1]
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func testOptions(fs vfs.FS) Options {
	return Options{FS: fs, Dir: "rows", MemTableBytes: memTableBytesMin, CacheBytes: 1 << 20, Logger: quiet()}
}

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatalf("open: %+v", err)
	}
	return s
}

func mustOpenReplica(t testing.TB, r *Replica) (uint64, []byte) {
	t.Helper()
	applied, meta, err := r.Open()
	if err != nil {
		t.Fatalf("open replica %s: %v", r.ID(), err)
	}
	return applied, meta
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

type reader interface {
	Scan(lo, hi []byte, yield func(k, v []byte) bool) error
}

func readAll(t testing.TB, r reader) rows {
	t.Helper()
	m := rows{}
	must(t, r.Scan(nil, nil, func(k, v []byte) bool { m[string(k)] = string(v); return true }))
	return m
}

func encodeRows(t testing.TB, applied uint64, meta []byte, m rows) []byte {
	t.Helper()
	var b bytes.Buffer
	e := newRowsEncoder(&b)
	must(t, e.head(applied, meta))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		_, err := e.row([]byte(k), []byte(m[k]))
		must(t, err)
	}
	must(t, e.end())
	return b.Bytes()
}

func seqMeta(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// checkRecovered opens a store on a clone and compares: all replicas together are at one event, not before the event
// floor, and their rows are those of that event. It returns the event.
func checkRecovered(t testing.TB, what string, fs vfs.FS, h *history, floor uint64) uint64 {
	t.Helper()
	s := mustOpen(t, testOptions(fs))
	defer func() { must(t, s.Close()) }()
	found := map[ID]uint64{}
	got := map[ID]rows{}
	ids, err := s.Replicas()
	must(t, err)
	low := floor
	for _, id := range ids {
		r := s.Replica(id.Shard, id.Replica)
		applied, meta := mustOpenReplica(t, r)
		if len(meta) != 8 {
			t.Fatalf("%s: replica %s has meta %x", what, id, meta)
		}
		found[id] = binary.BigEndian.Uint64(meta)
		if applied != found[id] {
			t.Fatalf("%s: replica %s: applied %d, meta of event %d", what, id, applied, found[id])
		}
		low = max(low, found[id])
		got[id] = readAll(t, r)
	}
	for seq := low; seq <= h.seq; seq++ {
		if h.matches(seq, found) {
			for id := range h.versions {
				if want := h.at(id, seq).rows; !maps.Equal(want, got[id]) {
					t.Fatalf("%s: replica %s at event %d has\n%s\nwant\n%s", what, id, seq, got[id], want)
				}
			}
			live, err := s.controls()
			must(t, err)
			gens, err := s.generations()
			must(t, err)
			for _, g := range gens {
				if !slices.ContainsFunc(live, func(l liveRows) bool { return l.generation == g }) {
					t.Fatalf("%s: dead generation %d is still there", what, g)
				}
			}
			return seq
		}
	}
	t.Fatalf("%s: replicas are at events %v, which no prefix of the %d events explains (durable: %d)", what, found, h.seq, floor)
	return 0
}

// matches says whether every replica is at its last event up to seq.
func (h *history) matches(seq uint64, found map[ID]uint64) bool {
	for id := range h.versions {
		v := h.at(id, seq)
		at, exists := found[id]
		if exists != (v.rows != nil) || exists && at != v.seq {
			return false
		}
	}
	return true
}

// world drives one store with random work.
type world struct {
	t    testing.TB
	rng  *rand.Rand
	s    *Store
	h    *history
	ids  []ID
	open map[ID]bool
	// scale multiplies the size of values: large ones fill memtables, so that pebble flushes by itself.
	scale int
}

func newWorld(t testing.TB, s *Store, rng *rand.Rand, replicas int) *world {
	w := &world{t: t, rng: rng, s: s, h: &history{versions: map[ID][]version{}}, open: map[ID]bool{}, scale: 1}
	for i := range replicas {
		w.ids = append(w.ids, ID{Shard: uint64(1 + i%3), Replica: uint64(10 + i)})
	}
	return w
}

func (w *world) replica() (ID, *Replica) {
	id := w.ids[w.rng.IntN(len(w.ids))]
	r := w.s.Replica(id.Shard, id.Replica)
	if !w.open[id] {
		mustOpenReplica(w.t, r)
		w.open[id] = true
	}
	return id, r
}

func (w *world) key() string { return fmt.Sprintf("k%03d", w.rng.IntN(60)) }

func (w *world) value() string {
	n := w.rng.IntN(200 * w.scale)
	switch w.rng.IntN(60) {
	case 0:
		n = 3000
	case 1:
		n = memTableBytesMin // a batch above half a memtable takes another path in pebble
	}
	return strings.Repeat(string(rune('a'+w.rng.IntN(26))), n)
}

func (w *world) commit() {
	id, r := w.replica()
	next := maps.Clone(w.h.at(id, w.h.seq).rows)
	if next == nil {
		next = rows{}
	}
	b := r.NewBatch()
	for range w.rng.IntN(8) {
		switch k := w.key(); w.rng.IntN(10) {
		case 0, 1:
			b.Delete([]byte(k))
			delete(next, k)
		case 2:
			hi := w.key()
			b.DeleteRange([]byte(k), []byte(hi))
			maps.DeleteFunc(next, func(x, _ string) bool { return x >= k && x < hi })
		default:
			v := w.value()
			b.Set([]byte(k), []byte(v))
			next[k] = v
		}
	}
	w.h.seq++
	must(w.t, r.Commit(b, w.h.seq, seqMeta(w.h.seq)))
	w.h.add(id, next)
}

func (w *world) install() {
	id, r := w.replica()
	next := rows{}
	for range w.rng.IntN(80) {
		next[w.key()] = w.value()
	}
	w.h.seq++
	w.h.add(id, next)
	applied, meta, err := r.InstallRows(bytes.NewReader(encodeRows(w.t, w.h.seq, seqMeta(w.h.seq), next)), nil)
	must(w.t, err)
	if applied != w.h.seq || !bytes.Equal(meta, seqMeta(w.h.seq)) {
		w.t.Fatalf("installed %d %x, want %d", applied, meta, w.h.seq)
	}
}

func (w *world) drop() {
	id, r := w.replica()
	w.h.seq++
	w.h.add(id, nil)
	w.open[id] = false
	must(w.t, r.Drop())
}

// durable is the highest event that a replica says is durable.
func (w *world) durable() uint64 {
	var seq uint64
	for _, id := range w.ids {
		seq = max(seq, w.s.Replica(id.Shard, id.Replica).DurableApplied())
	}
	return seq
}

// timeAfter is time.After; in a bubble it waits no real time.
func timeAfter(d time.Duration) <-chan time.Time { return time.After(d) }

package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/tallymq/tallymq/engine/keyspace"
)

var (
	_ keyspace.Writer = (*Batch)(nil)
	_ keyspace.Reader = (*Replica)(nil)
	_ keyspace.Reader = (*View)(nil)
)

// modelView is a view and what it must show for ever.
type modelView struct {
	view *View
	rows rows
	at   uint64
}

// TestModel: any order of commits, reads, views, flushes and restarts on two replicas behaves like two sorted maps.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := vfs.NewMem()
		open := func() *Store {
			s, err := Open(testOptions(fs))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open()
		model := []rows{{}, {}}
		applied := []uint64{0, 0}
		var views []modelView
		replica := func(i int) *Replica { return s.Replica(1, uint64(i)) }
		openAll := func() {
			for i := range model {
				got, meta, err := replica(i).Open()
				if err != nil || got != applied[i] || got > 0 && string(meta) != fmt.Sprint(got) {
					t.Fatalf("open %d: %d %q %v, want %d", i, got, meta, err, applied[i])
				}
			}
		}
		openAll()
		closeViews := func() {
			for _, v := range views {
				_ = v.view.Close()
			}
			views = nil
		}
		defer func() { closeViews(); _ = s.Close() }()
		which := rapid.IntRange(0, 1)
		key := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 'a', 0xff}), 0, 3)
		bound := rapid.Custom(func(t *rapid.T) []byte {
			if rapid.Bool().Draw(t, "open end") {
				return nil
			}
			return key.Draw(t, "bound")
		})
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				i := which.Draw(t, "replica")
				b := replica(i).NewBatch()
				next := maps.Clone(model[i])
				for range rapid.IntRange(0, 6).Draw(t, "writes") {
					switch k := key.Draw(t, "key"); rapid.IntRange(0, 4).Draw(t, "kind") {
					case 0:
						b.Delete(k)
						delete(next, string(k))
					case 1:
						lo, hi := bound.Draw(t, "lo"), bound.Draw(t, "hi")
						b.DeleteRange(lo, hi)
						maps.DeleteFunc(next, func(x, _ string) bool { return x >= string(lo) && (hi == nil || x < string(hi)) })
					default:
						v := rapid.StringN(0, 4, 8).Draw(t, "value")
						b.Set(k, []byte(v))
						next[string(k)] = v
					}
				}
				if rapid.IntRange(0, 9).Draw(t, "discard") == 0 {
					b.Discard()
					return
				}
				applied[i]++
				if err := replica(i).Commit(b, applied[i], fmt.Append(nil, applied[i])); err != nil {
					t.Fatal(err)
				}
				model[i] = next
			},
			"read": func(t *rapid.T) {
				i := which.Draw(t, "replica")
				compare(t, replica(i), model[i], key.Draw(t, "key"), bound.Draw(t, "lo"), bound.Draw(t, "hi"))
			},
			"view": func(t *rapid.T) {
				i := which.Draw(t, "replica")
				v, err := replica(i).View()
				if err != nil {
					t.Fatal(err)
				}
				views = append(views, modelView{v, model[i], applied[i]})
			},
			"read view": func(t *rapid.T) {
				if len(views) == 0 {
					return
				}
				v := rapid.SampledFrom(views).Draw(t, "view")
				if v.view.Applied() != v.at {
					t.Fatalf("view at %d, want %d", v.view.Applied(), v.at)
				}
				compare(t, v.view, v.rows, key.Draw(t, "key"), bound.Draw(t, "lo"), bound.Draw(t, "hi"))
			},
			"sync": func(t *rapid.T) {
				r := replica(which.Draw(t, "replica"))
				if err := r.Sync(); err != nil || r.DurableApplied() != r.Applied() {
					t.Fatalf("sync: %v, %s", err, r)
				}
			},
			"restart": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "leave views") {
					views = nil // Close ends them
				}
				closeViews()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open()
				openAll()
			},
		})
	})
}

type bothWays interface {
	keyspace.Reader
	ScanReverse(lo, hi []byte, yield func(k, v []byte) bool) error
}

func compare(t *rapid.T, r bothWays, m rows, key, lo, hi []byte) {
	v, ok, err := r.Get(key)
	if want, there := m[string(key)]; err != nil || ok != there || string(v) != want {
		t.Fatalf("get %x: %q %v %v, want %q %v", key, v, ok, err, want, there)
	}
	var want []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k >= string(lo) && (hi == nil || k < string(hi)) {
			want = append(want, k+"="+m[k])
		}
	}
	var up, down []string
	collect := func(to *[]string) func(k, v []byte) bool {
		return func(k, v []byte) bool { *to = append(*to, string(k)+"="+string(v)); return true }
	}
	if err := r.Scan(lo, hi, collect(&up)); err != nil || !slices.Equal(up, want) {
		t.Fatalf("scan [%x, %x): %q %v, want %q", lo, hi, up, err, want)
	}
	err = r.ScanReverse(lo, hi, collect(&down))
	slices.Reverse(down)
	if err != nil || !slices.Equal(down, want) {
		t.Fatalf("scan back [%x, %x): %q %v, want %q", lo, hi, down, err, want)
	}
	n := 0
	if err := r.Scan(lo, hi, func(k, v []byte) bool { n++; return false }); err != nil || n > 1 {
		t.Fatalf("scan stopped after one yielded %d, %v", n, err)
	}
}

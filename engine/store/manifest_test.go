package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestFlippedManifest: never a mix, and an older state only where the last record is hit, which looks like a cut.
func TestFlippedManifest(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	w := newWorld(t, s, rand.New(rand.NewPCG(1, 1)), 2)
	for range 6 {
		for range 10 {
			w.commit()
		}
		_, r := w.replica()
		must(t, r.Sync())
	}
	must(t, s.Close())
	names, err := fs.List("rows")
	must(t, err)
	out := map[string]int{}
	for _, name := range names {
		path := fs.PathJoin("rows", name)
		if !strings.HasPrefix(name, "MANIFEST") {
			continue
		}
		whole := readFile(t, fs, path)
		for at := 0; at < len(whole); at += 3 {
			broken := vfs.NewMem()
			for _, n := range names {
				copyFile(t, fs, broken, fs.PathJoin("rows", n), func(p []byte) {
					if n == name {
						p[at] ^= 0x40
					}
				})
			}
			o := testOptions(broken)
			o.OnFatal = func(err error) { t.Errorf("fatal %v", err) }
			s, err := Open(o)
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("flip at %d: %v", at, err)
				}
				out["refused"]++
				continue
			}
			must(t, s.Close())
			seq := checkRecovered(t, fmt.Sprintf("%s at %d", name, at), broken, w.h, 0)
			if seq == w.h.seq {
				out["same"]++
				continue
			}
			out["older"]++
			if last, end := walkManifest(whole); at < last || end != len(whole) {
				t.Errorf("flip at %d of %d made the rows older; the last record begins at %d, valid to %d", at, len(whole), last, end)
			}
		}
	}
	t.Logf("%v", out)
	if out["refused"] == 0 {
		t.Fatal("nothing was refused")
	}
}

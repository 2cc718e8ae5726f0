package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// writeGolden makes a missing golden database. Only a new layout does so, under a new name; what was written once is
// read for ever.
var writeGolden = flag.Bool("write-golden", false, "write testdata/golden/layout1.tar.gz if it is missing")

const goldenDatabase = "testdata/golden/layout1.tar.gz"

// goldenRows is what the golden database holds of two replicas: one whose rows were written, overwritten and deleted one
// by one and by range, and one whose rows were installed over others.
func goldenRows() map[ID]rows {
	written := rows{"": "the empty key", "a": "1", "c": "", "\xff\xff": "last"}
	for i := range 300 {
		written[fmt.Sprintf("many/%03d", i)] = strings.Repeat("v", i)
	}
	return map[ID]rows{{1, 1}: written, {7, 9}: {"x": "installed", "y": strings.Repeat("z", 5000)}}
}

// goldenApplied and goldenMeta stand in the control rows.
var (
	goldenApplied = map[ID]uint64{{1, 1}: 1<<40 + 5, {7, 9}: 77}
	goldenMeta    = map[ID]string{{1, 1}: "meta of 1/1", {7, 9}: ""}
)

// goldenControls are the rows of the store itself, byte by byte.
const goldenControls = `00 = 01
0100000000000000010000000000000001 = 01000000010000010000000005` + "6d657461206f6620312f31" + `
0100000000000000070000000000000009 = 0100000003000000000000004d
`

// TestGoldenDatabase: a database that an earlier version wrote is read, its own rows are where they were, and it is
// written on.
func TestGoldenDatabase(t *testing.T) {
	if _, err := os.Stat(goldenDatabase); errors.Is(err, os.ErrNotExist) && *writeGolden {
		makeGolden(t)
	}
	fs := vfs.NewMem()
	unpackGolden(t, fs)
	for range 2 { // as it was written, and as this version left it
		s := mustOpen(t, testOptions(fs))
		if got := controlRows(t, s); got != goldenControls {
			t.Errorf("control rows\n%swant\n%s", got, goldenControls)
		}
		ids, err := s.Replicas()
		must(t, err)
		if len(ids) != len(goldenRows()) {
			t.Errorf("replicas %v", ids)
		}
		for id, want := range goldenRows() { //lint:sorted each is judged by itself
			r := s.Replica(id.Shard, id.Replica)
			applied, meta := mustOpenReplica(t, r)
			if applied != goldenApplied[id] || string(meta) != goldenMeta[id] {
				t.Errorf("%s: applied %d, meta %q", id, applied, meta)
			}
			if got := readAll(t, r); got.String() != want.String() {
				t.Errorf("%s:\n%s\nwant\n%s", id, got, want)
			}
		}
		must(t, s.Close())
	}
	s := mustOpen(t, testOptions(fs))
	r := s.Replica(1, 1)
	mustOpenReplica(t, r)
	b := r.NewBatch()
	b.Set([]byte("new"), nil)
	must(t, r.Commit(b, 1<<41, nil))
	must(t, r.Sync())
	must(t, s.Close())
}

// controlRows prints every row of the store that is no replica's.
func controlRows(t *testing.T, s *Store) string {
	it, err := s.db.NewIter(&pebble.IterOptions{UpperBound: []byte{kindRow}})
	must(t, err)
	var b strings.Builder
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Fprintf(&b, "%x = %x\n", it.Key(), it.Value())
	}
	must(t, errors.Join(it.Error(), it.Close()))
	return b.String()
}

func makeGolden(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	first, second := s.Replica(1, 1), s.Replica(7, 9)
	mustOpenReplica(t, first)
	mustOpenReplica(t, second)
	want := goldenRows()
	b := first.NewBatch()
	for k, v := range want[first.ID()] { //lint:sorted one batch
		b.Set([]byte(k), []byte("older "+v[:min(len(v), 9)]))
	}
	b.Set([]byte("b"), []byte("deleted"))
	for i := range 50 {
		b.Set(fmt.Appendf(nil, "gone/%d", i), []byte("deleted as a range"))
	}
	must(t, first.Commit(b, 3, []byte("old meta")))
	must(t, first.Sync())
	b = first.NewBatch()
	for k, v := range want[first.ID()] { //lint:sorted one batch
		b.Set([]byte(k), []byte(v))
	}
	b.Delete([]byte("b"))
	b.DeleteRange([]byte("gone/"), []byte("gone0"))
	must(t, first.Commit(b, goldenApplied[first.ID()], []byte(goldenMeta[first.ID()])))
	b = second.NewBatch()
	b.Set([]byte("of the generation before"), []byte("dropped"))
	must(t, second.Commit(b, 1, nil))
	stream := encodeRows(t, goldenApplied[second.ID()], []byte(goldenMeta[second.ID()]), want[second.ID()])
	_, _, err := second.InstallRows(bytes.NewReader(stream), nil)
	must(t, err)
	must(t, first.Sync())
	must(t, s.Close())

	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	must(t, err)
	w := tar.NewWriter(z)
	names, err := fs.List("rows")
	must(t, err)
	for _, name := range names {
		b := readFile(t, fs, fs.PathJoin("rows", name))
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(b))}))
		_, err = w.Write(b)
		must(t, err)
	}
	must(t, errors.Join(w.Close(), z.Close()))
	must(t, os.MkdirAll(filepath.Dir(goldenDatabase), 0o755))
	must(t, os.WriteFile(goldenDatabase, out.Bytes(), 0o644))
}

func unpackGolden(t *testing.T, fs vfs.FS) {
	in, err := os.Open(goldenDatabase)
	must(t, err)
	defer in.Close()
	z, err := gzip.NewReader(in)
	must(t, err)
	must(t, fs.MkdirAll("rows", 0o755))
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		f, err := fs.Create(fs.PathJoin("rows", h.Name), "golden")
		must(t, err)
		_, err = io.Copy(f, r)
		must(t, errors.Join(err, f.Close()))
	}
}

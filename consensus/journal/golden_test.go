package journal

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	goflag "flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// writeGolden makes the files of TestGolden anew. Only a new format version does so, under a new name, and keeps the
// old file: what was written once is read for ever.
//
//	go test ./consensus/journal -run TestGolden -write-golden version1_tail
var writeGolden = goflag.String("write-golden", "", "write the files of testdata/golden whose name has this in it")

const goldenDir = "testdata/golden"

// goldens are the journals that format version 1 is known by.
var goldens = []struct {
	file         string
	segmentBytes int64 // with which it is written
	story        func(*teller)
	segments     int // log segments it leaves, at most; 0: any number
}{
	{"version1.tar.gz", segmentBytesMin, sealedStory, 0},
	{"version1_tail.tar.gz", 1 << 20, tailStory, 2},
}

func newTeller(t *testing.T) *teller {
	return &teller{t: t, m: newModel(), k: &machine{}, forgotten: map[replicaID]Name{}}
}

// TestGolden opens journals that an earlier version wrote, and finds all of it.
func TestGolden(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.file, func(t *testing.T) {
			if *writeGolden != "" && strings.Contains(g.file, *writeGolden) {
				makeGolden(t, g.file, g.segmentBytes, g.story)
			}
			x := newTeller(t)
			g.story(x)
			fs := vfs.NewMem()
			must(t, fs.MkdirAll("/j", 0o755))
			unpackGolden(t, g.file, fs)
			for range 2 { // as it was written, and as this version left it
				j := mustOpen(t, testOptions(fs))
				x.judge(j)
				must(t, j.Close())
			}
		})
	}
}

// judge finds all that was told.
func (x *teller) judge(j *Journal) {
	t := x.t
	t.Helper()
	if ds := j.Damages(); len(ds) > 0 {
		t.Fatalf("damages: %v", ds)
	}
	if err := x.m.judgeAll(j, false); err != nil {
		t.Fatalf("%v\n%s", err, j.Describe())
	}
	for _, n := range x.k.live {
		// A name's checksum is of the bytes that were written, so no other bytes can come back.
		if b, err := j.ReadPayload(1, 1, n, nil); err != nil || uint32(len(b)) != n.Length || checksum(b) != n.CRC {
			t.Fatalf("payload %v: %q, %v\n%s", n, b, err, j.Describe())
		}
	}
	for id, n := range x.forgotten {
		if b, err := j.ReadPayload(id.shard, id.replica, n, nil); !errors.Is(err, ErrNotFound) {
			t.Fatalf("payload %v of a forgotten replica: %q, %v", n, b, err)
		}
	}
}

// TestGoldenHasEveryKind: a record whose number on the disk no golden file pins could be renumbered unseen.
func TestGoldenHasEveryKind(t *testing.T) {
	seen := map[kind]int{}
	for _, g := range goldens {
		fs := vfs.NewMem()
		must(t, fs.MkdirAll("/j", 0o755))
		unpackGolden(t, g.file, fs)
		segments := 0
		for _, n := range segmentsIn(t, fs) {
			if countKinds(t, fs, n, seen) {
				segments++
			}
		}
		if g.segments > 0 && segments > g.segments {
			t.Errorf("%s has %d log segments, at most %d were meant", g.file, segments, g.segments)
		}
	}
	for k := kindState; k <= kindLast; k++ {
		if seen[k] == 0 {
			t.Errorf("no golden file holds a %s", k)
		}
	}
	t.Logf("records: %v", seen)
}

func segmentsIn(t *testing.T, fs vfs.FS) (numbers []uint64) {
	names, err := fs.List("/j")
	must(t, err)
	for _, name := range names {
		if n, ok := parseSegmentName(name); ok {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// countKinds adds up the records of a segment; log says that it is one of the log.
func countKinds(t *testing.T, fs vfs.FS, number uint64, seen map[kind]int) (log bool) {
	f, err := fs.Open("/j/" + segmentName(number))
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(t, err)
	for at := int64(0); at < int64(len(b)); {
		h, err := decodeHeader(b[at:], number, at)
		if err != nil {
			break
		}
		records, _, err := decodeDirectory(&h, b[at:])
		must(t, err)
		for i := range records {
			seen[records[i].kind]++
		}
		log = log || h.kind == batchHead
		at += h.padded()
	}
	return log
}

func makeGolden(t *testing.T, file string, segmentBytes int64, story func(*teller)) {
	fs, x := vfs.NewMem(), newTeller(t)
	x.o = testOptions(fs)
	x.o.SegmentBytes = segmentBytes
	x.o.Live = &world{machines: map[replicaID]*machine{one: x.k}}
	x.j = mustOpen(t, x.o)
	story(x)
	must(t, x.j.Close())
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	must(t, err)
	w := tar.NewWriter(z)
	names, err := fs.List("/j")
	must(t, err)
	for _, name := range names {
		f, err := fs.Open("/j/" + name)
		must(t, err)
		b, err := io.ReadAll(f)
		must(t, err)
		must(t, f.Close())
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(b))}))
		_, err = w.Write(b)
		must(t, err)
	}
	must(t, w.Close())
	must(t, z.Close())
	must(t, os.MkdirAll(goldenDir, 0o755))
	must(t, os.WriteFile(filepath.Join(goldenDir, file), out.Bytes(), 0o644))
}

func unpackGolden(t *testing.T, file string, fs vfs.FS) {
	in, err := os.Open(filepath.Join(goldenDir, file))
	must(t, err)
	defer in.Close()
	z, err := gzip.NewReader(in)
	must(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		must(t, err)
		f, err := fs.Create("/j/"+h.Name, "golden")
		must(t, err)
		_, err = io.Copy(f, r)
		must(t, err)
		must(t, f.Close())
	}
}

// Segments of a version that this program does not know are refused, and left as they are: an older program on a newer
// data-dir must not begin an empty log beside its votes.
func TestUnknownVersionIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("/j", 0o755))
	unpackGolden(t, goldens[0].file, fs)
	names, err := fs.List("/j")
	must(t, err)
	for _, name := range names {
		n, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		f, err := fs.OpenReadWrite("/j/"+name, "test")
		must(t, err)
		b := make([]byte, headerBytes)
		_, err = f.ReadAt(b, 0)
		must(t, err)
		if _, err := decodeHeader(b, n, 0); err == nil {
			b[4] = version + 1
			le.PutUint32(b[headerCRCPos:], checksum(b[:headerCRCPos]))
			_, err = f.WriteAt(b, 0)
			must(t, err)
		}
		must(t, f.Close())
	}
	if j, err := Open(testOptions(fs)); !errors.Is(err, ErrVersion) {
		t.Fatalf("opened: %v, %v", j, err)
	}
	after, err := fs.List("/j")
	must(t, err)
	if len(after) != len(names) {
		t.Errorf("files %v, before %v", after, names)
	}
}

package journal

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	goflag "flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// writeGolden makes the files of TestGolden anew. Only a new format version does so, under a new name, and keeps the
// old file: what was written once is read for ever.
//
//	go test ./consensus/journal -run TestGolden -write-golden
var writeGolden = goflag.Bool("write-golden", false, "write testdata/golden anew")

const goldenFile = "testdata/golden/version1.tar.gz"

// goldenStory is what the golden journal was told: records of every kind, sealed segments, payloads that were moved.
// It runs on the journal when the file is made, and always on the model and the machine. j is nil when the file is read.
func goldenStory(t *testing.T, j *Journal, m *model, k *machine) {
	save := func(u pb.Update) {
		m.save(u)
		if j != nil {
			must(t, j.SaveRaftState([]pb.Update{u}, 1))
		}
	}
	do := func(op func() error) {
		if j != nil {
			must(t, op())
		}
	}
	boot := pb.Bootstrap{Addresses: map[uint64]string{1: "a1"}, Type: pb.OnDiskStateMachine}
	do(func() error { return j.SaveBootstrapInfo(1, 1, boot) })
	m.of(one).boot = &boot
	for i := uint64(1); i <= 60; i++ {
		e := testEntry(1, i, 1, 3000)
		save(testUpdate(one, st(1, 1, i-1), e))
		if i%10 == 0 {
			k.live = append(k.live, nameOf(e, 5, 200))
		}
	}
	save(testUpdate(one, st(2, 1, 59), testEntries(1, 60, 62, 2, 100)...)) // overwrites the last
	k.live = k.live[:5]
	save(testUpdate(one, st(2, 1, 62)))
	k.applied = 55
	u := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 55, 1)}
	m.snapshot(u)
	do(func() error { return j.SaveSnapshots([]pb.Update{u}) })
	m.trim(one, 55)
	do(func() error { return j.RemoveEntriesTo(1, 1, 55) })

	two, three, four := replicaID{2, 1}, replicaID{3, 1}, replicaID{4, 2}
	save(testUpdate(two, st(1, 2, 0), testEntries(2, 1, 4, 1, 50)...))
	received := testUpdate(two, st(3, 1, 9), testEntries(2, 10, 12, 3, 50)...)
	received.Snapshot = testSnapshot(2, 9, 3)
	save(received)
	save(testUpdate(three, st(1, 1, 0), testEntries(3, 1, 2, 1, 50)...))
	do(func() error { return j.RemoveNodeData(3, 1) })
	m.remove(three)
	imported := testSnapshot(4, 6, 3)
	imported.Imported = true
	do(func() error { return j.ImportSnapshot(imported, 2) })
	m.save(pb.Update{ShardID: 4, ReplicaID: 2, State: st(3, 0, 6), Snapshot: imported})
	m.of(four).boot = &pb.Bootstrap{Join: true, Type: imported.Type}

	pulled := []byte("bytes that were pulled from a peer")
	n := Name{Index: 55, Position: 7, Length: uint32(len(pulled)), CRC: checksum(pulled)}
	do(func() error { return j.WritePayloads(1, 1, []Payload{{n, pulled}}) })
	k.live = append(k.live, n)
	do(func() error { _, err := j.Collect(context.Background()); return err })
}

// TestGolden opens a journal that an earlier version wrote, and finds all of it.
func TestGolden(t *testing.T) {
	m, k := newModel(), &machine{}
	if *writeGolden {
		makeGolden(t)
	}
	goldenStory(t, nil, m, k)
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("/j", 0o755))
	unpackGolden(t, fs)
	for range 2 { // as it was written, and as this version left it
		j := mustOpen(t, testOptions(fs))
		if ds := j.Damages(); len(ds) > 0 {
			t.Fatalf("damages: %v", ds)
		}
		if err := m.judgeAll(j, false); err != nil {
			t.Fatalf("%v\n%s", err, j.Describe())
		}
		for _, n := range k.live {
			// A name's checksum is of the bytes that were written, so no other bytes can come back.
			if b, err := j.ReadPayload(1, 1, n, nil); err != nil || uint32(len(b)) != n.Length || checksum(b) != n.CRC {
				t.Fatalf("payload %v: %q, %v\n%s", n, b, err, j.Describe())
			}
		}
		must(t, j.Close())
	}
}

func makeGolden(t *testing.T) {
	fs, k := vfs.NewMem(), &machine{}
	o := testOptions(fs)
	o.Live = &world{machines: map[replicaID]*machine{one: k}}
	j := mustOpen(t, o)
	goldenStory(t, j, newModel(), k)
	if s := j.Stats(); s.Relocated == 0 || s.SegmentsFreed == 0 {
		t.Fatalf("nothing moved or freed: %+v", s)
	}
	must(t, j.Close())
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
	must(t, os.MkdirAll(filepath.Dir(goldenFile), 0o755))
	must(t, os.WriteFile(goldenFile, out.Bytes(), 0o644))
}

func unpackGolden(t *testing.T, fs vfs.FS) {
	in, err := os.Open(goldenFile)
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
	unpackGolden(t, fs)
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

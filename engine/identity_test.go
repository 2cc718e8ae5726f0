package engine

import (
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/engine/broker"
)

func someIdentity() identity {
	return identity{Node: 3, ClusterID: "c", Started: map[broker.ShardID]uint64{1: 2, 2: 7}, Lost: map[broker.ShardID]uint64{4: 1},
		Condemned: map[broker.ShardID]condemned{2: {7, "it <differs> & more"}},
		Members:   members{Peers: []consensus.Peer{{Node: 1, RPCAddr: "n1:1", RaftAddr: "n1:2"}}}}
}

func mustSave(t *testing.T, id *identity, fs vfs.FS) {
	t.Helper()
	if err := id.save(fs, "/data"); err != nil {
		t.Fatal(err)
	}
}

func fileOf(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open("/data/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func put(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create("/data/"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// What an identity file says today, it must say to every later version.
func TestGoldenIdentity(t *testing.T) {
	const golden = `{"version":1,"crc32c":"f82aa3b7","identity":{"sequence":1,"node":3,"cluster_id":"c","started":{"1":2,"2":7},"lost":{"4":1},` +
		`"condemned":{"2":{"replica":7,"why":"it \u003cdiffers\u003e \u0026 more"}},"members":{"peers":[{"Node":1,"RPCAddr":"n1:1","RaftAddr":"n1:2"}]}}}`
	fs, want := vfs.NewMem(), someIdentity()
	mustSave(t, &want, fs)
	for _, name := range IdentityFiles() {
		if got := string(fileOf(t, fs, name)); got != golden {
			t.Errorf("%s is\n%s\ngolden\n%s", name, got, golden)
		}
	}
	if got, err := decodeIdentity([]byte(golden)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, %v", got, err)
	}
}

// A data-dir of the first versions, whose identity had no checksum and no copy, is taken over.
func TestIdentityWithoutChecksum(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, fs, identityFile, []byte(`{"node":3,"cluster_id":"c","started":{"1":2},"members":{}}`))
	for range 2 {
		id, _, err := loadIdentity(fs, "/data")
		if err != nil || id.Node != 3 || id.Started[1] != 2 {
			t.Fatalf("%+v, %v", id, err)
		}
	}
	if id, err := decodeIdentity(fileOf(t, fs, identityCopy)); err != nil || id.ClusterID != "c" {
		t.Fatalf("the copy: %+v, %v", id, err)
	}
}

// Every bit of a copy that flips, and every end that is cut off, is seen; the node goes on with the other copy and mends
// the first. With both damaged nothing is believed.
func TestIdentityBitRot(t *testing.T) {
	want := someIdentity()
	whole := vfs.NewMem()
	mustSave(t, &want, whole)
	b := fileOf(t, whole, identityFile)
	spoilt := [][]byte{{}, b[:1], b[:len(b)/2], b[:len(b)-1], append(append([]byte{}, b...), ' ')}
	for i := range b {
		for bit := range 8 {
			flipped := append([]byte{}, b...)
			flipped[i] ^= 1 << bit
			spoilt = append(spoilt, flipped)
		}
	}
	for i, bad := range spoilt {
		for _, name := range IdentityFiles() {
			fs := vfs.NewMem()
			mustSave(t, &identity{}, fs)
			put(t, fs, identityFile, b)
			put(t, fs, identityCopy, b)
			put(t, fs, name, bad)
			got, mended, err := loadIdentity(fs, "/data")
			if err != nil || !reflect.DeepEqual(got, want) || !strings.HasPrefix(mended, name) {
				t.Fatalf("damage %d of %s: %+v, mended %q, %v", i, name, got, mended, err)
			}
			if again := fileOf(t, fs, name); string(again) != string(b) {
				t.Fatalf("damage %d: %s is now\n%s", i, name, again)
			}
		}
		fs := vfs.NewMem()
		mustSave(t, &identity{}, fs)
		put(t, fs, identityFile, bad)
		put(t, fs, identityCopy, spoilt[(i+1)%len(spoilt)])
		if got, _, err := loadIdentity(fs, "/data"); !errors.Is(err, ErrIdentityDamaged) || !reflect.DeepEqual(got, identity{}) {
			t.Fatalf("both copies damaged (%d): %+v, %v", i, got, err)
		}
	}
}

// The power goes at any operation of a save: what is read afterwards is what was there before or what was being
// written, and once it was read, damage to one copy does not bring the other state back.
func TestIdentityPowerLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	old, next := someIdentity(), someIdentity()
	next.Condemned = nil
	states := map[bool]int{}
	for cut := 0; ; cut++ {
		fs := &cutFS{MemFS: vfs.NewCrashableMem()}
		syncRoot(t, fs)
		before := old
		mustSave(t, &before, fs)
		fs.left = cut
		fs.cut = true
		after := next
		after.Sequence = before.Sequence
		err := after.save(fs, "/data")
		disk := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		got, _, lerr := loadIdentity(disk, "/data")
		if lerr != nil {
			t.Fatalf("cut at operation %d: %v", cut, lerr)
		}
		isNew := reflect.DeepEqual(got, after)
		if !isNew && !reflect.DeepEqual(got, before) {
			t.Fatalf("cut at operation %d: %+v", cut, got)
		}
		states[isNew]++
		for _, name := range IdentityFiles() {
			rotten := disk.CrashClone(vfs.CrashCloneCfg{})
			put(t, rotten, name, []byte("rotten"))
			if again, _, err := loadIdentity(rotten, "/data"); err != nil || !reflect.DeepEqual(again, got) {
				t.Fatalf("cut at operation %d, then %s rots: %+v, %v, was %+v", cut, name, again, err, got)
			}
		}
		if err == nil {
			if !isNew {
				t.Fatalf("acknowledged, and the old one came back: %+v", got)
			}
			break
		}
	}
	if states[false] == 0 || states[true] < 2 {
		t.Fatalf("old and new: %v", states)
	}
}

// syncRoot makes the data-dir's own name durable, as the node does before all else.
func syncRoot(t *testing.T, fs vfs.FS) {
	t.Helper()
	if err := fs.MkdirAll("/data", 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := fs.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		t.Fatal(err)
	}
}

// cutFS fails every change after so many.
type cutFS struct {
	*vfs.MemFS
	cut  bool
	left int
}

var errCut = errors.New("the power is gone")

func (c *cutFS) op() error {
	if !c.cut {
		return nil
	}
	if c.left--; c.left < 0 {
		return errCut
	}
	return nil
}

func (c *cutFS) Create(name string, k vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.op(); err != nil {
		return nil, err
	}
	f, err := c.MemFS.Create(name, k)
	return &cutFile{f, c}, err
}

func (c *cutFS) Rename(a, b string) error {
	if err := c.op(); err != nil {
		return err
	}
	return c.MemFS.Rename(a, b)
}

func (c *cutFS) OpenDir(name string) (vfs.File, error) {
	f, err := c.MemFS.OpenDir(name)
	return &cutFile{f, c}, err
}

type cutFile struct {
	vfs.File
	fs *cutFS
}

func (f *cutFile) Write(b []byte) (int, error) {
	if err := f.fs.op(); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f *cutFile) Sync() error {
	if err := f.fs.op(); err != nil {
		return err
	}
	return f.File.Sync()
}

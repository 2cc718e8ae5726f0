package journal

import (
	"context"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"reflect"
	"testing"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	chantrans "github.com/lni/dragonboat/v4/plugin/chan"
	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
	raftvfs "github.com/lni/vfs"
	"pgregory.net/rapid"
)

// The journal and dragonboat's own default store are given the same operations, and both are asked what dragonboat
// asks. Where its LogReader fixes the answer they must agree. Where it does not, they may differ, and do:
//
//   - The default store panics at a removed entry and keeps the entry at the removal mark; LogReader never reads at or
//     below its marker, so reads begin above it.
//   - Its ReadRaftState begins at the snapshot's index, or at an older entry of that index; LogReader cuts that off. So
//     ranges are compared as LogReader takes them in.
//   - Its commit index may be below the snapshot, which Raft answers with a panic; the journal's never is.
//   - It remembers the last state and maximum of a replica it removed, and takes an equal state of a successor of the same name for
//     written. dragonboat never starts a removed replica id again, and imports into a stopped node: so do these tests.

// defaultStore is dragonboat's default log store. It is internal to dragonboat; a NodeHost without Expert.LogDBFactory
// makes one and keeps it in an unexported field of type raftio.ILogDB, which is read here by its name. The NodeHost
// itself runs no replica, so nobody else writes. It takes no file system but its own two; the one in memory knows no
// disk usage, so the compactions in the store's background give up. They change no answer.
type defaultStore struct {
	raftio.ILogDB
	host *dragonboat.NodeHost
}

func openDefaultStore(fs raftvfs.FS) (*defaultStore, error) {
	c := config.NodeHostConfig{NodeHostDir: "/default", RTTMillisecond: 100, RaftAddress: "n1:1"}
	c.Expert.FS = fs
	c.Expert.TransportFactory = chans{&chantrans.ChanTransportFactory{}}
	c.Expert.Engine = config.EngineConfig{ExecShards: 1, CommitShards: 1, ApplyShards: 1, SnapshotShards: 1, CloseShards: 1}
	c.Expert.LogDB = config.GetTinyMemLogDBConfig()
	c.Expert.LogDB.Shards = 1
	host, err := dragonboat.NewNodeHost(c)
	if err != nil {
		return nil, err
	}
	field := reflect.ValueOf(host).Elem().FieldByName("mu").FieldByName("logdb")
	if want := reflect.TypeFor[raftio.ILogDB](); !field.IsValid() || field.Type() != want {
		host.Close()
		return nil, fmt.Errorf("dragonboat's NodeHost has no mu.logdb of type %v any more", want)
	}
	return &defaultStore{*(*raftio.ILogDB)(unsafe.Pointer(field.UnsafeAddr())), host}, nil
}

// pair is both stores, and what Raft believes: it decides which operations are legal, and judges no answer.
type pair struct {
	fs       *vfs.MemFS
	otherFS  raftvfs.FS
	ours     *Journal
	other    *defaultStore
	believed map[replicaID]*believed
	current  map[uint64]uint64 // shard → its replica id of now
	gone     []replicaID
	term     uint64
}

// believed is one replica's log as its Raft instance holds it.
type believed struct {
	state  pb.State
	snap   uint64
	marker uint64 // LogReader's: entries above it are read
	last   uint64
}

func (p *pair) open(t *rapid.T) {
	o := testOptions(p.fs)
	ours, err := Open(o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if ds := ours.Damages(); len(ds) > 0 {
		t.Fatalf("damages: %v", ds)
	}
	p.ours = ours
	if p.other, err = openDefaultStore(p.otherFS); err != nil {
		t.Fatalf("default store: %v", err)
	}
}

func (p *pair) close(t *rapid.T) {
	p.other.host.Close()
	if err := p.ours.Close(); err != nil {
		t.Fatal(err)
	}
}

// both runs one operation on both stores.
func (p *pair) both(t *rapid.T, op func(raftio.ILogDB) error) {
	t.Helper()
	if err := op(p.ours); err != nil {
		t.Fatalf("journal: %v", err)
	}
	if err := op(p.other.ILogDB); err != nil {
		t.Fatalf("default store: %v", err)
	}
}

func (p *pair) draw(t *rapid.T) (replicaID, *believed) {
	shard := rapid.Uint64Range(1, 3).Draw(t, "shard")
	id := replicaID{shard, p.current[shard]}
	return id, p.believed[id]
}

// save is a step worker's call: several shards, suffixes that overwrite what is not committed.
func (p *pair) save(t *rapid.T) {
	var us []pb.Update
	for shard := uint64(1); shard <= 3; shard++ {
		if rapid.IntRange(0, 2).Draw(t, "skip") == 0 {
			continue
		}
		id := replicaID{shard, p.current[shard]}
		b := p.believed[id]
		from := b.last + 1
		if low := max(b.state.Commit, b.snap) + 1; low < from {
			if from = rapid.Uint64Range(low, from).Draw(t, "from"); from <= b.last {
				p.term++ // only a newer leader overwrites
			}
		}
		p.term += uint64(rapid.IntRange(0, 1).Draw(t, "new term"))
		n := rapid.Uint64Range(0, 6).Draw(t, "entries")
		u := testUpdate(id, pb.State{})
		if n > 0 {
			u.EntriesToSave = testEntries(shard, from, from+n-1, p.term, rapid.SampledFrom([]int{0, 24, 300, 3000, 9000}).Draw(t, "size"))
			b.last = from + n - 1
		}
		commit := rapid.Uint64Range(b.state.Commit, max(b.state.Commit, b.last)).Draw(t, "commit")
		if next := st(p.term, rapid.Uint64Range(0, 3).Draw(t, "vote"), commit); n > 0 || rapid.Bool().Draw(t, "state") {
			u.State, b.state = next, next
		}
		us = append(us, u)
	}
	p.both(t, func(db raftio.ILogDB) error { return db.SaveRaftState(us, 1) })
}

// receive is a snapshot from the leader: ahead of the log or inside its uncommitted part, with entries behind it or not.
func (p *pair) receive(t *rapid.T) {
	id, b := p.draw(t)
	p.term++
	index := max(b.state.Commit, b.snap) + rapid.Uint64Range(1, 9).Draw(t, "ahead")
	u := testUpdate(id, st(p.term, 1, index))
	u.Snapshot = testSnapshot(id.shard, index, p.term)
	b.state, b.snap, b.marker, b.last = u.State, index, index, index
	if n := rapid.Uint64Range(0, 3).Draw(t, "entries behind it"); n > 0 {
		u.EntriesToSave = testEntries(id.shard, index+1, index+n, p.term, 100)
		b.last = index + n
	}
	p.both(t, func(db raftio.ILogDB) error { return db.SaveRaftState([]pb.Update{u}, 1) })
}

// snapshot is a snapshot worker's call, and the compaction behind it. A late, older snapshot changes nothing.
func (p *pair) snapshot(t *rapid.T) {
	id, b := p.draw(t)
	if b.state.Commit <= b.marker || b.state.Commit > b.last {
		return
	}
	index := rapid.Uint64Range(b.marker+1, b.state.Commit).Draw(t, "snapshot")
	if index == b.snap {
		return // one index has one snapshot
	}
	u := pb.Update{ShardID: id.shard, ReplicaID: id.replica, Snapshot: testSnapshot(id.shard, index, p.term)}
	p.both(t, func(db raftio.ILogDB) error { return db.SaveSnapshots([]pb.Update{u}) })
	b.snap = max(b.snap, index)
	if to := rapid.Uint64Range(b.marker, b.snap).Draw(t, "remove to"); to > b.marker {
		b.marker = to
		p.both(t, func(db raftio.ILogDB) error { return db.RemoveEntriesTo(id.shard, id.replica, to) })
		p.compact(t, id, to)
	}
}

func (p *pair) compact(t *rapid.T, id replicaID, index uint64) {
	p.both(t, func(db raftio.ILogDB) error {
		done, err := db.CompactEntriesTo(id.shard, id.replica, index)
		if err == nil {
			<-done
		}
		return err
	})
}

// compactUnloaded is what dragonboat asks for replicas that are not started.
func (p *pair) compactUnloaded(t *rapid.T) {
	if len(p.gone) > 0 {
		p.compact(t, rapid.SampledFrom(p.gone).Draw(t, "gone"), math.MaxUint64)
	}
}

func (p *pair) bootstrap(t *rapid.T) {
	id, _ := p.draw(t)
	b := pb.Bootstrap{Join: rapid.Bool().Draw(t, "join"), Type: pb.OnDiskStateMachine, Addresses: map[uint64]string{id.replica: "a"}}
	p.both(t, func(db raftio.ILogDB) error { return db.SaveBootstrapInfo(id.shard, id.replica, b) })
}

// remove drops a replica; its shard comes back here under a new id.
func (p *pair) remove(t *rapid.T) {
	id, _ := p.draw(t)
	p.both(t, func(db raftio.ILogDB) error { return db.RemoveNodeData(id.shard, id.replica) })
	p.gone = append(p.gone, id)
	delete(p.believed, id)
	p.current[id.shard]++
	p.believed[replicaID{id.shard, p.current[id.shard]}] = &believed{}
}

// importSnapshot happens on a node that is down: both stores are opened anew before and after, as the tool does.
func (p *pair) importSnapshot(t *rapid.T) {
	id, b := p.draw(t)
	p.reopen(t)
	p.term++
	ss := testSnapshot(id.shard, rapid.Uint64Range(1, b.last+9).Draw(t, "imported"), p.term)
	ss.Imported = true
	p.both(t, func(db raftio.ILogDB) error { return db.ImportSnapshot(ss, id.replica) })
	*b = believed{state: st(ss.Term, 0, ss.Index), snap: ss.Index, marker: ss.Index, last: ss.Index}
	p.reopen(t)
}

func (p *pair) reopen(t *rapid.T) {
	p.close(t)
	p.open(t)
	for _, b := range p.believed {
		b.marker = b.snap // LogReader begins at the snapshot again
	}
}

func (p *pair) collect(t *rapid.T) {
	if _, err := p.ours.Collect(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestBesideDefaultStore gives random operations to the journal and to dragonboat's default store. Run it for longer
// with -rapid.checks.
func TestBesideDefaultStore(t *testing.T) {
	quiet()
	log.SetOutput(io.Discard) // where pebble says that each of those compactions gave up
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	rapid.Check(t, func(t *rapid.T) {
		p := &pair{fs: vfs.NewMem(), otherFS: raftvfs.NewMem(), believed: map[replicaID]*believed{}, current: map[uint64]uint64{}, term: 1}
		for shard := uint64(1); shard <= 3; shard++ {
			p.current[shard] = 1
			p.believed[replicaID{shard, 1}] = &believed{}
		}
		p.open(t)
		defer p.close(t)
		t.Repeat(map[string]func(*rapid.T){
			"save": p.save, "save more": p.save, "save still more": p.save, "receive": p.receive, "snapshot": p.snapshot,
			"snapshot again": p.snapshot, "compact a replica that is gone": p.compactUnloaded, "bootstrap": p.bootstrap,
			"remove": p.remove, "import": p.importSnapshot, "reopen": p.reopen, "collect": p.collect, "": p.agree,
		})
	})
}

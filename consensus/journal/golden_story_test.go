package journal

import (
	"context"
	"testing"

	pb "github.com/lni/dragonboat/v4/raftpb"
)

// teller tells one story to the model and the machine, and to a journal while its golden file is made.
type teller struct {
	t *testing.T
	j *Journal // nil: the file is only read
	m *model
	k *machine
	// o opens the journal again.
	o Options
	// forgotten replicas' names must not be found.
	forgotten map[replicaID]Name
}

func (x *teller) save(u pb.Update) {
	x.m.save(u)
	x.do(func() error { return x.j.SaveRaftState([]pb.Update{u}, 1) })
}

func (x *teller) do(op func() error) {
	x.t.Helper()
	if x.j != nil {
		must(x.t, op())
	}
}

func (x *teller) reopen() {
	if x.j != nil {
		must(x.t, x.j.Close())
		x.j = mustOpen(x.t, x.o)
	}
}

func (x *teller) bootstrap() {
	boot := pb.Bootstrap{Addresses: map[uint64]string{1: "a1"}, Type: pb.OnDiskStateMachine}
	x.do(func() error { return x.j.SaveBootstrapInfo(1, 1, boot) })
	x.m.of(one).boot = &boot
}

// entries are sixty of replica one, every tenth of them named; the last is overwritten, all are committed.
func (x *teller) entries() {
	for i := uint64(1); i <= 60; i++ {
		e := testEntry(1, i, 1, 3000)
		x.save(testUpdate(one, st(1, 1, i-1), e))
		if i%10 == 0 {
			x.k.live = append(x.k.live, nameOf(e, 5, 200))
		}
	}
	x.save(testUpdate(one, st(2, 1, 59), testEntries(1, 60, 62, 2, 100)...))
	x.k.live = x.k.live[:5]
	x.save(testUpdate(one, st(2, 1, 62)))
}

// snapshot is taken at 55 and the log removed up to there.
func (x *teller) snapshot() {
	x.k.applied = 55
	u := pb.Update{ShardID: 1, ReplicaID: 1, Snapshot: testSnapshot(1, 55, 1)}
	x.m.snapshot(u)
	x.do(func() error { return x.j.SaveSnapshots([]pb.Update{u}) })
	x.m.trim(one, 55)
	x.do(func() error { return x.j.RemoveEntriesTo(1, 1, 55) })
}

// others are replicas that received a snapshot over their log, were removed, and were imported.
func (x *teller) others() {
	two, three, four := replicaID{2, 1}, replicaID{3, 1}, replicaID{4, 2}
	x.save(testUpdate(two, st(1, 2, 0), testEntries(2, 1, 4, 1, 50)...))
	received := testUpdate(two, st(3, 1, 9), testEntries(2, 10, 12, 3, 50)...)
	received.Snapshot = testSnapshot(2, 9, 3)
	x.save(received)
	x.save(testUpdate(three, st(1, 1, 0), testEntries(3, 1, 2, 1, 50)...))
	x.do(func() error { return x.j.RemoveNodeData(3, 1) })
	x.m.remove(three)
	imported := testSnapshot(4, 6, 3)
	imported.Imported = true
	x.do(func() error { return x.j.ImportSnapshot(imported, 2) })
	x.m.save(pb.Update{ShardID: 4, ReplicaID: 2, State: st(3, 0, 6), Snapshot: imported})
	x.m.of(four).boot = &pb.Bootstrap{Join: true, Type: imported.Type}
}

func (x *teller) pulled() {
	pulled := []byte("bytes that were pulled from a peer")
	n := Name{Index: 55, Position: 7, Length: uint32(len(pulled)), CRC: checksum(pulled)}
	x.do(func() error { return x.j.WritePayloads(1, 1, []Payload{{n, pulled}}) })
	x.k.live = append(x.k.live, n)
}

// sealedStory fills segments that are sealed, and lets garbage collection move and free some: a reader finds most of it
// in heads, footers and payload segments.
func sealedStory(x *teller) {
	x.bootstrap()
	x.entries()
	x.snapshot()
	x.others()
	x.pulled()
	x.do(func() error { _, err := x.j.Collect(context.Background()); return err })
}

// tailStory lies in one segment that was never sealed, so a reader replays every record of it. In a segment before it
// lies what a replica left that was forgotten since.
func tailStory(x *teller) {
	x.lone(replicaID{8, 1})
	x.reopen()
	x.forget(replicaID{8, 1})
	x.reopen()
	x.bootstrap()
	x.entries()
	x.snapshot()
	x.others()
	x.pulled()
	x.lone(replicaID{9, 1})
	x.forget(replicaID{9, 1})
	x.do(func() error { return x.j.RepairEntry(1, 1, testEntry(1, 58, 1, 3000)) })
}

// lone is a replica with one entry.
func (x *teller) lone(id replicaID) {
	e := testEntry(id.shard, 1, 1, 50)
	x.save(testUpdate(id, st(1, 1, 0), e))
	x.forgotten[id] = nameOf(e, 5, 20)
}

// forget drops a replica with its payloads.
func (x *teller) forget(id replicaID) {
	x.do(func() error { return x.j.ForgetReplica(id.shard, id.replica) })
	delete(x.m.replicas, id)
	x.m.of(id)
}

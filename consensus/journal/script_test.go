package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	pb "github.com/lni/dragonboat/v4/raftpb"
)

// story runs one script: its verbs are calls, its output is Describe.
type story struct {
	fs   *vfs.MemFS
	j    *Journal
	live *namesEverything
}

// TestStories runs the scripts of testdata. Read them as an introduction.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		synctest.Test(t, func(t *testing.T) { tell(t, path) }) // its clock stands still: no marker comes
	})
}

func tell(t *testing.T, path string) {
	s := &story{fs: vfs.NewCrashableMem(), live: &namesEverything{applied: map[replicaID]uint64{}, names: map[replicaID][]Name{}}}
	must(t, s.open())
	defer func() { must(t, s.j.Close()) }()
	datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
		out, err := s.run(t, d)
		if err != nil {
			return out + "error: " + err.Error() + "\n"
		}
		return out
	})
}

func (s *story) open() (err error) {
	o := testOptions(s.fs)
	o.Live = s.live
	s.j, err = Open(o)
	return err
}

func (s *story) run(t *testing.T, d *datadriven.TestData) (string, error) {
	shard, term, vote, commit, index := uint64(1), uint64(0), uint64(0), uint64(0), uint64(0)
	from, to, size := uint64(0), uint64(0), 100
	d.MaybeScanArgs(t, "shard", &shard)
	d.MaybeScanArgs(t, "term", &term)
	d.MaybeScanArgs(t, "vote", &vote)
	d.MaybeScanArgs(t, "commit", &commit)
	d.MaybeScanArgs(t, "index", &index)
	d.MaybeScanArgs(t, "from", &from)
	d.MaybeScanArgs(t, "to", &to)
	d.MaybeScanArgs(t, "size", &size)
	id := replicaID{shard, 1}
	switch d.Cmd {
	case "save": // entries from..to of a term, and the state
		u := testUpdate(id, st(term, vote, commit))
		if from > 0 {
			u.EntriesToSave = testEntries(shard, from, to, term, size)
		}
		if index > 0 {
			u.Snapshot = testSnapshot(shard, index, term)
		}
		return "", s.j.SaveRaftState([]pb.Update{u}, 1)
	case "snapshot": // a local one
		return "", s.j.SaveSnapshots([]pb.Update{{ShardID: shard, ReplicaID: 1, Snapshot: testSnapshot(shard, index, term)}})
	case "trim":
		return "", errors.Join(s.j.RemoveEntriesTo(shard, 1, index), s.j.settle())
	case "applied": // by the state machine, durably; it names the whole commands of the indexes given
		s.live.applied[id] = index
		s.live.names[id] = nil
		for _, a := range d.CmdArgs {
			if a.Key == "names" {
				for i := range a.Vals {
					var n uint64
					a.Scan(t, i, &n)
					s.live.names[id] = append(s.live.names[id], nameOf(testEntry(shard, n, term, size), 0, uint32(size)))
				}
			}
		}
		return "", nil
	case "read": // what the state machine names
		var b strings.Builder
		for _, n := range s.live.names[id] {
			got, err := s.j.ReadPayload(shard, 1, n, nil)
			fmt.Fprintf(&b, "entry %d: %d bytes, %v\n", n.Index, len(got), err)
		}
		return b.String(), nil
	case "collect":
		c, err := s.j.Collect(context.Background())
		return fmt.Sprintf("judged %d, freed %d, copied %d\n", c.Judged, c.Freed, c.Relocations), err
	case "restart":
		if err := s.j.Close(); err != nil {
			return "", err
		}
		return "", s.open()
	case "power-loss": // nothing survives that was not synced
		disk := s.fs.CrashClone(vfs.CrashCloneCfg{})
		_ = s.j.Close()
		s.fs = disk
		return "", s.open()
	case "flip": // one bit, of an entry's body, or of the header of the batch it lies in
		s.j.sealedAll()
		s.j.mu.RLock()
		e := *s.j.ledger.replicas[id].at(index)
		s.j.mu.RUnlock()
		b, err := s.fs.UnsafeGetFileDataBuffer("/j/" + segmentName(e.segment))
		if err != nil {
			return "", err
		}
		at := int64(e.offset) + 30
		if slices.ContainsFunc(d.CmdArgs, func(a datadriven.CmdArg) bool { return a.Key == "header" }) {
			at = int64(e.offset) / alignBytes * alignBytes
		}
		b[at] ^= 1
		return "", nil
	case "repair":
		return "", s.j.RepairEntry(shard, 1, testEntry(shard, index, term, size))
	case "damages":
		var b strings.Builder
		for _, d := range s.j.Damages() {
			fmt.Fprintln(&b, d)
		}
		return b.String(), nil
	case "describe":
		if err := s.j.settle(); err != nil {
			return "", err
		}
		s.j.sealedAll()
		return s.j.Describe(), nil
	}
	t.Fatalf("unknown verb %s", d.Cmd)
	return "", nil
}

package journal

import (
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	chantrans "github.com/lni/dragonboat/v4/plugin/chan"
	"github.com/lni/dragonboat/v4/raftio"
	pb "github.com/lni/dragonboat/v4/raftpb"
	sm "github.com/lni/dragonboat/v4/statemachine"
)

// busyFactory hands out a log store that turns busy in the middle of StartReplica, while the NodeHost holds its lock.
type busyFactory struct {
	j     *Journal
	busy  chan struct{} // closed when the owner has begun to hear of it
	told  atomic.Pointer[config.LogDBCallback]
	saves atomic.Int32
}

func (f *busyFactory) Name() string { return logName }

func (f *busyFactory) Create(c config.NodeHostConfig, back config.LogDBCallback, dirs, lldirs []string) (raftio.ILogDB, error) {
	f.told.Store(&back)
	// What the journal does with the callback it was given is a part of what is tested: it must not call it itself.
	db, err := f.j.Factory().Create(c, back, dirs, lldirs)
	return &busyLog{db, f}, err
}

type busyLog struct {
	raftio.ILogDB
	f *busyFactory
}

func (b *busyLog) SaveBootstrapInfo(shard, replica uint64, boot pb.Bootstrap) error {
	b.f.saves.Add(1)
	b.f.j.space.set(SpaceCritical)
	<-b.f.busy
	return b.ILogDB.SaveBootstrapInfo(shard, replica, boot)
}

// TestBusyDuringStartReplica: StartReplica saves the bootstrap record under the NodeHost's lock, and dragonboat's callback
// for a busy log store takes that lock. The journal's owner calls it from OnSpace; no append may wait for that.
func TestBusyDuringStartReplica(t *testing.T) {
	quiet()
	dir := t.TempDir()
	f := &busyFactory{busy: make(chan struct{})}
	done := make(chan struct{})
	o := Options{FS: vfs.Default, Dir: dir + "/j", SegmentBytes: 256 << 10, CacheBytes: 64 << 10, ScrubBytesPerSecond: -1}
	o.OnSpace = func(l SpaceLevel) {
		if l != SpaceCritical {
			return
		}
		close(f.busy)
		(*f.told.Load())(config.LogDBInfo{Shard: 1, Busy: true}) // takes the NodeHost's lock
		close(done)
	}
	j := mustOpen(t, o)
	f.j = j
	c := config.NodeHostConfig{NodeHostDir: dir + "/h", RTTMillisecond: 5, RaftAddress: "n1:1"}
	c.Expert.LogDBFactory = f
	c.Expert.TransportFactory = chans{&chantrans.ChanTransportFactory{}}
	c.Expert.Engine = config.GetDefaultEngineConfig()
	c.Expert.Engine.ExecShards = 1
	c.Expert.LogDB = config.GetTinyMemLogDBConfig()
	c.Expert.LogDB.Shards = 1
	nh, err := dragonboat.NewNodeHost(c)
	must(t, err)
	must(t, nh.StartOnDiskReplica(map[uint64]string{1: "n1:1"}, false, func(uint64, uint64) sm.IOnDiskStateMachine { return &counter{} },
		config.Config{ReplicaID: 1, ShardID: 1, ElectionRTT: 20, HeartbeatRTT: 2}))
	<-done
	if n := f.saves.Load(); n != 1 {
		t.Errorf("%d bootstrap records were saved", n)
	}
	nh.Close()
	if _, err := j.GetBootstrapInfo(1, 1); err != nil {
		t.Errorf("the bootstrap record: %v", err)
	}
	must(t, j.Close())
}

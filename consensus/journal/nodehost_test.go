package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/logger"
	chantrans "github.com/lni/dragonboat/v4/plugin/chan"
	sm "github.com/lni/dragonboat/v4/statemachine"
)

// counter is an on-disk machine whose disk is a map that outlives the NodeHost: the applied index and a sum.
type counter struct {
	mu      sync.Mutex
	applied uint64
	sum     uint64
	count   uint64
}

func (c *counter) Open(<-chan struct{}) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.applied, nil
}

func (c *counter) Update(es []sm.Entry) ([]sm.Entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range es {
		if es[i].Index <= c.applied {
			return nil, fmt.Errorf("entry %d behind %d", es[i].Index, c.applied)
		}
		c.applied = es[i].Index
		c.sum += binary.LittleEndian.Uint64(es[i].Cmd)
		c.count++
		es[i].Result.Value = c.count
	}
	return es, nil
}

func (c *counter) Lookup(interface{}) (interface{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sum, nil
}
func (c *counter) Sync() error                           { return nil }
func (c *counter) PrepareSnapshot() (interface{}, error) { return nil, nil }
func (c *counter) SaveSnapshot(_ interface{}, w io.Writer, _ <-chan struct{}) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return binary.Write(w, binary.LittleEndian, []uint64{c.applied, c.sum, c.count})
}
func (c *counter) RecoverFromSnapshot(r io.Reader, _ <-chan struct{}) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := make([]uint64, 3)
	if err := binary.Read(r, binary.LittleEndian, x); err != nil {
		return err
	}
	c.applied, c.sum, c.count = x[0], x[1], x[2]
	return nil
}
func (c *counter) Close() error { return nil }

// chans is dragonboat's transport over channels, for any address.
type chans struct {
	*chantrans.ChanTransportFactory
}

func (chans) Validate(string) bool { return true }

func quiet() {
	for _, l := range []string{"raft", "rsm", "transport", "grpc", "dragonboat", "logdb", "tan", "raftpb", "config", "settings", "utils", "registry", "server"} {
		logger.GetLogger(l).SetLevel(logger.CRITICAL)
	}
}

// TestThreeNodeHosts runs two shards on three NodeHosts, stops them all twice, and finds every acknowledged proposal,
// on a journal of small segments with snapshots and garbage collection going on.
func TestThreeNodeHosts(t *testing.T) {
	quiet()
	dir := t.TempDir()
	members := map[uint64]string{1: "n1:1", 2: "n2:1", 3: "n3:1"}
	machines := map[[2]uint64]*counter{}
	const shards = 2
	want := map[uint64]uint64{}
	next := uint64(0)
	for round := range 3 {
		var hosts []*dragonboat.NodeHost
		var journals []*Journal
		for n := uint64(1); n <= 3; n++ {
			j, err := Open(Options{FS: vfs.Default, Dir: fmt.Sprintf("%s/j%d", dir, n), SegmentBytes: 256 << 10, CacheBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			if ds := j.Damages(); len(ds) > 0 {
				t.Fatalf("damages: %v", ds)
			}
			journals = append(journals, j)
			c := config.NodeHostConfig{NodeHostDir: fmt.Sprintf("%s/h%d", dir, n), RTTMillisecond: 5, RaftAddress: members[n]}
			c.Expert.LogDBFactory = j.Factory()
			c.Expert.TransportFactory = chans{&chantrans.ChanTransportFactory{}}
			c.Expert.Engine = config.GetDefaultEngineConfig()
			c.Expert.Engine.ExecShards = 2
			c.Expert.LogDB = config.GetTinyMemLogDBConfig()
			c.Expert.LogDB.Shards = 1
			nh, err := dragonboat.NewNodeHost(c)
			if err != nil {
				t.Fatal(err)
			}
			hosts = append(hosts, nh)
			for s := uint64(1); s <= shards; s++ {
				err := nh.StartOnDiskReplica(members, false, func(s, r uint64) sm.IOnDiskStateMachine {
					k := [2]uint64{s, r}
					if machines[k] == nil {
						machines[k] = &counter{}
					}
					return machines[k]
				}, config.Config{ReplicaID: n, ShardID: s, ElectionRTT: 20, HeartbeatRTT: 2, CheckQuorum: true, PreVote: true,
					SnapshotEntries: 200, CompactionOverhead: 50})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		for s := uint64(1); s <= shards; s++ {
			session := hosts[0].GetNoOPSession(s)
			for i := 0; i < 400; {
				cmd := make([]byte, 8+i%3000)
				next++
				binary.LittleEndian.PutUint64(cmd, next)
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				_, err := hosts[0].SyncPropose(ctx, session, cmd)
				cancel()
				if err == dragonboat.ErrShardNotReady || err == dragonboat.ErrSystemBusy {
					next--
					time.Sleep(10 * time.Millisecond)
					continue
				}
				if err != nil {
					t.Fatalf("round %d shard %d proposal %d: %v", round, s, i, err)
				}
				want[s] += next
				i++
			}
			for n := range hosts {
				var got interface{}
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					var err error
					got, err = hosts[n].SyncRead(ctx, s, nil)
					cancel()
					if err == nil {
						break
					}
					if !errors.Is(err, dragonboat.ErrShardNotReady) {
						t.Fatalf("round %d host %d shard %d: %v", round, n+1, s, err)
					}
				}
				if got.(uint64) != want[s] {
					t.Fatalf("round %d host %d shard %d: sum %v, want %d", round, n+1, s, got, want[s])
				}
			}
		}
		for n := range hosts {
			hosts[n].Close()
			if err := journals[n].Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

package simtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/logger"
	sm "github.com/lni/dragonboat/v4/statemachine"
	raftvfs "github.com/lni/vfs"
)

// The world of this file: three unmodified dragonboat node hosts, each with two
// shards of pebble machines without a log of their own, on one disk per node; clients
// that propose numbered entries through whichever node answers; and a plan.

const (
	raftShards  = 2
	raftClients = 3
)

var raftNodes = []string{"n1", "n2", "n3"}

// rows is an on-disk machine: entry number to command.
type rows struct {
	db  *pebble.DB
	fs  vfs.FS
	dir string
}

func (r *rows) Open(<-chan struct{}) (uint64, error) {
	db, err := pebble.Open(r.dir, &pebble.Options{
		FS: r.fs, Logger: quietPebble{}, DisableWAL: true, FormatMajorVersion: pebble.FormatNewest, MemTableSize: 64 << 10,
	})
	if err != nil {
		return 0, err
	}
	r.db = db
	v, c, err := db.Get([]byte("applied"))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return binary.BigEndian.Uint64(v), nil
}

func (r *rows) Update(entries []sm.Entry) ([]sm.Entry, error) {
	b := r.db.NewBatch()
	for i, e := range entries {
		if err := b.Set(binary.BigEndian.AppendUint64([]byte("e"), e.Index), e.Cmd, nil); err != nil {
			return nil, err
		}
		entries[i].Result = sm.Result{Value: e.Index}
	}
	applied := binary.BigEndian.AppendUint64(nil, entries[len(entries)-1].Index)
	if err := b.Set([]byte("applied"), applied, nil); err != nil {
		return nil, err
	}
	return entries, b.Commit(pebble.NoSync)
}

// Lookup returns all commands in order.
func (r *rows) Lookup(any) (any, error) {
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: []byte("e"), UpperBound: []byte("f")})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var all []string
	for it.First(); it.Valid(); it.Next() {
		all = append(all, string(it.Value()))
	}
	return all, it.Error()
}

func (r *rows) Sync() error                   { return r.db.Flush() }
func (r *rows) PrepareSnapshot() (any, error) { return r.db.NewSnapshot(), nil }

func (r *rows) SaveSnapshot(s any, w io.Writer, _ <-chan struct{}) error {
	snap := s.(*pebble.Snapshot)
	defer snap.Close()
	it, err := snap.NewIter(nil)
	if err != nil {
		return err
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		var h []byte
		h = binary.BigEndian.AppendUint32(h, uint32(len(it.Key())))
		h = binary.BigEndian.AppendUint32(h, uint32(len(it.Value())))
		if _, err := w.Write(slices.Concat(h, it.Key(), it.Value())); err != nil {
			return err
		}
	}
	return it.Error()
}

func (r *rows) RecoverFromSnapshot(in io.Reader, _ <-chan struct{}) error {
	b := r.db.NewBatch()
	for {
		var h [8]byte
		if _, err := io.ReadFull(in, h[:]); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		k := make([]byte, binary.BigEndian.Uint32(h[:]))
		v := make([]byte, binary.BigEndian.Uint32(h[4:]))
		if _, err := io.ReadFull(in, k); err != nil {
			return err
		}
		if _, err := io.ReadFull(in, v); err != nil {
			return err
		}
		if err := b.Set(k, v, nil); err != nil {
			return err
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	return r.db.Flush()
}

func (r *rows) Close() error {
	if r.db == nil {
		return nil // closed before Open had finished
	}
	return r.db.Close()
}

type quietPebble struct{}

func (quietPebble) Infof(string, ...any)           {}
func (quietPebble) Errorf(string, ...any)          {}
func (quietPebble) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

type noErrors struct{}

func (noErrors) MaybeError(raftvfs.Op) error { return nil }

type quietRaft struct{}

func (quietRaft) SetLevel(logger.LogLevel) {}
func (quietRaft) Debugf(string, ...any)    {}
func (quietRaft) Infof(string, ...any)     {}
func (quietRaft) Warningf(string, ...any)  {}
func (quietRaft) Errorf(string, ...any)    {}

// Panicf panics with an error: NewNodeHost swallows a panic with anything else and
// returns neither host nor error.
func (quietRaft) Panicf(format string, a ...any) { panic(fmt.Errorf(format, a...)) }

// quietLogs may be called once per process only.
var quietLogs = sync.OnceFunc(func() {
	logger.SetLoggerFactory(func(string) logger.ILogger { return quietRaft{} })
})

// raftWorld is what clients use to find nodes: it belongs to no process.
type raftWorld struct {
	mu    sync.Mutex
	hosts map[string]*dragonboat.NodeHost
}

func (r *raftWorld) host(name string) *dragonboat.NodeHost {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts[name]
}

// boot is main of a node.
func (r *raftWorld) boot(p *Process) error {
	m := p.Disk.Mount()
	c := config.NodeHostConfig{NodeHostDir: "/raft", RTTMillisecond: 10, RaftAddress: p.Name() + ":7000"}
	// The default log store takes no file system but its own three kinds.
	c.Expert.FS = raftvfs.Wrap(m.Dragonboat(), noErrors{})
	c.Expert.TransportFactory = p.Host.RaftTransport()
	c.Expert.Engine = config.EngineConfig{ExecShards: 2, CommitShards: 2, ApplyShards: 2, SnapshotShards: 2, CloseShards: 2}
	c.Expert.LogDB = config.GetTinyMemLogDBConfig()
	c.Expert.LogDB.Shards = 1
	nh, err := dragonboat.NewNodeHost(c)
	if err != nil {
		return err
	}
	members := map[uint64]string{}
	id := uint64(0)
	for i, name := range raftNodes {
		members[uint64(i+1)] = name + ":7000"
		if name == p.Name() {
			id = uint64(i + 1)
		}
	}
	for shard := uint64(1); shard <= raftShards; shard++ {
		create := func(s, r uint64) sm.IOnDiskStateMachine {
			return &rows{fs: m.FS(), dir: fmt.Sprintf("/rows-%d-%d", s, r)}
		}
		rc := config.Config{
			ReplicaID: id, ShardID: shard, ElectionRTT: 10, HeartbeatRTT: 2, CheckQuorum: true, PreVote: true,
			SnapshotEntries: 60, CompactionOverhead: 10,
		}
		if err := nh.StartOnDiskReplica(members, false, create, rc); err != nil {
			return err
		}
	}
	r.mu.Lock()
	r.hosts[p.Name()] = nh
	r.mu.Unlock()
	return nil
}

// raftScenario runs the world of this file and returns how many proposals were
// acknowledged.
func raftScenario(t *testing.T, seed uint64, verbs []Verb) (acknowledged int) {
	quietLogs()
	Run(t, seed, func(w *World) {
		r := &raftWorld{hosts: map[string]*dragonboat.NodeHost{}}
		// A node whose disk fails or that comes back while another incarnation's state is
		// half written may refuse to go on; that is its crash.
		s := NewSupervisor(w, r.boot)
		for _, name := range raftNodes {
			s.Start(w.Process(name))
		}
		plan := w.Plan(PlanConfig{
			Nodes: raftNodes, Length: 40 * time.Second, Every: 2 * time.Second, Verbs: verbs, BrokenMax: 1,
		})
		t.Logf("plan:\n%v", plan)
		time.Sleep(2 * time.Second)
		c := &raftRun{w: w, r: r, acked: map[uint64]map[string]bool{}}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range raftClients {
			wg.Go(func() { c.propose(i, stop) })
		}
		s.Apply(plan)
		c.mustProgress(t, "after the plan")
		close(stop)
		wg.Wait()
		acknowledged = c.verify(t)
	})
	return acknowledged
}

type raftRun struct {
	w     *World
	r     *raftWorld
	mu    sync.Mutex
	count int
	acked map[uint64]map[string]bool // by shard
}

// propose proposes one entry after another, each at the next node in turn.
func (c *raftRun) propose(client int, stop chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		node := raftNodes[(client+n)%len(raftNodes)]
		shard := uint64(n%raftShards + 1)
		cmd := fmt.Sprintf("c%d-%d", client, n)
		err := c.proposeOnce(node, shard, cmd)
		c.w.Count("proposals", 1)
		c.w.Result(fmt.Sprintf("c%d", client), "%s at %s shard %d: %v", cmd, node, shard, err)
		if err == nil {
			c.mu.Lock()
			if c.acked[shard] == nil {
				c.acked[shard] = map[string]bool{}
			}
			c.acked[shard][cmd] = true
			c.w.Count("acknowledged", 1)
			c.count++
			c.mu.Unlock()
		}
	}
}

// proposeOnce runs in the node's process: a proposal dies with it.
func (c *raftRun) proposeOnce(node string, shard uint64, cmd string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		result <- c.w.Process(node).Do(func() error {
			nh := c.r.host(node)
			if nh == nil {
				return errors.New("not started")
			}
			_, err := nh.SyncPropose(ctx, nh.GetNoOPSession(shard), []byte(cmd))
			return err
		})
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return errors.New("unknown")
	}
}

func (c *raftRun) acknowledged() int { c.mu.Lock(); defer c.mu.Unlock(); return c.count }

// mustProgress: faults are over, so proposals succeed again, at every node.
func (c *raftRun) mustProgress(t *testing.T, when string) {
	for _, node := range raftNodes {
		for shard := uint64(1); shard <= raftShards; shard++ {
			err := errors.New("not tried")
			for try := 0; try < 60 && err != nil; try++ {
				if err = c.proposeOnce(node, shard, fmt.Sprintf("live-%s-%d-%d", node, shard, try)); err != nil {
					time.Sleep(500 * time.Millisecond)
				}
			}
			if err != nil {
				c.w.Anomaly("no-progress", fmt.Sprintf("%s shard %d", node, shard), "%s: %v", when, err)
			}
		}
	}
}

// verify: what was acknowledged is on every node, and all nodes have the same.
func (c *raftRun) verify(t *testing.T) int {
	for shard := uint64(1); shard <= raftShards; shard++ {
		var first []string
		for _, node := range raftNodes {
			var got []string
			err := errors.New("not tried")
			for try := 0; try < 30 && err != nil; try++ {
				err = c.w.Process(node).Do(func() error {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					defer cancel()
					v, err := c.r.host(node).SyncRead(ctx, shard, nil)
					if err == nil {
						got = v.([]string)
					}
					return err
				})
				if err != nil {
					time.Sleep(500 * time.Millisecond)
				}
			}
			if err != nil {
				c.w.Anomaly("unreadable", fmt.Sprintf("%s shard %d", node, shard), "%v", err)
				continue
			}
			have := map[string]bool{}
			for _, cmd := range got {
				have[cmd] = true
			}
			lost := 0
			for cmd := range c.acked[shard] {
				if !have[cmd] {
					lost++
				}
			}
			if lost > 0 {
				c.w.Anomaly("lost-write", fmt.Sprintf("%s shard %d", node, shard), "%d acknowledged entries are not there", lost)
			}
			if first == nil {
				first = got
			} else if !slices.Equal(first, got) {
				c.w.Anomaly("divergence", fmt.Sprintf("%s shard %d", node, shard), "other entries than on %s", raftNodes[0])
			}
		}
	}
	return c.acknowledged()
}

// raftVerbs are the faults that dragonboat survives with liveness. Skew is not
// among them, see TestKnownWallClockStep.
func raftVerbs() []Verb {
	return slices.Concat([]Verb{Kill, Power, Pause}, NetworkVerbs, DiskVerbs)
}

func TestRaftSurvivesThePlan(t *testing.T) {
	SkipWithoutOverlay(t)
	if n := raftScenario(t, seedFromEnv(t, 1), raftVerbs()); n == 0 {
		t.Error("nothing was acknowledged: the test shows nothing")
	}
}

// TestKnownWallClockStep keeps a defect of a dependency in view: the circuit breaker
// of dragonboat's transport (goutils, rubyist/circuitbreaker, Breaker.state) compares
// wall clocks. A node whose clock was ahead while a peer could not be reached, and is
// set right again, does not reconnect to that peer for as long as it was ahead. Seed 5
// of an earlier plan found it. When this test fails the defect is gone: put Skew into
// raftVerbs.
func TestKnownWallClockStep(t *testing.T) {
	SkipWithoutOverlay(t)
	quietLogs()
	Run(t, 1, func(w *World) {
		r := &raftWorld{hosts: map[string]*dragonboat.NodeHost{}}
		s := NewSupervisor(w, r.boot)
		for _, name := range raftNodes {
			s.Start(w.Process(name))
		}
		c := &raftRun{w: w, r: r, acked: map[uint64]map[string]bool{}}
		time.Sleep(3 * time.Second)
		for _, name := range raftNodes[:2] {
			w.Process(name).Skew(5 * time.Minute)
		}
		s.hold(w.Process("n3"))
		w.Process("n3").Kill()
		time.Sleep(10 * time.Second)
		for _, name := range raftNodes[:2] {
			w.Process(name).Skew(0)
		}
		s.release(w.Process("n3"))
		time.Sleep(time.Minute)
		if err := c.proposeOnce("n3", 1, "late"); err == nil {
			t.Error("n3 is back after a minute: the defect is gone")
		}
		time.Sleep(5 * time.Minute)
		if err := c.proposeOnce("n3", 1, "after five minutes"); err != nil {
			t.Errorf("n3 is not back after five minutes: %v", err)
		}
	})
}

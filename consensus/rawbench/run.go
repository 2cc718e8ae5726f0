package rawbench

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/logger"
	"github.com/lni/dragonboat/v4/plugin/tan"
	sm "github.com/lni/dragonboat/v4/statemachine"

	"github.com/tallymq/tallymq/consensus/journal"
)

// Options say what to measure.
type Options struct {
	FS  vfs.FS // of Dir, for the journal
	Dir string
	// Addresses are the Raft addresses of the hosts, one or three, on this machine.
	Addresses []string
	Store     string // "journal", "pebble" (dragonboat's default) or "tan"
	Shards    int
	Size      int // bytes of a proposal
	InFlight  int // proposals in flight, over all shards
	Warmup    time.Duration
	Duration  time.Duration
}

// Result is what came of it.
type Result struct {
	Store    string  `json:"store"`
	Nodes    int     `json:"nodes"`
	Size     int     `json:"size"`
	InFlight int     `json:"in_flight"`
	Rate     float64 `json:"proposals_per_second"`
	MBps     float64 `json:"megabytes_per_second"`
	P50ms    float64 `json:"p50_ms"`
	P99ms    float64 `json:"p99_ms"`
}

// nop is a machine that keeps nothing.
type nop struct{}

func (nop) Open(<-chan struct{}) (uint64, error) { return 0, nil }
func (nop) Update(es []sm.Entry) ([]sm.Entry, error) {
	for i := range es {
		es[i].Result = sm.Result{Value: es[i].Index}
	}
	return es, nil
}
func (nop) Lookup(any) (any, error)       { return nil, nil }
func (nop) Sync() error                   { return nil }
func (nop) PrepareSnapshot() (any, error) { return nil, nil }
func (nop) SaveSnapshot(_ any, w io.Writer, _ <-chan struct{}) error {
	_, err := w.Write(make([]byte, 8))
	return err
}
func (nop) RecoverFromSnapshot(io.Reader, <-chan struct{}) error { return nil }
func (nop) Close() error                                         { return nil }

// Run measures.
func Run(o Options) (Result, error) {
	for _, l := range []string{"raft", "rsm", "transport", "grpc", "dragonboat", "logdb", "tan", "raftpb", "config", "settings", "utils", "registry", "server"} {
		logger.GetLogger(l).SetLevel(logger.ERROR)
	}
	members := map[uint64]string{}
	for i, a := range o.Addresses {
		members[uint64(i+1)] = a
	}
	var hosts []*dragonboat.NodeHost
	var undo []func()
	defer func() {
		for _, f := range slices.Backward(undo) {
			f()
		}
	}()
	for i := range o.Addresses {
		nh, end, err := start(o, i+1, members)
		if err != nil {
			return Result{}, err
		}
		undo = append(undo, end)
		hosts = append(hosts, nh)
	}
	leaders, err := awaitLeaders(o, hosts)
	if err != nil {
		return Result{}, err
	}
	return load(o, leaders), nil
}

func start(o Options, id int, members map[uint64]string) (*dragonboat.NodeHost, func(), error) {
	dir := filepath.Join(o.Dir, fmt.Sprint(id))
	c := config.NodeHostConfig{NodeHostDir: filepath.Join(dir, "raft"), RTTMillisecond: 20, RaftAddress: members[uint64(id)]}
	end := func() {}
	switch o.Store {
	case "journal":
		j, err := journal.Open(journal.Options{FS: o.FS, Dir: filepath.Join(dir, "journal"), Direct: journal.OSDirect(), ScrubBytesPerSecond: -1})
		if err != nil {
			return nil, nil, err
		}
		end = func() { _ = j.Close() }
		c.Expert.LogDBFactory = j.Factory()
	case "tan":
		c.Expert.LogDBFactory = tan.Factory
	case "pebble":
	default:
		return nil, nil, fmt.Errorf("rawbench: store %q: want journal, pebble or tan", o.Store)
	}
	c.Expert.Engine = config.GetDefaultEngineConfig()
	c.Expert.Engine.ExecShards = 4
	c.Expert.LogDB = config.GetSmallMemLogDBConfig()
	c.Expert.LogDB.Shards = 4
	nh, err := dragonboat.NewNodeHost(c)
	if err != nil {
		end()
		return nil, nil, err
	}
	for s := range o.Shards {
		err := nh.StartOnDiskReplica(members, false, func(uint64, uint64) sm.IOnDiskStateMachine { return nop{} },
			config.Config{ReplicaID: uint64(id), ShardID: uint64(s + 1), ElectionRTT: 20, HeartbeatRTT: 2, CheckQuorum: true})
		if err != nil {
			nh.Close()
			end()
			return nil, nil, err
		}
	}
	return nh, func() { nh.Close(); end() }, nil
}

// leaderWait bounds the first elections.
const leaderWait = 30 * time.Second

func awaitLeaders(o Options, hosts []*dragonboat.NodeHost) ([]*dragonboat.NodeHost, error) {
	out := make([]*dragonboat.NodeHost, o.Shards)
	for end := time.Now().Add(leaderWait); ; {
		n := 0
		for s := range out {
			if l, _, ok, _ := hosts[0].GetLeaderID(uint64(s + 1)); ok {
				out[s] = hosts[l-1]
				n++
			}
		}
		if n == o.Shards {
			return out, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("rawbench: no leaders after %v", leaderWait)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func load(o Options, leaders []*dragonboat.NodeHost) Result {
	body := make([]byte, o.Size)
	_, _ = rand.Read(body) // never fails (crypto/rand)
	var counting, stop atomic.Bool
	var n atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for w := range o.InFlight {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := w % o.Shards
			session := leaders[s].GetNoOPSession(uint64(s + 1))
			var own []time.Duration
			for !stop.Load() {
				began := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				_, err := leaders[s].SyncPropose(ctx, session, body)
				cancel()
				if err == nil && counting.Load() {
					own = append(own, time.Since(began))
					n.Add(1)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
		}()
	}
	time.Sleep(o.Warmup)
	counting.Store(true)
	began := time.Now()
	time.Sleep(o.Duration)
	counting.Store(false)
	took := time.Since(began).Seconds()
	stop.Store(true)
	wg.Wait()
	r := Result{Store: o.Store, Nodes: len(o.Addresses), Size: o.Size, InFlight: o.InFlight, Rate: float64(n.Load()) / took}
	r.MBps = r.Rate * float64(o.Size) / 1e6
	if slices.Sort(all); len(all) > 0 {
		r.P50ms = float64(all[len(all)/2].Microseconds()) / 1e3
		r.P99ms = float64(all[len(all)*99/100].Microseconds()) / 1e3
	}
	return r
}

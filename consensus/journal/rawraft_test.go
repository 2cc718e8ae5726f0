package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/plugin/tan"
	sm "github.com/lni/dragonboat/v4/statemachine"
)

// nothing is an on-disk machine that does nothing, so that the log store is what is measured.
type nothing struct{}

func (nothing) Open(<-chan struct{}) (uint64, error)     { return 0, nil }
func (nothing) Update(es []sm.Entry) ([]sm.Entry, error) { return es, nil }
func (nothing) Lookup(interface{}) (interface{}, error)  { return nil, nil }
func (nothing) Sync() error                              { return nil }
func (nothing) PrepareSnapshot() (interface{}, error)    { return nil, nil }
func (nothing) SaveSnapshot(_ interface{}, w io.Writer, _ <-chan struct{}) error {
	_, err := w.Write([]byte{1})
	return err
}
func (nothing) RecoverFromSnapshot(io.Reader, <-chan struct{}) error { return nil }
func (nothing) Close() error                                         { return nil }

type workload struct {
	name            string
	bytes, inFlight int
}

// BenchmarkRawRaft proposes random bytes to three NodeHosts in one process, four shards, over TCP, every entry synced by
// a majority; on dragonboat's default store, on tan and on the journal in turn. Run it with -benchtime 1x; figures are
// of one machine, ratios within a run count.
func BenchmarkRawRaft(b *testing.B) {
	quiet()
	const rounds, duration = 2, 3 * time.Second
	for _, w := range []workload{{"128KiB x 64", 128 << 10, 64}, {"1KiB x 256", 1 << 10, 256}, {"1KiB x 1", 1 << 10, 1}} {
		b.Run(w.name, func(b *testing.B) {
			for b.Loop() {
				rate := map[string]float64{}
				p50 := map[string]time.Duration{}
				for range rounds {
					for _, store := range []string{"default", "tan", "journal"} {
						r, p := rawRaft(b, store, w, duration)
						rate[store] += r / rounds
						p50[store] += p / rounds
					}
				}
				for _, store := range []string{"default", "tan"} {
					b.ReportMetric(rate["journal"]/rate[store], "x-"+store)
					b.ReportMetric(float64(p50["journal"])/float64(p50[store]), "p50/"+store)
				}
				b.Logf("%s: default %.0f/s %v, tan %.0f/s %v, journal %.0f/s %v", w.name, rate["default"], p50["default"],
					rate["tan"], p50["tan"], rate["journal"], p50["journal"])
			}
		})
	}
}

func rawRaft(b *testing.B, store string, w workload, duration time.Duration) (perSecond float64, p50 time.Duration) {
	const nodes, shards = 3, 4
	dir := b.TempDir()
	members := map[uint64]string{}
	for i := uint64(1); i <= nodes; i++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		members[i] = l.Addr().String()
		_ = l.Close()
	}
	var hosts []*dragonboat.NodeHost
	var journals []*Journal
	defer func() {
		for _, h := range hosts {
			h.Close()
		}
		for _, j := range journals {
			if err := j.Close(); err != nil {
				b.Error(err)
			}
		}
	}()
	for i := uint64(1); i <= nodes; i++ {
		c := config.NodeHostConfig{NodeHostDir: fmt.Sprintf("%s/n%d", dir, i), RTTMillisecond: 20, RaftAddress: members[i]}
		c.Expert.Engine = config.GetDefaultEngineConfig()
		c.Expert.Engine.ExecShards = 4
		c.Expert.LogDB = config.GetSmallMemLogDBConfig()
		c.Expert.LogDB.Shards = 4
		switch store {
		case "tan":
			c.Expert.LogDBFactory = tan.Factory
		case "journal":
			j, err := Open(Options{FS: vfs.Default, Dir: fmt.Sprintf("%s/j%d", dir, i), Direct: OSDirect(), SegmentBytes: 128 << 20, CacheBytes: 128 << 20})
			if err != nil {
				b.Fatal(err)
			}
			if err := j.refill(func() bool { return false }); err != nil { // as after a start or when idle
				b.Fatal(err)
			}
			journals = append(journals, j)
			c.Expert.LogDBFactory = j.Factory()
			c.Expert.LogDB.Shards = 1
		}
		h, err := dragonboat.NewNodeHost(c)
		if err != nil {
			b.Fatal(err)
		}
		hosts = append(hosts, h)
		for s := uint64(1); s <= shards; s++ {
			err := h.StartOnDiskReplica(members, false, func(uint64, uint64) sm.IOnDiskStateMachine { return nothing{} },
				config.Config{ReplicaID: i, ShardID: s, ElectionRTT: 20, HeartbeatRTT: 2, CheckQuorum: true})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	leaders := make([]*dragonboat.NodeHost, shards+1)
	for s := range uint64(shards) {
		for leaders[s+1] == nil {
			if l, _, ok, _ := hosts[0].GetLeaderID(s + 1); ok {
				leaders[s+1] = hosts[l-1]
			} else {
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	var n atomic.Int64
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	body := make([]byte, w.bytes)
	_, _ = rand.Read(body)
	end := time.Now().Add(duration)
	for k := range w.inFlight {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := uint64(k%shards + 1)
			session := leaders[s].GetNoOPSession(s)
			var mine []time.Duration
			for time.Now().Before(end) {
				start := time.Now()
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				_, err := leaders[s].SyncPropose(ctx, session, body)
				cancel()
				if err != nil {
					if !errors.Is(err, dragonboat.ErrShardNotReady) && !errors.Is(err, dragonboat.ErrSystemBusy) {
						b.Error(err)
						return
					}
					continue
				}
				mine = append(mine, time.Since(start))
				n.Add(1)
			}
			mu.Lock()
			all = append(all, mine...)
			mu.Unlock()
		}()
	}
	wg.Wait()
	slices.Sort(all)
	if len(all) == 0 {
		b.Fatal("nothing was proposed")
	}
	return float64(n.Load()) / duration.Seconds(), all[len(all)/2]
}

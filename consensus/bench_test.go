package consensus

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	sm "github.com/lni/dragonboat/v4/statemachine"

	"github.com/tallymq/tallymq/consensus/journal"
)

// idle is a machine that does nothing, so that the proposer's own cost is measured.
type idle struct{ n uint64 }

func (m *idle) Open(<-chan struct{}) (uint64, []byte, error)       { return 0, nil, nil }
func (m *idle) Apply(b *ApplyBatch) error                          { m.n = b.Applied; return nil }
func (m *idle) Sync() error                                        { return nil }
func (m *idle) DurableApplied() uint64                             { return m.n }
func (m *idle) PrepareSnapshot() (any, error)                      { return nil, nil }
func (m *idle) SaveSnapshot(any, io.Writer, <-chan struct{}) error { return nil }
func (m *idle) InstallSnapshot(io.Reader, <-chan struct{}) (uint64, []byte, error) {
	return 0, nil, nil
}
func (m *idle) Missing(_ context.Context, _, _ uint64, _ func(journal.Name) bool, _ func(journal.Name) bool) error {
	return nil
}
func (m *idle) Close() error { return nil }

// raw is a bare dragonboat machine.
type raw struct{}

func (raw) Open(<-chan struct{}) (uint64, error)                 { return 0, nil }
func (raw) Update(es []sm.Entry) ([]sm.Entry, error)             { return es, nil }
func (raw) Lookup(any) (any, error)                              { return nil, nil }
func (raw) Sync() error                                          { return nil }
func (raw) PrepareSnapshot() (any, error)                        { return nil, nil }
func (raw) SaveSnapshot(any, io.Writer, <-chan struct{}) error   { return nil }
func (raw) RecoverFromSnapshot(io.Reader, <-chan struct{}) error { return nil }
func (raw) Close() error                                         { return nil }

const rawShard = 99

func benchCluster(b *testing.B) (*testCluster, *testNode, *dragonboat.NodeHost) {
	c := newCluster(b, 3)
	dir, err := os.MkdirTemp("", "consensus-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	for i, n := range c.nodes {
		n.fs = vfs.Default
		n.dir = fmt.Sprintf("%s/%d", dir, i)
		n.segmentBytes = 256 << 20
		n.direct = journal.OSDirect()
		n.options = func(o *Options) {
			o.RTT, o.ElectionRTT, o.HeartbeatRTT = 20*time.Millisecond, 50, 5
			o.Machines = func(uint64, uint64) Machine { return &idle{} }
		}
	}
	c.boot(3)
	for _, n := range c.nodes {
		err := n.host.nh.StartOnDiskReplica(c.members(3), false, func(uint64, uint64) sm.IOnDiskStateMachine { return raw{} },
			config.Config{ShardID: rawShard, ReplicaID: uint64(n.id), ElectionRTT: 50, HeartbeatRTT: 5, CheckQuorum: true, PreVote: true})
		if err != nil {
			b.Fatal(err)
		}
	}
	leader := c.leader()
	var rawLeader *dragonboat.NodeHost
	c.eventually("a raw leader", func() bool {
		for _, n := range c.nodes {
			if id, _, ok, _ := n.host.nh.GetLeaderID(rawShard); ok && id == uint64(n.id) {
				rawLeader = n.host.nh
				return true
			}
		}
		return false
	})
	return c, leader, rawLeader
}

// coalesced proposes n commands of 1 KiB, as many as fit waiting, and returns the seconds it took.
func coalesced(b *testing.B, leader *testNode, n, waiting int) float64 {
	payload := make([]byte, 1024)
	window := make(chan struct{}, waiting)
	done := func(_ []byte, err error) {
		if err != nil {
			b.Error(err)
		}
		<-window
	}
	start := time.Now()
	for range n {
		window <- struct{}{}
		leader.host.Propose(&Proposal{Shard: testShard, Payload: payload, Done: done})
	}
	for range waiting {
		window <- struct{}{}
	}
	return time.Since(start).Seconds()
}

// rawProposals proposes the same bytes as entries of the given size, flight of them at once.
func rawProposals(b *testing.B, nh *dragonboat.NodeHost, n, size, flight int) float64 {
	s := nh.GetNoOPSession(rawShard)
	cmd := make([]byte, size)
	slots := make(chan struct{}, flight)
	var wg sync.WaitGroup
	start := time.Now()
	for range n {
		slots <- struct{}{}
		rs, err := nh.Propose(s, cmd, 20*time.Second)
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			if r := <-rs.ResultC(); !r.Completed() {
				b.Errorf("raw proposal: %+v", r)
			}
			rs.Release()
			<-slots
		})
	}
	wg.Wait()
	return time.Since(start).Seconds()
}

// BenchmarkCoalesced compares commands of 1 KiB with raw proposals of the same bytes, in one run on the same journals:
// as entries of the size we pack (what dragonboat can do at best), and as one entry per command (what we avoid).
func BenchmarkCoalesced(b *testing.B) {
	_, leader, nh := benchCluster(b)
	const commands = 64 << 10 // 64 MiB
	coalesced(b, leader, commands/8, 4096)
	var ours, best, single float64
	b.ResetTimer()
	for range b.N {
		ours += coalesced(b, leader, commands, 16384)
		best += rawProposals(b, nh, commands/512, 512<<10, 4)
		single += rawProposals(b, nh, commands/8, 1<<10, 2048) * 8
	}
	mb := float64(b.N) * commands / 1024
	b.ReportMetric(mb/ours, "MiB/s-ours")
	b.ReportMetric(mb/best, "MiB/s-raw-512KiB")
	b.ReportMetric(mb/single, "MiB/s-raw-1KiB")
	b.ReportMetric(best/ours, "ratio-512KiB")
	b.ReportMetric(single/ours, "ratio-1KiB")
}

// BenchmarkLone compares one command at a time with one raw proposal at a time.
func BenchmarkLone(b *testing.B) {
	_, leader, nh := benchCluster(b)
	var ours, best float64
	b.ResetTimer()
	for range b.N {
		for range 25 { // in turn, so that what else the machine does meets both
			ours += coalesced(b, leader, 20, 1)
			best += rawProposals(b, nh, 20, 1<<10, 1)
		}
	}
	b.ReportMetric(ours/float64(b.N)/500*1e6, "us-ours")
	b.ReportMetric(best/float64(b.N)/500*1e6, "us-raw")
	b.ReportMetric(ours/best, "ratio")
}

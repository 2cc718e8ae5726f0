package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/batch"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/store"
	"github.com/tallymq/tallymq/internal/freeport"
)

// testNode is one node on a file system in memory and real sockets.
type testNode struct {
	t       testing.TB
	id      broker.NodeID
	fs      *vfs.MemFS
	rpc     string
	raft    string
	initial []InitialNode
	join    []string

	j *journal.Journal
	s *store.Store
	e *Engine
	h *consensus.Host
}

// freeAddr is an address nobody listens at.
func freeAddr(t testing.TB) string {
	a, err := freeport.Addresses(1)
	if err != nil {
		t.Fatal(err)
	}
	return a[0]
}

func newTestNode(t testing.TB, id broker.NodeID) *testNode {
	return &testNode{t: t, id: id, fs: vfs.NewMem(), rpc: freeAddr(t), raft: freeAddr(t)}
}

// newTestCluster makes n nodes that begin together.
func newTestCluster(t testing.TB, n int) []*testNode {
	var ns []*testNode
	var initial []InitialNode
	for i := range n {
		x := newTestNode(t, broker.NodeID(i+1))
		ns = append(ns, x)
		initial = append(initial, InitialNode{Node: x.id, RPCAddr: x.rpc, RaftAddr: x.raft})
	}
	var wg sync.WaitGroup
	for _, x := range ns {
		x.initial = initial
		wg.Add(1)
		go func() { defer wg.Done(); x.start() }()
	}
	wg.Wait()
	for _, x := range ns {
		x.ready()
	}
	t.Cleanup(func() {
		for _, x := range ns {
			x.stop()
		}
	})
	return ns
}

func (n *testNode) start() {
	n.t.Helper()
	must := func(err error) {
		if err != nil {
			n.t.Errorf("node %d: %v", n.id, err)
			panic(err)
		}
	}
	level := slog.LevelError
	if os.Getenv("TALLYMQ_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("node", n.id)
	var err error
	n.j, err = journal.Open(journal.Options{FS: n.fs, Dir: "journal", SegmentBytes: 4 << 20, ScrubBytesPerSecond: -1, Logger: log})
	must(err)
	n.s, err = store.Open(store.Options{FS: n.fs, Dir: "rows", Logger: log})
	must(err)
	n.e, err = New(Options{Node: n.id, Kafka: broker.Endpoint{Host: "127.0.0.1", Port: 9000 + int32(n.id)}, RPCAddr: n.rpc, RaftAddr: n.raft, Initial: n.initial, Join: n.join,
		DataShards: 2, CompactionCheck: 50 * time.Millisecond, ConsumerLease: 6 * time.Second, FS: n.fs, Dir: "data", Store: n.s, Journal: n.j, Logger: log, AutoCreateTopics: true})
	must(err)
	l, err := net.Listen("tcp", n.rpc)
	must(err)
	n.h, err = consensus.Start(consensus.Options{Node: int32(n.id), ClusterID: n.e.ClusterID(), Dir: "raft", FS: n.fs, RaftAddress: n.raft, RPCListener: l,
		Dial: func(ctx context.Context, a string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", a)
		},
		Journal: n.j, Machines: n.e.Machine, Leadership: n.e.Leadership, Logger: log, RTT: 10 * time.Millisecond, ElectionRTT: 30, HeartbeatRTT: 3})
	must(err)
	must(n.e.Run(context.Background(), n.h))
}

func (n *testNode) stop() {
	if n.e == nil {
		return
	}
	for _, f := range []func() error{n.e.Close, n.h.Close, n.s.Close, n.j.Close} {
		if err := f(); err != nil {
			n.t.Errorf("node %d: close: %v", n.id, err)
		}
	}
	n.e = nil
}

// ready waits until the node can serve.
func (n *testNode) ready() {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("node %d ready", n.id), func() error { return n.e.Ready() })
}

// eventually tries until it works; the bound is far above what any machine needs.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// records makes a batch of one value each.
func records(values ...string) []byte {
	b := batch.NewBuilder()
	for _, v := range values {
		b.Append(batch.Record{Value: []byte(v), Timestamp: 1000})
	}
	return b.Bytes()
}

// appendTo appends at whichever node leads, as a client does.
func appendTo(t testing.TB, ns []*testNode, p broker.Partition, b []byte) broker.AppendResult {
	t.Helper()
	var out broker.AppendResult
	eventually(t, "append", func() error {
		var err error
		for _, n := range ns {
			if n.e == nil {
				continue
			}
			done := make(chan struct{})
			n.e.Append(context.Background(), &broker.Append{Partition: p, Batch: b, Deadline: time.Now().Add(5 * time.Second), Done: func(r broker.AppendResult, e error) {
				out, err = r, e
				close(done)
			}})
			<-done
			if err == nil {
				return nil
			}
		}
		return err
	})
	return out
}

// readAll reads the values of a partition from an offset to its end, at its leader.
func readAll(t testing.TB, ns []*testNode, p broker.Partition, from broker.Offset) []string {
	t.Helper()
	var out []string
	eventually(t, "read", func() error {
		var err error
		for _, n := range ns {
			if n.e == nil {
				continue
			}
			out = nil
			if out, err = readFrom(n.e, p, from); err == nil {
				return nil
			}
		}
		return err
	})
	return out
}

func readFrom(e *Engine, p broker.Partition, from broker.Offset) ([]string, error) {
	var out []string
	for {
		r, err := e.Read(context.Background(), &broker.Read{Partitions: []broker.ReadPartition{{Partition: p, Offset: from, Epoch: broker.NoEpoch, LastEpoch: broker.NoEpoch, MaxBytes: 1 << 20}}, MaxBytes: 1 << 20})
		if err != nil {
			return nil, err
		}
		x := r.Partitions[0]
		if x.Err != nil {
			return nil, x.Err
		}
		if len(x.Batches) == 0 {
			return out, nil
		}
		for _, b := range x.Batches {
			for rec, err := range batch.Records(b) {
				if err != nil {
					return nil, err
				}
				if broker.Offset(rec.Offset) != from {
					return nil, fmt.Errorf("offset %d where %d was due", rec.Offset, from)
				}
				out = append(out, string(rec.Value))
				from++
			}
		}
		r.Release()
	}
}

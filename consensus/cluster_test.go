package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/internal/freeport"
)

// testNode is one node of a cluster in this process; its disks outlive its host.
type testNode struct {
	c          *testCluster
	id         NodeID
	fs         vfs.FS
	raftAddr   string
	rpcAddr    string
	disks      map[[2]uint64]*toyDisk
	installing func(*toy)
	walking    func(context.Context, *toy)
	options    func(*Options)

	dir          string // of a real file system; empty: /
	segmentBytes int64
	direct       journal.DirectOpener

	host    *Host
	journal *journal.Journal
	mu      sync.Mutex
	toys    map[uint64]*toy
	changes []LeaderChange
}

type testCluster struct {
	t     testing.TB
	nodes []*testNode
	log   *slog.Logger
}

const testShard = 7

func newCluster(t testing.TB, n int) *testCluster {
	c := &testCluster{t: t, log: slog.New(slog.DiscardHandler)}
	if os.Getenv("CONSENSUS_LOG") != "" {
		c.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for i := range n {
		c.nodes = append(c.nodes, &testNode{c: c, id: NodeID(i + 1), fs: vfs.NewMem(), raftAddr: freeAddr(t), rpcAddr: freeAddr(t), disks: map[[2]uint64]*toyDisk{}})
	}
	t.Cleanup(func() {
		for _, n := range c.nodes {
			n.stop()
		}
	})
	return c
}

// freeAddr is an address nobody listens at.
func freeAddr(t testing.TB) string {
	a, err := freeport.Addresses(1)
	if err != nil {
		t.Fatal(err)
	}
	return a[0]
}

func (c *testCluster) peers() []Peer {
	var ps []Peer
	for _, n := range c.nodes {
		ps = append(ps, Peer{Node: n.id, RPCAddr: n.rpcAddr, RaftAddr: n.raftAddr})
	}
	return ps
}

// placement is replica i on node i for the first n nodes.
func (c *testCluster) placement(n int) []Placement {
	var ps []Placement
	for _, n := range c.nodes[:n] {
		ps = append(ps, Placement{Replica: uint64(n.id), Node: n.id})
	}
	return ps
}

func (n *testNode) start() {
	n.c.t.Helper()
	if err := n.tryStart(); err != nil {
		n.c.t.Fatal(err)
	}
}

func (n *testNode) tryStart() error {
	l, err := net.Listen("tcp", n.rpcAddr)
	if err != nil {
		return err
	}
	n.toys = map[uint64]*toy{}
	o := Options{
		Node: n.id, ClusterID: "test", Dir: n.dir + "/raft", FS: n.fs, RaftAddress: n.raftAddr, RPCListener: l,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		},
		Machines: n.machine, Logger: n.c.log.With("node", n.id),
		Leadership: func(ch LeaderChange) { n.mu.Lock(); n.changes = append(n.changes, ch); n.mu.Unlock() },
		RTT:        5 * time.Millisecond, ElectionRTT: 20, HeartbeatRTT: 2,
		Limits: Limits{ResendAfter: time.Second},
	}
	if n.options != nil {
		n.options(&o)
	}
	j, err := journal.Open(journal.Options{FS: n.fs, Dir: n.dir + "/journal", Direct: n.direct, SegmentBytes: max(n.segmentBytes, 4<<20), ScrubBytesPerSecond: -1, Logger: n.c.log, OnDamage: func(d journal.Damage) {
		if h := n.host; h != nil {
			h.OnDamage(d)
		}
	}})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.journal, o.Journal = j, j
	h, err := Start(o)
	if err != nil {
		return errors.Join(err, l.Close(), j.Close())
	}
	n.host = h
	h.SetPeers(n.c.peers())
	return nil
}

func (n *testNode) machine(shard, replica uint64) Machine {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := [2]uint64{shard, replica}
	if n.disks[key] == nil {
		n.disks[key] = &toyDisk{}
	}
	t := &toy{disk: n.disks[key], installing: n.installing, walking: n.walking}
	n.toys[shard] = t
	return t
}

func (n *testNode) stop() {
	if n.host == nil {
		return
	}
	if err := n.host.Close(); err != nil {
		n.c.t.Error(err)
	}
	if err := n.journal.Close(); err != nil {
		n.c.t.Error(err)
	}
	n.host = nil
}

func (n *testNode) toy() *toy {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.toys[testShard]
}

// boot starts the first k nodes with a replica of testShard each, and the others without.
func (c *testCluster) boot(k int) {
	c.t.Helper()
	for _, n := range c.nodes {
		n.start()
		n.host.SetPlacement(testShard, c.placement(k))
	}
	for _, n := range c.nodes[:k] {
		n.startReplica(c.members(k))
	}
}

func (c *testCluster) members(k int) map[ReplicaID]string {
	m := map[ReplicaID]string{}
	for _, n := range c.nodes[:k] {
		m[uint64(n.id)] = n.raftAddr
	}
	return m
}

func (n *testNode) startReplica(initial map[ReplicaID]string) {
	n.c.t.Helper()
	if err := n.host.StartReplica(n.c.ctx(), ReplicaSpec{Shard: testShard, Replica: uint64(n.id), Initial: initial}); err != nil {
		n.c.t.Fatal(err)
	}
}

func (c *testCluster) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	c.t.Cleanup(cancel)
	return ctx
}

// eventually waits for a condition that progress alone brings about; the time is only there to end a test that hangs.
func (c *testCluster) eventually(what string, ok func() bool) {
	c.t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			for _, n := range c.nodes {
				if n.host != nil {
					for _, s := range n.host.Replicas() {
						c.t.Logf("node %d: %v", n.id, s)
					}
				}
			}
			c.t.Fatalf("never: %s", what)
		}
	}
}

// leader waits for a node that leads.
func (c *testCluster) leader() *testNode {
	c.t.Helper()
	var found *testNode
	c.eventually("a leader", func() bool {
		for _, n := range c.nodes {
			if n.host == nil {
				continue
			}
			if _, ok := n.host.Leading(testShard); ok {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

type outcome struct {
	result []byte
	err    error
}

func (n *testNode) propose(ctx context.Context, term uint64, body []byte) outcome {
	ch := make(chan outcome, 1)
	n.host.Propose(&Proposal{Ctx: ctx, Shard: testShard, Term: term, Head: body, Done: func(r []byte, err error) { ch <- outcome{r, err} }})
	return <-ch
}

func (n *testNode) mustPropose(body string) uint64 {
	n.c.t.Helper()
	o := n.propose(n.c.ctx(), 0, []byte(body))
	if o.err != nil {
		n.c.t.Fatal(o.err)
	}
	return binary.BigEndian.Uint64(o.result)
}

// sameLogs waits until the nodes have applied equally much and checks that they applied the same.
func (c *testCluster) sameLogs(nodes ...*testNode) {
	c.t.Helper()
	for _, n := range nodes {
		if err := n.host.ReadBarrier(c.ctx(), testShard); err != nil {
			c.t.Fatal(err)
		}
	}
	c.eventually("equal lengths", func() bool {
		for _, n := range nodes[1:] {
			if len(n.toy().log()) != len(nodes[0].toy().log()) {
				return false
			}
		}
		return true
	})
	want := nodes[0].toy().log()
	for _, n := range nodes[1:] {
		got := n.toy().log()
		for i := range want {
			if want[i].Index != got[i].Index || want[i].Node != got[i].Node || !slices.Equal(want[i].Body, got[i].Body) {
				c.t.Fatalf("row %d: node %d has %v, node %d has %v", i, nodes[0].id, want[i], n.id, got[i])
			}
		}
	}
}

func body(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }

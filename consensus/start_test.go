package consensus

import (
	"context"
	"crypto/md5"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lni/dragonboat/v4/raftpb"
)

// A container comes back under another host name: dragonboat would refuse it. A changed Raft address is refused by us.
func TestChangedHostNameAndAddress(t *testing.T) {
	c := newCluster(t, 1)
	n := c.nodes[0]
	c.boot(1)
	c.leader()
	n.mustPropose("a")
	n.stop()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	list, err := n.fs.List("/raft")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		if entry == name {
			t.Fatalf("the host's name is in the data directory: %v", list)
		}
	}
	s, ok, err := readFlagFile(n.fs, "/raft")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	s.Hostname = "another-" + name
	writeFlag(t, n.fs, s)
	n.start()
	n.startReplica(nil)
	c.leader()
	n.mustPropose("b")
	n.stop()

	old := n.raftAddr
	n.raftAddr = freeAddr(t)
	if err := n.tryStart(); !errors.Is(err, ErrAddressChanged) || !strings.Contains(err.Error(), old) {
		t.Fatal(err)
	}
	n.raftAddr = old
	// Files torn by a crash of the first start, or damaged since, are no reason to panic.
	for _, name := range []string{flagFileName, idFileName} {
		if _, err := n.fs.Stat("/raft/" + name); err != nil {
			t.Fatal(err)
		}
		if err := writeFileAtomically(n.fs, "/raft/"+name, []byte("torn, or damaged")); err != nil {
			t.Fatal(err)
		}
	}
	n.start()
	n.startReplica(nil)
	c.leader()
	n.mustPropose("c")
	if got := len(n.toy().log()); got < 3 {
		t.Fatalf("%d rows after three starts", got)
	}
}

func writeFlag(t *testing.T, fs vfs.FS, s raftpb.RaftDataStatus) {
	t.Helper()
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum(b)
	if err := writeFileAtomically(fs, "/raft/"+flagFileName, append(sum[8:], b...)); err != nil {
		t.Fatal(err)
	}
}

// After Close nothing of this package, dragonboat or grpc runs.
func TestCloseEndsEveryGoroutine(t *testing.T) {
	c := newCluster(t, 4)
	c.boot(3)
	c.leader()
	for _, n := range c.nodes {
		n.mustPropose("x")
	}
	// Stopped and started again in the same process.
	n := c.nodes[1]
	if err := n.host.StopReplica(testShard); err != nil {
		t.Fatal(err)
	}
	n.mustPropose("forwarded meanwhile")
	n.startReplica(nil)
	n.mustPropose("local again")
	if err := n.host.StartReplica(c.ctx(), ReplicaSpec{Shard: testShard, Replica: 2}); !errors.Is(err, ErrAlreadyStarted) {
		t.Fatal(err)
	}
	for _, n := range c.nodes {
		n.stop()
	}
	var left string
	c.eventually("no goroutine", func() bool {
		buf := make([]byte, 1<<20)
		left = ""
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "TestCloseEndsEveryGoroutine") || !(strings.Contains(g, "tallymq/consensus.") || strings.Contains(g, "dragonboat") || strings.Contains(g, "grpc")) {
				continue
			}
			left += g + "\n\n"
		}
		return left == ""
	})
	_ = left
}

func TestWindowAndSizeRefusals(t *testing.T) {
	c := newCluster(t, 1)
	n := c.nodes[0]
	n.options = func(o *Options) {
		o.Limits.CommandBytes, o.Limits.ShardWindowBytes, o.Limits.NodeWindowBytes = 1000, 4000, 4000
	}
	n.start() // no replica: nothing is ever applied
	n.host.SetPlacement(testShard, nil)
	if o := n.propose(c.ctx(), 0, make([]byte, 1001)); !errors.Is(o.err, ErrNotApplied) || !errors.Is(o.err, ErrTooLarge) {
		t.Fatal(o.err)
	}
	// Two of three members are missing, so that what is proposed stays in flight.
	members := map[ReplicaID]string{1: n.raftAddr, 2: freeAddr(t), 3: freeAddr(t)}
	n.startReplica(members)
	var unknown atomic.Int32
	ctx, cancel := context.WithCancel(context.Background())
	for range 3 {
		n.host.Propose(&Proposal{Ctx: ctx, Shard: testShard, Head: make([]byte, 1000), Done: func(_ []byte, err error) {
			if errors.Is(err, ErrUnknownOutcome) {
				unknown.Add(1)
			}
		}})
	}
	short, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	if o := n.propose(short, 0, make([]byte, 1000)); !errors.Is(o.err, ErrNotApplied) {
		t.Fatalf("a full window: %v", o.err)
	}
	cancel()
	c.eventually("cancelled commands answered", func() bool { return unknown.Load() == 3 })
	// Blocked in the window while the host closes: certainly not applied.
	blocked := make(chan outcome, 1)
	go func() { blocked <- n.propose(context.Background(), 0, make([]byte, 1000)) }()
	time.Sleep(10 * time.Millisecond) // whether it is blocked already or comes too late, the answer is the same
	host := n.host
	n.stop()
	if o := <-blocked; !errors.Is(o.err, ErrNotApplied) {
		t.Fatal(o.err)
	}
	var got error
	host.Propose(&Proposal{Shard: testShard, Done: func(_ []byte, err error) { got = err }})
	if !errors.Is(got, ErrNotApplied) || !errors.Is(got, ErrClosed) {
		t.Fatal(got)
	}
}

func TestNodeRPC(t *testing.T) {
	c := newCluster(t, 2)
	c.nodes[1].options = func(o *Options) { o.Limits.MessageBytes = 40 << 20 }
	for _, n := range c.nodes {
		n.start()
	}
	a, b := c.nodes[0].host, c.nodes[1].host
	b.Handle("echo", func(_ context.Context, from NodeID, body []byte) ([]byte, error) {
		return append([]byte{byte(from)}, body...), nil
	})
	b.Handle("refuse", func(context.Context, NodeID, []byte) ([]byte, error) { return nil, errors.New("no") })
	b.Handle("known", func(context.Context, NodeID, []byte) ([]byte, error) { return nil, ErrNotWhole })
	if got, err := a.Call(c.ctx(), 2, "echo", []byte("x")); err != nil || string(got) != "\x01x" {
		t.Fatal(got, err)
	}
	if got, err := a.CallAddr(c.ctx(), c.nodes[1].rpcAddr, "echo", make([]byte, 8<<20)); err != nil || len(got) != 8<<20+1 {
		t.Fatal(len(got), err)
	}
	var remote *RemoteError
	if _, err := a.Call(c.ctx(), 2, "refuse", nil); !errors.As(err, &remote) || remote.Message != "no" {
		t.Fatal(err)
	}
	if _, err := a.Call(c.ctx(), 2, "known", nil); !errors.Is(err, ErrNotWhole) {
		t.Fatal(err)
	}
	if _, err := a.Call(c.ctx(), 2, "nothing", nil); !errors.As(err, &remote) {
		t.Fatal(err)
	}
	if _, err := a.Call(c.ctx(), 2, "echo", make([]byte, 41<<20)); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
	if _, err := a.Call(c.ctx(), 9, "echo", nil); !errors.Is(err, ErrUnknownNode) {
		t.Fatal(err)
	}
	c.nodes[1].stop()
	if _, err := a.Call(c.ctx(), 2, "echo", nil); !errors.Is(err, ErrUnreachable) {
		t.Fatal(err)
	}
	c.nodes[1].options = func(o *Options) { o.ClusterID = "another" }
	c.nodes[1].start()
	c.eventually("refused", func() bool {
		_, err := a.Call(c.ctx(), 2, "echo", nil)
		return errors.Is(err, ErrWrongCluster)
	})
	// Who does not know its cluster yet may ask: it is joining.
	c.nodes[0].stop()
	c.nodes[0].options = func(o *Options) { o.ClusterID = "" }
	c.nodes[0].start()
	c.nodes[1].host.Handle("join", func(context.Context, NodeID, []byte) ([]byte, error) { return []byte("welcome"), nil })
	if got, err := c.nodes[0].host.Call(c.ctx(), 2, "join", nil); err != nil || string(got) != "welcome" {
		t.Fatal(got, err)
	}
}

// A node that died right after a replica of it was made, before Raft saved anything, starts that replica again.
func TestABootstrapRecordIsAllThereIs(t *testing.T) {
	c := newCluster(t, 1)
	n := c.nodes[0]
	n.start()
	if err := n.journal.SaveBootstrapInfo(testShard, uint64(n.id), raftpb.NewBootstrapInfo(false, raftpb.OnDiskStateMachine, c.members(1))); err != nil {
		t.Fatal(err)
	}
	n.stop()
	n.start()
	n.host.SetPlacement(testShard, c.placement(1))
	n.startReplica(c.members(1))
	c.leader()
	n.mustPropose("a")
}

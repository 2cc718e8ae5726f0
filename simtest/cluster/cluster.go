package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/engine/store"
	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/ops/node"
	"github.com/tallymq/tallymq/simtest"
)

// Ports of every node.
const (
	kafkaPort = 9092
	amqpPort  = 5672
	raftPort  = 7092
	rpcPort   = 7093
)

// Options say how a cluster is made.
type Options struct {
	Nodes int // 3 when 0
	// Config changes a node's configuration before each start; nil leaves it.
	Config func(c *config.Config)
	// Unattended says that nobody gives a node an empty disk that asks for one.
	Unattended bool
	// Favour names places that act often, in nearly every world (simtest.World.Favour).
	Favour []string
	// Log receives what the nodes log; nil discards it.
	Log slog.Handler
}

// A Cluster is a set of nodes that a supervisor keeps running.
type Cluster struct {
	*simtest.Supervisor
	Names []string // of the processes, which are the hosts' names too

	w *simtest.World
	o Options

	mu    sync.Mutex
	nodes map[string]*node.Node // of the last incarnation that started
	worn  map[string]bool       // nodes that asked for an empty data-dir
}

// Stopped is the panic by which a node that must not go on ends its process.
type Stopped struct{ Err error }

// Error tells why.
func (s Stopped) Error() string { return "node stopped: " + s.Err.Error() }

// crash says that a panic ends a process as it should: the node itself said so, or its
// disk failed under dragonboat, which answers every error of a log store or of a snapshot
// by a panic, also that rows or entries are damaged (entries are repaired before the replica
// starts again), or under pebble, which does so when a folder that names its manifest cannot be
// synced, and where a compaction of its own still runs while a failed Open closes its caches.
// Entries that cannot be read for a follower are compacted ones for dragonboat: it wants to send
// a snapshot, and there may be none yet.
func (c *Cluster) crash(p *simtest.Process, v any, stack []byte) bool {
	if _, ok := v.(Stopped); ok {
		return true
	}
	hits, text := p.Disk.Hits(), fmt.Sprint(v)
	if hits["bit rot"]+hits["misdirected write"]+hits["misdirected read"] > 0 {
		switch {
		case strings.Contains(text, store.ErrCorrupt.Error()):
			c.ended(p.Name(), store.ErrCorrupt) // that is in the log for the operator
			return true
		case strings.Contains(text, journal.ErrDamaged.Error()):
			return true
		case strings.Contains(text, "got an empty snapshot"): // the entries that a follower lacks are the damaged ones
			return true
		}
	}
	if hits["sync error"]+hits["read error"]+hits["full"] == 0 {
		return false
	}
	return slices.ContainsFunc([]string{"journal: stopped by a failed write", syscall.EIO.Error(), syscall.ENOSPC.Error(),
		"element has outstanding references", "got an empty snapshot"},
		func(why string) bool { return strings.Contains(text, why) }) ||
		bytes.Contains(stack, []byte("pebble/v2/internal/genericcache"))
}

// New starts the nodes n1, n2, ...
func New(w *simtest.World, o Options) *Cluster {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Log == nil {
		o.Log = slog.DiscardHandler
	}
	c := &Cluster{w: w, o: o, nodes: map[string]*node.Node{}, worn: map[string]bool{}}
	for i := range o.Nodes {
		c.Names = append(c.Names, fmt.Sprintf("n%d", i+1))
	}
	c.Supervisor = simtest.NewSupervisor(w, c.boot)
	if w.PanicAllowed == nil {
		w.PanicAllowed = c.crash
	}
	acts := []string{"false", "true"}
	if len(o.Favour) > 0 {
		w.Favour(o.Favour...)
		acts = append(acts, "true", "true", "true", "true")
	}
	w.Buggify(w.OneOf("buggify", acts...) == "true")
	for _, name := range c.Names {
		c.Start(w.Process(name))
	}
	return c
}

// Seeds are the addresses that Kafka clients begin with.
func (c *Cluster) Seeds() []string {
	var seeds []string
	for _, name := range c.Names {
		seeds = append(seeds, fmt.Sprintf("%s:%d", name, kafkaPort))
	}
	return seeds
}

// AMQP is the address of a node for clients of RabbitMQ.
func AMQP(name string) string { return fmt.Sprintf("%s:%d", name, amqpPort) }

// ended notes why a node stopped or did not start. One whose rows are damaged, or every copy of
// its identity, asks its operator for an empty data-dir (docs/OPERATIONS.md), and gets it before its next start.
func (c *Cluster) ended(name string, err error) {
	if (errors.Is(err, store.ErrCorrupt) || errors.Is(err, engine.ErrIdentityDamaged)) && !c.o.Unattended {
		c.mu.Lock()
		c.worn[name] = true
		c.mu.Unlock()
	}
}

// operate gives a node that asked for it another drive.
func (c *Cluster) operate(p *simtest.Process) {
	c.mu.Lock()
	worn := c.worn[p.Name()]
	c.worn[p.Name()] = false
	c.mu.Unlock()
	if worn {
		c.w.Trace.Event("world", p.Name(), "the operator gives it an empty disk")
		p.Disk.Wipe()
	}
}

// boot is main of a node's process.
func (c *Cluster) boot(p *simtest.Process) error {
	c.operate(p)
	fx := node.Effects{
		FS:     p.Disk.Mount().FS(),
		Listen: func(addr string) (net.Listener, error) { return p.Host.Listen("tcp", addr) },
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return p.Host.Dial(ctx, "tcp", addr)
		},
		Transport: p.Host.RaftTransport(),
	}
	cfg := c.config(p.Name())
	if err := cfg.Validate(); err != nil {
		return err
	}
	n, err := node.Start(context.Background(), cfg, fx, slog.New(c.o.Log).With("node", p.Name()))
	if err != nil {
		c.ended(p.Name(), err)
		return err
	}
	c.mu.Lock()
	c.nodes[p.Name()] = n
	c.mu.Unlock()
	go func() {
		err := <-n.Fatal()
		c.ended(p.Name(), err)
		panic(Stopped{err})
	}()
	return nil
}

// Node is the last incarnation of a node that started, nil when there is none. Use it
// inside the node's process only, see Process.Do.
func (c *Cluster) Node(name string) *node.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[name]
}

// RequestBytesMax is what nodes take in one request: what clients were cut off from for long must come in several.
const RequestBytesMax = 1 << 20

// config is small in every limit, so that what is rare elsewhere is common here.
func (c *Cluster) config(name string) *config.Config {
	cfg := &config.Config{
		DataDir: "/data", DataShards: 2, DefaultPartitions: 2, AutoCreateTopics: true,
		RetentionCheckInterval: 10 * time.Second, CompactionCheckInterval: 2 * time.Second, OffsetsRetention: time.Hour, ProducerIDExpiry: time.Hour,
		GroupInitialRebalanceDelay: time.Second, ConsumerLease: 6 * time.Second,
		SegmentBytes: 1 << 20, JournalCacheBytes: 1 << 20, RowCacheBytes: 1 << 20, MemtableBytes: 1 << 20,
		ReserveBytes: 1 << 20, MaxRequestBytes: RequestBytesMax, InflightBytes: 4 << 20, ReadingBytes: 4 << 20,
		SnapshotBytes: 4 << 20, LogKeepBytes: 8 << 20, ScrubBytesPerSec: 1 << 20,
		MaxConnections: 100, ConnectionMaxIdle: 10 * time.Minute, RTT: 20 * time.Millisecond, ShutdownTime: 10 * time.Second,
		AdminListen: name + ":8080", LogLevel: "info", LogFormat: "text",
	}
	for i, n := range c.Names {
		raft, rpc := fmt.Sprintf("%s:%d", n, raftPort), fmt.Sprintf("%s:%d", n, rpcPort)
		cfg.InitialCluster = append(cfg.InitialCluster, fmt.Sprintf("%d=%s/%s", i+1, raft, rpc))
		if n == name {
			cfg.NodeID, cfg.RaftListen, cfg.RPCListen = int32(i+1), raft, rpc
		}
	}
	cfg.KafkaListen = fmt.Sprintf("%s:%d", name, kafkaPort)
	cfg.KafkaAdvertise = cfg.KafkaListen
	cfg.AMQPListen, cfg.AMQPGuestFrom = AMQP(name), "anywhere"
	if c.o.Config != nil {
		c.o.Config(cfg)
	}
	return cfg
}

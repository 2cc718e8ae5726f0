package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/tallymq/tallymq/consensus"
	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/consensus/rafttcp"
	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/store"
	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/protocols/amqp"
	"github.com/tallymq/tallymq/protocols/kafka"
)

// Node is one running node.
type Node struct {
	Config  *config.Config
	Engine  *engine.Engine
	Host    *consensus.Host
	Journal *journal.Journal
	Store   *store.Store
	Kafka   *kafka.Server
	AMQP    *amqp.Server // nil: the node does not listen for its clients

	kafkaAddr net.Addr
	amqpAddr  net.Addr
	log       *slog.Logger
	fatal     chan error
	once      sync.Once
	serving   sync.WaitGroup
	undo      []func(context.Context) error // in reverse order
}

// Version is the program's, told to other nodes.
const Version = "0.1.0"

// Start assembles and starts a node. The context bounds the start only.
func Start(ctx context.Context, cfg *config.Config, fx Effects, log *slog.Logger) (_ *Node, err error) {
	n := &Node{Config: cfg, log: log, fatal: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close(context.WithoutCancel(ctx)))
		}
	}()
	dir := func(name string) string { return fx.FS.PathJoin(cfg.DataDir, name) }
	if err := makeFolder(fx.FS, cfg.DataDir); err != nil {
		return n, fmt.Errorf("data-dir: %w", err)
	}
	// The lock keeps two processes from one journal.
	lock, err := fx.FS.Lock(dir("LOCK"))
	if err != nil {
		return n, fmt.Errorf("data-dir: %s is used by another process: %w", cfg.DataDir, err)
	}
	n.later(func(context.Context) error { return lock.Close() })

	var eng *engine.Engine
	var host *consensus.Host
	ready := make(chan struct{}) // closed once eng and host are set: damage found while opening waits
	n.Journal, err = journal.Open(journal.Options{
		FS: fx.FS, Dir: dir("journal"), Direct: fx.Direct,
		SegmentBytes: int64(cfg.SegmentBytes), CacheBytes: int64(cfg.JournalCacheBytes), ReserveBytes: int64(cfg.ReserveBytes),
		ScrubBytesPerSecond: scrubRate(cfg), Logger: log.With("part", "journal"),
		OnDamage: func(d journal.Damage) {
			log.Error("damage found in the journal", "damage", d)
			<-ready
			if host != nil {
				host.OnDamage(d)
			}
		},
		OnSpace: func(l journal.SpaceLevel) {
			<-ready
			if eng != nil {
				eng.Space(l)
			}
		},
		OnFatal: n.fail,
	})
	if err != nil {
		close(ready)
		return n, fmt.Errorf("open journal: %w", err)
	}
	n.later(func(context.Context) error { return n.Journal.Close() })
	var release sync.Once
	defer release.Do(func() { close(ready) }) // on every way out

	n.Store, err = store.Open(store.Options{FS: fx.FS, Dir: dir("rows"), CacheBytes: int64(cfg.RowCacheBytes), MemTableBytes: int64(cfg.MemtableBytes),
		Logger: log.With("part", "rows"), OnFatal: n.fail,
		OnBackgroundError: func(err error) {
			log.Error("row store", "err", err)
			if errors.Is(err, store.ErrCorrupt) {
				// All replicas of the node share the rows: others must lead, and the node is rebuilt from them as a whole.
				n.fail(fmt.Errorf("the rows are damaged; start this node on an empty data-dir to rebuild it from its peers: %w", err))
			}
		}})
	if err != nil {
		return n, fmt.Errorf("open row store: %w", err)
	}
	n.later(func(context.Context) error { return n.Store.Close() })

	kafkaListener, err := fx.Listen(cfg.KafkaListen)
	if err != nil {
		return n, fmt.Errorf("kafka-listen: %w", err)
	}
	n.later(func(context.Context) error { _ = kafkaListener.Close(); return nil })
	n.kafkaAddr = kafkaListener.Addr()
	advertised, err := advertise(cfg.KafkaAdvertise, kafkaListener.Addr().String())
	if err != nil {
		return n, fmt.Errorf("kafka-advertise: %w", err)
	}

	opts := engine.Options{
		Node: broker.NodeID(cfg.NodeID), Kafka: advertised, Rack: cfg.Rack, RPCAddr: cfg.RPCListen, RaftAddr: cfg.RaftListen, Version: Version,
		Join: cfg.Join, DataShards: cfg.DataShards, FS: fx.FS, Dir: cfg.DataDir, Store: n.Store, Journal: n.Journal, Logger: log.With("part", "engine"),
		AutoCreateTopics: cfg.AutoCreateTopics, DefaultPartitions: cfg.DefaultPartitions,
		RetentionCheck: cfg.RetentionCheckInterval, CompactionCheck: cfg.CompactionCheckInterval, OffsetsRetention: cfg.OffsetsRetention, ProducerExpiry: cfg.ProducerIDExpiry,
		ReadProperties:    amqp.ReadProperties,
		GroupInitialDelay: cfg.GroupInitialRebalanceDelay, ConsumerLease: cfg.ConsumerLease, InflightBytes: int64(cfg.InflightBytes), ReadingBytes: int64(cfg.ReadingBytes),
	}
	initial, err := cfg.Initial()
	if err != nil {
		return n, fmt.Errorf("initial-cluster: %w", err)
	}
	for _, i := range initial {
		opts.Initial = append(opts.Initial, engine.InitialNode{Node: broker.NodeID(i.ID), RPCAddr: i.RPC, RaftAddr: i.Raft})
	}
	if eng, err = engine.New(opts); err != nil {
		return n, err
	}
	n.Engine = eng
	rpc, err := fx.Listen(cfg.RPCListen)
	if err != nil {
		return n, fmt.Errorf("rpc-listen: %w", err)
	}
	transport := fx.Transport
	if transport == nil {
		transport = rafttcp.NewFactory(rafttcp.Options{Listen: fx.Listen, Dial: fx.Dial, Logger: log.With("part", "raft")})
	}
	n.Host, err = consensus.Start(consensus.Options{
		Node: cfg.NodeID, ClusterID: eng.ClusterID(), Dir: dir("raft"), FS: fx.FS, RaftAddress: cfg.RaftListen, Transport: transport,
		RPCListener: rpc, Dial: fx.Dial, Journal: n.Journal, Machines: eng.Machine, Leadership: eng.Leadership,
		Logger: log.With("part", "consensus"), RTT: cfg.RTT, ElectionRTT: electionTicks, HeartbeatRTT: heartbeatTicks,
		Limits: consensus.Limits{SnapshotBytes: int64(cfg.SnapshotBytes), LogKeepBytes: int64(cfg.LogKeepBytes),
			SendQueueBytes: raftQueueBytes(cfg), ReceiveQueueBytes: raftQueueBytes(cfg)},
	})
	if err != nil {
		_ = rpc.Close()
		return n, fmt.Errorf("start consensus: %w", err)
	}
	host = n.Host
	n.later(func(context.Context) error { return errors.Join(n.Engine.Close(), n.Host.Close()) })
	release.Do(func() { close(ready) })
	if err := eng.Run(ctx, n.Host); err != nil {
		return n, err
	}

	n.Kafka, err = kafka.NewServer(kafka.Options{Broker: eng, Logger: log.With("part", "kafka"), Limits: kafka.Limits{
		ConnectionsMax: cfg.MaxConnections, RequestBytesMax: int(cfg.MaxRequestBytes), IdleTimeout: cfg.ConnectionMaxIdle, NodeBytesMax: int64(cfg.InflightBytes), FetchBytesMax: int64(cfg.ReadingBytes)}})
	if err != nil {
		return n, err
	}
	n.serving.Add(1)
	go func() {
		defer n.serving.Done()
		if err := n.Kafka.Serve(kafkaListener); err != nil {
			n.fail(fmt.Errorf("kafka listener: %w", err))
		}
	}()
	n.later(func(ctx context.Context) error {
		err := n.Kafka.Shutdown(ctx)
		n.serving.Wait()
		return err
	})
	return n, n.serveAMQP(fx)
}

// Raft's clocks in units of raft-rtt: an election after one second at the default.
const (
	electionTicks  = 20
	heartbeatTicks = 2
)

// raftQueueBytes bounds what waits between this node and each other one: as much as may be
// in flight. The least is a largest command with room for others.
func raftQueueBytes(cfg *config.Config) uint64 {
	return uint64(min(max(cfg.InflightBytes, raftQueueBytesMin), raftQueueBytesMax))
}

const (
	raftQueueBytesMin = 64 << 20
	raftQueueBytesMax = 256 << 20
)

func scrubRate(cfg *config.Config) int64 {
	if cfg.ScrubBytesPerSec == 0 {
		return -1
	}
	return int64(cfg.ScrubBytesPerSec)
}

// advertise is the address told to clients: what was configured, else where the node
// listens, with the host's name for an unspecified address.
func advertise(configured, listening string) (broker.Endpoint, error) {
	addr := configured
	if addr == "" {
		addr = listening
	}
	host, port, err := config.SplitAddress(addr)
	if err != nil {
		return broker.Endpoint{}, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if host, err = os.Hostname(); err != nil {
			return broker.Endpoint{}, fmt.Errorf("host name: %w", err)
		}
	}
	return broker.Endpoint{Host: host, Port: port}, nil
}

func (n *Node) later(f func(context.Context) error) { n.undo = append(n.undo, f) }

// AMQPAddr is where the node listens for AMQP clients, nil if it does not.
func (n *Node) AMQPAddr() net.Addr { return n.amqpAddr }

// KafkaAddr is where the node listens for Kafka clients.
func (n *Node) KafkaAddr() net.Addr { return n.kafkaAddr }

func (n *Node) fail(err error) {
	select {
	case n.fatal <- err:
	default:
	}
}

// Fatal delivers the first error after which the node must not go on.
func (n *Node) Fatal() <-chan error { return n.fatal }

// Close stops the node. What is in flight may finish until the context ends.
func (n *Node) Close(ctx context.Context) error {
	var errs []error
	n.once.Do(func() {
		for i := len(n.undo) - 1; i >= 0; i-- {
			errs = append(errs, n.undo[i](ctx))
		}
	})
	return errors.Join(errs...)
}

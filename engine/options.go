package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/store"
)

// Options say who the node is, hand in its stores and set its limits. Zero durations
// and sizes become the documented defaults.
type Options struct {
	Node  broker.NodeID
	Kafka broker.Endpoint // as advertised to clients
	AMQP  broker.Endpoint
	Rack  string
	// RPCAddr and RaftAddr are how other nodes reach this one.
	RPCAddr, RaftAddr string
	Version           string // of the program

	// Initial lists the first nodes of a new cluster, this one included; Join the rpc
	// addresses of a running one. Both empty: a cluster of one. They count only
	// until the node has data.
	Initial []InitialNode
	Join    []string
	// DataShards is the number of data shards made at bootstrap.
	DataShards int

	FS      vfs.FS // for the identity file in Dir
	Dir     string
	Store   *store.Store
	Journal *journal.Journal
	Logger  *slog.Logger

	AutoCreateTopics  bool
	DefaultPartitions int32

	// ReadProperties fills in what routing and order read of a message that was stored: CC, Headers, MessageID, CorrelationID and Priority. Nil:
	// dead letters have none of them.
	ReadProperties func(properties []byte, m *broker.Message) error

	RetentionCheck    time.Duration // how often leaders look for old records; 1 min
	CompactionCheck   time.Duration // how often leaders look for logs to compact; 15 s
	OffsetsRetention  time.Duration // of an empty group; 7 days
	ProducerExpiry    time.Duration // of an idle producer's window; 24 h
	GroupInitialDelay time.Duration // how long a new group waits for members; may be 0
	ConsumerLease     time.Duration // how long the consumers of a node that is cut off keep their messages; 20 s
	InflightBytes     int64         // produced bytes in flight on this node; 256 MiB
	ReadingBytes      int64         // fetched bytes of this node that did not leave; 256 MiB
}

// InitialNode is one of the first nodes of a new cluster.
type InitialNode struct {
	Node              broker.NodeID
	RPCAddr, RaftAddr string
}

// Validate names what is missing.
func (o *Options) Validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("engine: options: %s", what))
		}
	}
	need(o.Node > 0, "node must be positive")
	need(o.RPCAddr != "" && o.RaftAddr != "", "rpc and raft addresses are needed")
	need(o.FS != nil && o.Dir != "", "a file system and a folder are needed")
	need(o.Store != nil && o.Journal != nil, "the row store and the journal are needed")
	need(len(o.Initial) == 0 || len(o.Join) == 0, "initial and join exclude each other")
	return errors.Join(errs...)
}

func (o *Options) defaults() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.RetentionCheck, time.Minute)
	set(&o.CompactionCheck, 15*time.Second)
	set(&o.OffsetsRetention, 7*24*time.Hour)
	set(&o.ProducerExpiry, 24*time.Hour)
	set(&o.ConsumerLease, consumerLeaseDefault)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.InflightBytes == 0 {
		o.InflightBytes = inflightBytesDefault
	}
	if o.ReadingBytes == 0 {
		o.ReadingBytes = readingBytesDefault
	}
	if o.DataShards == 0 {
		o.DataShards = dataShardsDefault
	}
	if o.DefaultPartitions == 0 {
		o.DefaultPartitions = partitionsDefault
	}
}

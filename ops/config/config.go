package config

import "time"

// Config is all that one node can be told. The tag "name" is the flag (--name), the
// key in the file (name: value, or nested by its dashes' first part), and, in capitals
// with underscores behind TALLYMQ_, the environment variable.
type Config struct {
	NodeID  int32  `name:"node-id" default:"1" help:"This node's id: positive, unique in the cluster, never reused."`
	DataDir string `name:"data-dir" default:"./data" help:"Where this node keeps everything: journal, rows, Raft metadata."`

	KafkaListen    string `name:"kafka-listen" default:"127.0.0.1:9092" help:"Address to listen on for Kafka clients. There is no authentication yet: listen beyond loopback only on a trusted network."`
	KafkaAdvertise string `name:"kafka-advertise" help:"host:port told to Kafka clients. Default: the listen address, with the host name for an unspecified one."`
	AMQPListen     string `name:"amqp-listen" default:"127.0.0.1:5672" help:"Address to listen on for AMQP 0-9-1 clients, as user guest; empty or off: none. Listen beyond loopback only on a trusted network."`
	AMQPGuestFrom  string `name:"amqp-guest-from" default:"loopback" enum:"loopback,anywhere" help:"Where user guest may come from: loopback, or anywhere, which is for trusted networks only."`
	AdminListen    string `name:"admin-listen" default:"127.0.0.1:8080" help:"Address of the admin HTTP server: /healthz, /readyz, /metrics, /v1/..."`
	RaftListen     string `name:"raft-listen" default:"127.0.0.1:7092" help:"host:port of Raft between nodes. It must be reachable by the other nodes under exactly this name, and never change."`
	RPCListen      string `name:"rpc-listen" default:"127.0.0.1:7093" help:"host:port of node-to-node calls; what --join of other nodes names."`
	Rack           string `name:"rack" help:"Failure domain of this node, told to clients."`

	Join           []string `name:"join" sep:"," placeholder:"HOST:PORT" help:"rpc addresses of nodes of a running cluster to join. Without it and without --initial-cluster a new node starts a cluster of its own."`
	InitialCluster []string `name:"initial-cluster" sep:"," placeholder:"ID=RAFT/RPC" help:"All first nodes of a new cluster, the same list on each: 1=host:7092/host:7093,2=... Ignored once the node has data."`
	DataShards     int      `name:"data-shards" default:"4" help:"Data shards (Raft groups that hold partitions and groups) made at bootstrap."`

	AutoCreateTopics  bool  `name:"auto-create-topics" default:"true" negatable:"" help:"Create a topic that a metadata request names and allows to create."`
	DefaultPartitions int32 `name:"default-partitions" default:"4" help:"Partitions of a topic that names no number."`

	RetentionCheckInterval     time.Duration `name:"retention-check-interval" default:"1m" help:"How often leaders look for records past their retention."`
	CompactionCheckInterval    time.Duration `name:"compaction-check-interval" default:"15s" help:"How often leaders look for logs to compact."`
	OffsetsRetention           time.Duration `name:"offsets-retention" default:"168h" help:"How long an empty group's offsets are kept."`
	ProducerIDExpiry           time.Duration `name:"producer-id-expiry" default:"24h" help:"How long an idle producer's sequence numbers are remembered."`
	GroupInitialRebalanceDelay time.Duration `name:"group-initial-rebalance-delay" default:"3s" help:"How long a new group waits for more members."`
	ConsumerLease              time.Duration `name:"consumer-lease" default:"20s" help:"How long AMQP consumers of a node that is cut off keep what they hold; the node ends their connections a quarter of it earlier."`

	SegmentBytes      ByteSize `name:"journal-segment-bytes" default:"256MiB" help:"Size of one journal segment."`
	JournalCacheBytes ByteSize `name:"journal-cache-bytes" default:"256MiB" help:"Recent payloads kept in memory for consumers near the log's end."`
	RowCacheBytes     ByteSize `name:"row-cache-bytes" default:"128MiB" help:"Block cache of the row store."`
	MemtableBytes     ByteSize `name:"row-memtable-bytes" default:"32MiB" help:"Rows kept in memory before a flush."`
	ReserveBytes      ByteSize `name:"reserve-bytes" default:"512MiB" help:"Disk space kept back so that a full disk can be cleaned up; leaders refuse writes before it is touched."`
	InflightBytes     ByteSize `name:"inflight-bytes" default:"256MiB" help:"Produced bytes in flight on this node; more waits in the sockets."`
	ReadingBytes      ByteSize `name:"reading-bytes" default:"256MiB" help:"Fetched bytes on this node that clients did not take yet; fetches get smaller as it fills, then wait."`
	SnapshotBytes     ByteSize `name:"raft-snapshot-bytes" default:"512MiB" help:"Bytes applied to a shard between two marks up to which a restart need not replay its log."`
	LogKeepBytes      ByteSize `name:"raft-log-keep-bytes" default:"1GiB" help:"Log of each shard that is kept for followers which were away; one that was away longer gets a snapshot of the rows and pulls the payloads it lacks."`
	MemoryLimit       ByteSize `name:"memory-limit" default:"0" help:"Soft limit given to the Go runtime; 0: none. docs/MEMORY.md says what it must hold."`
	DirectIO          bool     `name:"direct-io" default:"true" negatable:"" help:"Write the journal past the page cache where the file system can."`
	ScrubBytesPerSec  ByteSize `name:"scrub-bytes-per-second" default:"8MiB" help:"Rate of the background check of the journal; 0: off."`

	MaxConnections    int           `name:"max-connections" default:"20000" help:"Client connections of this node, all protocols."`
	MaxRequestBytes   ByteSize      `name:"max-request-bytes" default:"100MiB" help:"Largest request; Kafka's socket.request.max.bytes."`
	ConnectionMaxIdle time.Duration `name:"connection-max-idle" default:"10m" help:"An idle client connection is closed after this."`

	RTT          time.Duration `name:"raft-rtt" default:"50ms" help:"Unit of Raft's clocks: elections after 20, heartbeats every 2 of them."`
	LogLevel     string        `name:"log-level" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn, error."`
	LogFormat    string        `name:"log-format" default:"text" enum:"text,json" help:"text or json."`
	ShutdownTime time.Duration `name:"shutdown-timeout" default:"20s" help:"A graceful stop takes at most so long."`
}

// AMQP says whether the node listens for AMQP clients.
func (c *Config) AMQP() bool { return c.AMQPListen != "" && c.AMQPListen != "off" }

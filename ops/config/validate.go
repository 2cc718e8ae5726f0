package config

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Validate checks every key and the relations between keys. The error names each
// wrong key, one per line.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("%s: %v: %s", key, value, want))
	}
	if c.NodeID < 1 {
		bad("node-id", c.NodeID, "want a positive number, unique in the cluster")
	}
	if c.DataDir == "" {
		bad("data-dir", `""`, "want a folder")
	}
	for _, a := range []struct {
		key, value string
		exact      bool // other nodes dial it: a host is needed
	}{
		{"kafka-listen", c.KafkaListen, false}, {"admin-listen", c.AdminListen, false},
		{"raft-listen", c.RaftListen, true}, {"rpc-listen", c.RPCListen, true},
	} {
		host, port, err := SplitAddress(a.value)
		switch {
		case err != nil:
			bad(a.key, a.value, err.Error())
		case a.exact && (host == "" || net.ParseIP(host).IsUnspecified()):
			bad(a.key, a.value, "want a host that the other nodes can reach")
		case a.exact && port == 0:
			bad(a.key, a.value, "want a fixed port")
		}
	}
	if c.AMQP() {
		if _, _, err := SplitAddress(c.AMQPListen); err != nil {
			bad("amqp-listen", c.AMQPListen, err.Error())
		}
	}
	if c.KafkaAdvertise != "" {
		if host, port, err := SplitAddress(c.KafkaAdvertise); err != nil || host == "" || port == 0 {
			bad("kafka-advertise", c.KafkaAdvertise, "want host:port as clients reach it")
		}
	}
	for _, j := range c.Join {
		if host, port, err := SplitAddress(j); err != nil || host == "" || port == 0 {
			bad("join", j, "want host:port of another node's rpc-listen")
		}
	}
	if len(c.Join) > 0 && len(c.InitialCluster) > 0 {
		bad("join", strings.Join(c.Join, ","), "cannot be given together with initial-cluster")
	}
	if _, err := c.Initial(); err != nil {
		bad("initial-cluster", strings.Join(c.InitialCluster, ","), err.Error())
	}
	inRange := func(key string, v, lo, hi int64) {
		if v < lo || v > hi {
			bad(key, v, fmt.Sprintf("want %d to %d", lo, hi))
		}
	}
	inRange("data-shards", int64(c.DataShards), 1, DataShardsMax)
	inRange("default-partitions", int64(c.DefaultPartitions), 1, PartitionsPerTopicMax)
	inRange("max-connections", int64(c.MaxConnections), 1, 1<<20)
	inRange("journal-segment-bytes", int64(c.SegmentBytes), 1<<20, 4<<30)
	inRange("max-request-bytes", int64(c.MaxRequestBytes), 1<<20, 1<<30)
	inRange("row-memtable-bytes", int64(c.MemtableBytes), 1<<20, 1<<30)
	inRange("reading-bytes", int64(c.ReadingBytes), 1<<20, 1<<40)
	if c.InflightBytes < c.MaxRequestBytes {
		bad("inflight-bytes", c.InflightBytes, fmt.Sprintf("want at least max-request-bytes (%v)", c.MaxRequestBytes))
	}
	for _, d := range []struct {
		key    string
		v, min time.Duration
	}{
		{"retention-check-interval", c.RetentionCheckInterval, time.Second},
		{"compaction-check-interval", c.CompactionCheckInterval, 100 * time.Millisecond},
		{"offsets-retention", c.OffsetsRetention, time.Minute},
		{"producer-id-expiry", c.ProducerIDExpiry, time.Minute},
		{"group-initial-rebalance-delay", c.GroupInitialRebalanceDelay, 0},
		{"consumer-lease", c.ConsumerLease, time.Second},
		{"connection-max-idle", c.ConnectionMaxIdle, time.Second},
		{"raft-rtt", c.RTT, time.Millisecond},
		{"shutdown-timeout", c.ShutdownTime, time.Second},
	} {
		if d.v < d.min {
			bad(d.key, d.v, fmt.Sprintf("want at least %v", d.min))
		}
	}
	return errors.Join(errs...)
}

// DataShardsMax bounds data-shards: each costs a Raft group on three nodes.
const DataShardsMax = 256

// PartitionsPerTopicMax bounds default-partitions and a topic's partitions.
const PartitionsPerTopicMax = 10_000

// SplitAddress splits host:port; the host may be empty, the port is a number.
func SplitAddress(a string) (host string, port int32, err error) {
	host, p, err := net.SplitHostPort(a)
	if err != nil {
		return "", 0, fmt.Errorf("want host:port")
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("want host:port with a number from 0 to 65535 as port")
	}
	return host, int32(n), nil
}

// InitialNode is one node of a new cluster.
type InitialNode struct {
	ID        int32
	Raft, RPC string
}

// Initial parses InitialCluster; nil when it is not given.
func (c *Config) Initial() ([]InitialNode, error) {
	var ns []InitialNode
	self := len(c.InitialCluster) == 0
	for _, s := range c.InitialCluster {
		id, addrs, ok1 := strings.Cut(s, "=")
		raft, rpc, ok2 := strings.Cut(addrs, "/")
		n, err := strconv.ParseInt(id, 10, 32)
		if !ok1 || !ok2 || err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want ID=RAFT/RPC, for example 1=host:7092/host:7093", s)
		}
		for _, a := range []string{raft, rpc} {
			if h, p, err := SplitAddress(a); err != nil || h == "" || p == 0 {
				return nil, fmt.Errorf("%q: %q is not host:port", s, a)
			}
		}
		for _, o := range ns {
			if o.ID == int32(n) {
				return nil, fmt.Errorf("node %d is listed twice", n)
			}
		}
		if int32(n) == c.NodeID {
			self = true
			if raft != c.RaftListen || rpc != c.RPCListen {
				return nil, fmt.Errorf("%q: this node's raft-listen is %s and its rpc-listen %s", s, c.RaftListen, c.RPCListen)
			}
		}
		ns = append(ns, InitialNode{ID: int32(n), Raft: raft, RPC: rpc})
	}
	if !self {
		return nil, fmt.Errorf("node-id %d is not in the list", c.NodeID)
	}
	return ns, nil
}

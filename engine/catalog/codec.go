package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
)

// ErrMalformed is wrapped when rows or an encoded view cannot be read: damage, or a newer version of the format.
var ErrMalformed = errors.New("catalog: malformed")

// formatVersion opens every row and every encoded view.
const formatVersion = 1

func appendU64(b []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(b, v) }
func appendU32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
func appendText(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// cursor reads what the append functions wrote; after the first failure it yields zeroes.
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) take(n int) []byte {
	if c.failed || n < 0 || n > len(c.b) {
		c.failed = true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) bool() bool {
	v := c.u8()
	c.failed = c.failed || v > 1
	return v == 1
}

func (c *cursor) text() string { return string(c.take(int(c.u32()))) }

// count reads a number of elements of at least elementBytes each, so that a lie cannot make us allocate.
func (c *cursor) count(elementBytes int) int {
	n := c.u32()
	if c.failed || uint64(n)*uint64(elementBytes) > uint64(len(c.b)) {
		c.failed = true
		return 0
	}
	return int(n)
}

func (c *cursor) version() {
	if c.u8() != formatVersion {
		c.failed = true
	}
}

func (c *cursor) end(what string) error {
	if c.failed || len(c.b) != 0 {
		return fmt.Errorf("%w: %s (%d bytes left)", ErrMalformed, what, len(c.b))
	}
	return nil
}

func appendEndpoint(b []byte, e broker.Endpoint) []byte {
	return appendU32(appendText(b, e.Host), uint32(e.Port))
}

func (c *cursor) endpoint() broker.Endpoint {
	return broker.Endpoint{Host: c.text(), Port: int32(c.u32())}
}

func appendNode(b []byte, n *Node) []byte {
	b = appendU32(b, uint32(n.ID))
	b = appendText(appendText(b, n.RPC), n.Raft)
	b = appendEndpoint(appendEndpoint(b, n.Kafka), n.AMQP)
	b = appendText(appendText(b, n.Rack), n.Version)
	return appendBool(b, n.Removed)
}

func (c *cursor) node() *Node {
	return &Node{ID: broker.NodeID(c.u32()), RPC: c.text(), Raft: c.text(), Kafka: c.endpoint(), AMQP: c.endpoint(),
		Rack: c.text(), Version: c.text(), Removed: c.bool()}
}

const (
	nodeBytesMin    = 4 + 2*4 + 2*8 + 2*4 + 1
	replicaBytes    = 8 + 4 + 1
	shardBytesMin   = 8 + 8 + 4
	topicBytesMin   = 16 + 4 + 1 + 4 + 8 + 4
	configBytesMin  = 8
	slotChangeBytes = 2 + 16
)

func appendShard(b []byte, s *Shard) []byte {
	b = appendU32(appendU64(appendU64(b, uint64(s.ID)), s.NextReplica), uint32(len(s.Replicas)))
	for _, r := range s.Replicas {
		b = append(appendU32(appendU64(b, r.ID), uint32(r.Node)), byte(r.State))
	}
	return b
}

func (c *cursor) shard() *Shard {
	s := &Shard{ID: broker.ShardID(c.u64()), NextReplica: c.u64()}
	n := c.count(replicaBytes)
	for range n {
		r := Replica{ID: c.u64(), Node: broker.NodeID(c.u32()), State: ReplicaState(c.u8())}
		ascending := len(s.Replicas) == 0 || s.Replicas[len(s.Replicas)-1].ID < r.ID
		c.failed = c.failed || r.State >= replicaStateCount || !ascending || r.ID >= s.NextReplica
		s.Replicas = append(s.Replicas, r)
	}
	return s
}

func appendTopic(b []byte, t *Topic) []byte {
	b = appendBool(appendText(append(b, t.ID[:]...), t.Name), t.Internal)
	b = appendU32(b, uint32(len(t.Shards)))
	for _, s := range t.Shards {
		b = appendU64(b, uint64(s))
	}
	b = appendU32(appendU64(b, t.ConfigVersion), uint32(len(t.Configs)))
	for _, k := range slices.Sorted(maps.Keys(t.Configs)) {
		b = appendText(appendText(b, k), t.Configs[k])
	}
	return b
}

func (c *cursor) topic() *Topic {
	t := &Topic{}
	copy(t.ID[:], c.take(len(t.ID)))
	t.Name, t.Internal = c.text(), c.bool()
	if n := c.count(8); n > 0 {
		t.Shards = make([]broker.ShardID, n)
		for i := range t.Shards {
			t.Shards[i] = broker.ShardID(c.u64())
		}
	}
	t.ConfigVersion = c.u64()
	n := c.count(configBytesMin)
	t.Configs = make(map[string]string, n)
	last := ""
	for i := range n {
		k, v := c.text(), c.text()
		c.failed = c.failed || i > 0 && k <= last
		t.Configs[k], last = v, k
	}
	return t
}

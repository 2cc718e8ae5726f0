package broker

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// NodeID names one node of the cluster; positive, chosen by the operator, never reused.
type NodeID int32

// NoNode says that no node is known, for example no leader.
const NoNode NodeID = -1

// ShardID names one Raft group. Shard 1 is the catalog.
type ShardID uint64

// Offset is the position of a record in a partition, from 0, without gaps.
type Offset int64

// LeaderEpoch grows with every leader of a partition's shard; it never falls.
type LeaderEpoch int32

// NoEpoch says that a client gave no leader epoch.
const NoEpoch LeaderEpoch = -1

// ProducerID names an idempotent or transactional producer; −1 is none.
type ProducerID int64

// ProducerEpoch fences older incarnations of one ProducerID.
type ProducerEpoch int16

// Generation counts the completed rebalances of a group; −1 is none.
type Generation int32

// TopicID is the stable identity of a topic: a random UUID that survives restarts
// and is never given to another topic of the same name (KIP-516).
type TopicID [16]byte

// String gives the id as Kafka prints it: unpadded URL-safe base64.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// IsZero says that no id is given.
func (id TopicID) IsZero() bool { return id == TopicID{} }

// ParseTopicID reads what String wrote, or 32 hexadecimal digits.
func ParseTopicID(s string) (TopicID, error) {
	var id TopicID
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		if b, err = hex.DecodeString(s); err != nil || len(b) != len(id) {
			return id, fmt.Errorf("parse topic id %q: want 22 base64 or 32 hex digits", s)
		}
	}
	copy(id[:], b)
	return id, nil
}

// Partition names one partition of one topic.
type Partition struct {
	Topic TopicID
	Index int32
}

// String gives id-index, for logs.
func (p Partition) String() string { return fmt.Sprintf("%v-%d", p.Topic, p.Index) }

package keyspace

import "github.com/tallymq/tallymq/engine/broker"

// ClusterKey : the catalog's one row of identity and counters.
func ClusterKey() []byte { return []byte{TableCluster} }

// AppendNodeKey : a node.
func AppendNodeKey(dst []byte, n broker.NodeID) []byte {
	return AppendInt32(append(dst, TableNode), int32(n))
}

// DecodeNodeKey reads what AppendNodeKey wrote.
func DecodeNodeKey(key []byte) (broker.NodeID, error) {
	c := Open(TableNode, key)
	n := broker.NodeID(c.Int32())
	return n, c.End()
}

// AppendTopicKey : a topic by id.
func AppendTopicKey(dst []byte, id broker.TopicID) []byte {
	return append(append(dst, TableTopic), id[:]...)
}

// DecodeTopicKey reads what AppendTopicKey wrote.
func DecodeTopicKey(key []byte) (broker.TopicID, error) {
	c := Open(TableTopic, key)
	id := broker.TopicID(c.ID())
	return id, c.End()
}

// AppendNameKey : a topic by name.
func AppendNameKey(dst []byte, name string) []byte { return AppendString(append(dst, TableName), name) }

// DecodeNameKey reads what AppendNameKey wrote.
func DecodeNameKey(key []byte) (string, error) {
	c := Open(TableName, key)
	n := c.String()
	return n, c.End()
}

// AppendShardKey : a shard.
func AppendShardKey(dst []byte, s broker.ShardID) []byte {
	return AppendUint64(append(dst, TableShard), uint64(s))
}

// DecodeShardKey reads what AppendShardKey wrote.
func DecodeShardKey(key []byte) (broker.ShardID, error) {
	c := Open(TableShard, key)
	s := broker.ShardID(c.Uint64())
	return s, c.End()
}

// AppendSlotKey : the owner of a coordinator slot.
func AppendSlotKey(dst []byte, slot uint32) []byte { return AppendUint32(append(dst, TableSlot), slot) }

// DecodeSlotKey reads what AppendSlotKey wrote.
func DecodeSlotKey(key []byte) (uint32, error) {
	c := Open(TableSlot, key)
	s := c.Uint32()
	return s, c.End()
}

// AppendChangeKey : what one version of the catalog changed.
func AppendChangeKey(dst []byte, version uint64) []byte {
	return AppendUint64(append(dst, TableChange), version)
}

// DecodeChangeKey reads what AppendChangeKey wrote.
func DecodeChangeKey(key []byte) (uint64, error) {
	c := Open(TableChange, key)
	v := c.Uint64()
	return v, c.End()
}

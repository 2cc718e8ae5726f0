package keyspace

import "github.com/tallymq/tallymq/engine/broker"

// AppendGroupKey : a group's stored state.
func AppendGroupKey(dst []byte, group string) []byte {
	return AppendString(append(dst, TableGroup), group)
}

// DecodeGroupKey reads what AppendGroupKey wrote.
func DecodeGroupKey(key []byte) (string, error) {
	c := Open(TableGroup, key)
	g := c.String()
	return g, c.End()
}

// GroupOffsetRange is where the committed positions of a group lie.
func GroupOffsetRange(group string) (lo, hi []byte) {
	lo = AppendString([]byte{TableOffset}, group)
	return lo, Next(lo)
}

// AppendOffsetKey : a committed position. The topic's name stands beside its id for commits of topics whose id was
// not known (id zero).
func AppendOffsetKey(dst []byte, group string, topic broker.TopicID, name string, partition int32) []byte {
	dst = append(AppendString(append(dst, TableOffset), group), topic[:]...)
	return AppendInt32(AppendString(dst, name), partition)
}

// DecodeOffsetKey reads what AppendOffsetKey wrote.
func DecodeOffsetKey(key []byte) (group string, topic broker.TopicID, name string, partition int32, err error) {
	c := Open(TableOffset, key)
	group, topic, name, partition = c.String(), c.ID(), c.String(), c.Int32()
	return group, topic, name, partition, c.End()
}

// AppendGroupSlotKey : a coordinator slot of this shard.
func AppendGroupSlotKey(dst []byte, slot uint32) []byte {
	return AppendUint32(append(dst, TableGroupSlot), slot)
}

// DecodeGroupSlotKey reads what AppendGroupSlotKey wrote.
func DecodeGroupSlotKey(key []byte) (uint32, error) {
	c := Open(TableGroupSlot, key)
	s := c.Uint32()
	return s, c.End()
}

// GroupHoldRange is where the holds of a group lie.
func GroupHoldRange(group string) (lo, hi []byte) {
	lo = AppendString([]byte{TableGroupHold}, group)
	return lo, Next(lo)
}

// AppendGroupHoldKey : what a group knows of a producer's transactions.
func AppendGroupHoldKey(dst []byte, group string, p broker.ProducerID) []byte {
	return AppendInt64(AppendString(append(dst, TableGroupHold), group), int64(p))
}

// DecodeGroupHoldKey reads what AppendGroupHoldKey wrote.
func DecodeGroupHoldKey(key []byte) (string, broker.ProducerID, error) {
	c := Open(TableGroupHold, key)
	g, p := c.String(), broker.ProducerID(c.Int64())
	return g, p, c.End()
}

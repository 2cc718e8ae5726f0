package keyspace

import "github.com/tallymq/tallymq/engine/broker"

// Slot is the number under which a shard keeps a partition: given in the order of creation, never reused in that
// shard. It keeps keys short and makes the rows of a topic's second life distinct from those of its first.
type Slot uint32

// Every key of a partition begins with table and slot, so that a whole partition is one range per table.

func appendSlot(dst []byte, t Table, s Slot) []byte { return AppendUint32(append(dst, t), uint32(s)) }

// SlotRange is where a table's rows of one slot lie.
func SlotRange(t Table, s Slot) (lo, hi []byte) {
	lo = appendSlot(nil, t, s)
	return lo, Next(lo)
}

// AppendPartitionKey : the head of a partition.
func AppendPartitionKey(dst []byte, s Slot) []byte { return appendSlot(dst, TablePartition, s) }

// DecodePartitionKey reads what AppendPartitionKey wrote.
func DecodePartitionKey(key []byte) (Slot, error) {
	c := Open(TablePartition, key)
	s := Slot(c.Uint32())
	return s, c.End()
}

// AppendDoomedKey : a deleted partition.
func AppendDoomedKey(dst []byte, s Slot) []byte { return appendSlot(dst, TableDoomed, s) }

// DecodeDoomedKey reads what AppendDoomedKey wrote.
func DecodeDoomedKey(key []byte) (Slot, error) {
	c := Open(TableDoomed, key)
	s := Slot(c.Uint32())
	return s, c.End()
}

// AppendEpochKey : where a leader epoch began.
func AppendEpochKey(dst []byte, s Slot, e broker.LeaderEpoch) []byte {
	return AppendInt32(appendSlot(dst, TableEpoch, s), int32(e))
}

// DecodeEpochKey reads what AppendEpochKey wrote.
func DecodeEpochKey(key []byte) (Slot, broker.LeaderEpoch, error) {
	c := Open(TableEpoch, key)
	s, e := Slot(c.Uint32()), broker.LeaderEpoch(c.Int32())
	return s, e, c.End()
}

// AppendBatchKey : a record batch, under its LAST offset, so that the first row at or after an offset is the batch
// that holds it, and what lies whole below a log start is one range.
func AppendBatchKey(dst []byte, s Slot, last broker.Offset) []byte {
	return AppendInt64(appendSlot(dst, TableBatch, s), int64(last))
}

// DecodeBatchKey reads what AppendBatchKey wrote.
func DecodeBatchKey(key []byte) (Slot, broker.Offset, error) {
	c := Open(TableBatch, key)
	s, o := Slot(c.Uint32()), broker.Offset(c.Int64())
	return s, o, c.End()
}

// AppendTimeKey : a run of batches that ends with offset last; level 1 runs are of batches, level n+1 runs of level n's.
func AppendTimeKey(dst []byte, s Slot, level uint8, last broker.Offset) []byte {
	return AppendInt64(append(appendSlot(dst, TableTime, s), level), int64(last))
}

// DecodeTimeKey reads what AppendTimeKey wrote.
func DecodeTimeKey(key []byte) (Slot, uint8, broker.Offset, error) {
	c := Open(TableTime, key)
	s, l, o := Slot(c.Uint32()), c.Byte(), broker.Offset(c.Int64())
	return s, l, o, c.End()
}

// AppendWindowKey : what a partition remembers of a producer.
func AppendWindowKey(dst []byte, s Slot, p broker.ProducerID) []byte {
	return AppendInt64(appendSlot(dst, TableWindow, s), int64(p))
}

// DecodeWindowKey reads what AppendWindowKey wrote.
func DecodeWindowKey(key []byte) (Slot, broker.ProducerID, error) {
	c := Open(TableWindow, key)
	s, p := Slot(c.Uint32()), broker.ProducerID(c.Int64())
	return s, p, c.End()
}

// AppendHoldKey : what a partition knows of a producer's transactions.
func AppendHoldKey(dst []byte, s Slot, p broker.ProducerID) []byte {
	return AppendInt64(appendSlot(dst, TableHold, s), int64(p))
}

// DecodeHoldKey reads what AppendHoldKey wrote.
func DecodeHoldKey(key []byte) (Slot, broker.ProducerID, error) {
	c := Open(TableHold, key)
	s, p := Slot(c.Uint32()), broker.ProducerID(c.Int64())
	return s, p, c.End()
}

// AppendAbortedKey : a transaction that aborted with a marker at this offset. As with batches, the first row at or after
// an offset is the first that can have records there, and what lies whole below a log start is one range.
func AppendAbortedKey(dst []byte, s Slot, marker broker.Offset) []byte {
	return AppendInt64(appendSlot(dst, TableAborted, s), int64(marker))
}

// DecodeAbortedKey reads what AppendAbortedKey wrote.
func DecodeAbortedKey(key []byte) (Slot, broker.Offset, error) {
	c := Open(TableAborted, key)
	s, o := Slot(c.Uint32()), broker.Offset(c.Int64())
	return s, o, c.End()
}

// AppendReverseKey : the batches that one log entry appended, from one position of its command on.
func AppendReverseKey(dst []byte, index uint64, position uint32) []byte {
	return AppendUint32(AppendUint64(append(dst, TableReverse), index), position)
}

// DecodeReverseKey reads what AppendReverseKey wrote.
func DecodeReverseKey(key []byte) (index uint64, position uint32, err error) {
	c := Open(TableReverse, key)
	index, position = c.Uint64(), c.Uint32()
	return index, position, c.End()
}

package keyspace

import "github.com/tallymq/tallymq/engine/broker"

// AppendQueueKey : a queue.
func AppendQueueKey(dst []byte, q broker.QueueID) []byte {
	return AppendUint64(append(dst, TableQueue), uint64(q))
}

// DecodeQueueKey reads what AppendQueueKey wrote.
func DecodeQueueKey(key []byte) (broker.QueueID, error) {
	c := Open(TableQueue, key)
	q := broker.QueueID(c.Uint64())
	return q, c.End()
}

// AppendChunkKey : the messages of a queue with consecutive sequences.
func AppendChunkKey(dst []byte, q broker.QueueID, number uint64) []byte {
	return AppendUint64(AppendUint64(append(dst, TableChunk), uint64(q)), number)
}

// DecodeChunkKey reads what AppendChunkKey wrote.
func DecodeChunkKey(key []byte) (broker.QueueID, uint64, error) {
	c := Open(TableChunk, key)
	q, n := broker.QueueID(c.Uint64()), c.Uint64()
	return q, n, c.End()
}

// AppendQueueSeenKey : consecutive message ids that publishers gave a queue.
func AppendQueueSeenKey(dst []byte, q broker.QueueID, number uint64) []byte {
	return AppendUint64(AppendUint64(append(dst, TableQueueSeen), uint64(q)), number)
}

// DecodeQueueSeenKey reads what AppendQueueSeenKey wrote.
func DecodeQueueSeenKey(key []byte) (broker.QueueID, uint64, error) {
	c := Open(TableQueueSeen, key)
	q, n := broker.QueueID(c.Uint64()), c.Uint64()
	return q, n, c.End()
}

// AppendQueueDeltaKey : commands that were applied together, by the place of the first.
func AppendQueueDeltaKey(dst []byte, index uint64, position uint32) []byte {
	return AppendUint32(AppendUint64(append(dst, TableQueueDelta), index), position)
}

// DecodeQueueDeltaKey reads what AppendQueueDeltaKey wrote.
func DecodeQueueDeltaKey(key []byte) (index uint64, position uint32, err error) {
	c := Open(TableQueueDelta, key)
	index, position = c.Uint64(), c.Uint32()
	return index, position, c.End()
}

// AppendQueueNamesKey : what messages name of one log entry.
func AppendQueueNamesKey(dst []byte, index uint64) []byte {
	return AppendUint64(append(dst, TableQueueNames), index)
}

// DecodeQueueNamesKey reads what AppendQueueNamesKey wrote.
func DecodeQueueNamesKey(key []byte) (uint64, error) {
	c := Open(TableQueueNames, key)
	index := c.Uint64()
	return index, c.End()
}

// AppendQueueHolderKey : what the queues know of a producer's transactions.
func AppendQueueHolderKey(dst []byte, p broker.ProducerID) []byte {
	return AppendInt64(append(dst, TableQueueHolder), int64(p))
}

// DecodeQueueHolderKey reads what AppendQueueHolderKey wrote.
func DecodeQueueHolderKey(key []byte) (broker.ProducerID, error) {
	c := Open(TableQueueHolder, key)
	p := broker.ProducerID(c.Int64())
	return p, c.End()
}

package partition

import (
	"fmt"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/keyspace"
)

// Name says where a batch's bytes lie: Length bytes at Position of the command of log entry Index. It has the shape
// of the journal's name.
type Name struct {
	Index                 uint64
	Position, Length, CRC uint32
}

// Batch is one record batch of a log, as its row tells.
type Batch struct {
	Base, Last    broker.Offset
	Name          Name
	Epoch         broker.LeaderEpoch
	Attributes    int16
	MaxTimestamp  int64         // ms; the stamp if LogAppendTime, −1 if its records have none
	MaxAt         broker.Offset // the first record with MaxTimestamp
	LogAppendTime int64         // ms, −1: the client's timestamps count
	// Age is the time, in ms, that retention judges: MaxTimestamp, or the leader's wall clock for records without any.
	Age int64
	// BytesEnd counts the partition's payload bytes ever appended, this batch's included.
	BytesEnd uint64
}

// BytesBefore counts the partition's payload bytes ever appended before this batch.
func (b *Batch) BytesBefore() uint64 { return b.BytesEnd - uint64(b.Name.Length) }

// String is one line.
func (b Batch) String() string {
	s := fmt.Sprintf("offsets %d..%d epoch %d max timestamp %d at %d", b.Base, b.Last, b.Epoch, b.MaxTimestamp, b.MaxAt)
	if b.LogAppendTime >= 0 {
		s += fmt.Sprintf(" stamped %d", b.LogAppendTime)
	}
	if b.Age != b.MaxTimestamp {
		s += fmt.Sprintf(" age %d", b.Age)
	}
	return s + fmt.Sprintf(" bytes to %d: entry %d position %d length %d crc %08x", b.BytesEnd, b.Name.Index, b.Name.Position,
		b.Name.Length, b.Name.CRC)
}

const batchVersion = 1

// appendBatchRow encodes the value of a batch's row; Last is in its key. Integers are varints:
//
//	version | last−base | index | position | length | crc | epoch | attributes | max timestamp | max at−base |
//	log append time | age−max timestamp | bytes end
func appendBatchRow(dst []byte, b *Batch) []byte {
	e := encoder{append(dst, batchVersion)}
	e.uint(uint64(b.Last - b.Base))
	e.uint(b.Name.Index)
	e.uint(uint64(b.Name.Position))
	e.uint(uint64(b.Name.Length))
	e.uint32(b.Name.CRC)
	e.uint(uint64(b.Epoch))
	e.int(int64(b.Attributes))
	e.int(b.MaxTimestamp)
	e.uint(uint64(b.MaxAt - b.Base))
	e.int(b.LogAppendTime)
	e.int(b.Age - b.MaxTimestamp)
	e.uint(b.BytesEnd)
	return e.b
}

// decodeBatchRow reads a row; it allocates nothing.
func decodeBatchRow(key, value []byte) (keyspace.Slot, Batch, error) {
	slot, last, err := keyspace.DecodeBatchKey(key)
	if err != nil {
		return 0, Batch{}, fmt.Errorf("%w: batch: %w", ErrRow, err)
	}
	d := open(value, batchVersion)
	b := Batch{Last: last}
	b.Base = last - broker.Offset(d.uint(1<<32))
	b.Name = Name{Index: d.uint(1<<64 - 1), Position: uint32(d.uint(1<<32 - 1)), Length: uint32(d.uint(1<<32 - 1)), CRC: d.uint32()}
	b.Epoch = broker.LeaderEpoch(d.uint(epochMax))
	b.Attributes = int16(d.intIn(-1<<15, 1<<15-1))
	b.MaxTimestamp = d.int()
	b.MaxAt = b.Base + broker.Offset(d.uint(1<<32))
	b.LogAppendTime = d.int()
	b.Age = b.MaxTimestamp + d.int()
	b.BytesEnd = d.uint(1<<64 - 1)
	if b.Base < 0 || b.MaxAt > b.Last {
		d.failed = true
	}
	return slot, b, d.end("batch", key)
}

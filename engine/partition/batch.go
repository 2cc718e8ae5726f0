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
	// BytesEnd counts the partition's payload bytes ever appended, this batch's included, as they were then.
	BytesEnd uint64
	// Appended is the length of the batch as it was appended; of several, where they are one hole now.
	Appended uint64
	// Horizon is the replicated time, in ms, at which compaction may take the batch's tombstones; −1: not fixed yet.
	Horizon int64
	// Marker is what the batch says if it is a control batch, and else nothing.
	Marker Marker
}

// Hole says that nothing is left of what was appended here: compaction took it, and the row only covers its offsets.
func (b *Batch) Hole() bool { return b.Name.Length == 0 }

// compacted says that the row is not as an append writes it.
func (b *Batch) compacted() bool { return b.Appended != uint64(b.Name.Length) || b.Horizon >= 0 }

// BytesBefore counts the partition's payload bytes ever appended before this batch.
func (b *Batch) BytesBefore() uint64 { return b.BytesEnd - b.Appended }

// String is one line.
func (b Batch) String() string {
	if b.Hole() {
		return fmt.Sprintf("offsets %d..%d epoch %d hole, %d bytes to %d", b.Base, b.Last, b.Epoch, b.Appended, b.BytesEnd)
	}
	s := fmt.Sprintf("offsets %d..%d epoch %d max timestamp %d at %d", b.Base, b.Last, b.Epoch, b.MaxTimestamp, b.MaxAt)
	if b.LogAppendTime >= 0 {
		s += fmt.Sprintf(" stamped %d", b.LogAppendTime)
	}
	if b.Age != b.MaxTimestamp {
		s += fmt.Sprintf(" age %d", b.Age)
	}
	if b.compacted() {
		s += fmt.Sprintf(" appended as %d bytes,", b.Appended)
	}
	if b.Horizon >= 0 {
		s += fmt.Sprintf(" tombstones until %d", b.Horizon)
	}
	if b.IsMarker() {
		return s + fmt.Sprintf(" bytes to %d: %v", b.BytesEnd, b.Marker)
	}
	return s + fmt.Sprintf(" bytes to %d: entry %d position %d length %d crc %08x", b.BytesEnd, b.Name.Index, b.Name.Position,
		b.Name.Length, b.Name.CRC)
}

// Rows that compaction did not touch are of batchVersion 1, the others of 2.
const (
	batchVersion          = 1
	batchVersionCompacted = 2
)

// appendBatchRow encodes the value of a batch's row; Last is in its key. Integers are varints:
//
//	version | last−base | index | position | length | crc | epoch | attributes | max timestamp | max at−base |
//	log append time | age−max timestamp | bytes end | from version 2: appended | horizon |
//	of a control batch: producer | epoch | commit | coordinator epoch
func appendBatchRow(dst []byte, b *Batch) []byte {
	version := byte(batchVersion)
	if b.compacted() {
		version = batchVersionCompacted
	}
	e := encoder{append(dst, version)}
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
	if version == batchVersionCompacted {
		e.uint(b.Appended)
		e.int(b.Horizon)
	}
	if b.IsMarker() {
		appendMarkerRow(&e, &b.Marker)
	}
	return e.b
}

// decodeBatchRow reads a row; it allocates nothing.
func decodeBatchRow(key, value []byte) (keyspace.Slot, Batch, error) {
	slot, last, err := keyspace.DecodeBatchKey(key)
	if err != nil {
		return 0, Batch{}, fmt.Errorf("%w: batch: %w", ErrRow, err)
	}
	d, version := openUpTo(value, batchVersionCompacted)
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
	b.Appended, b.Horizon = uint64(b.Name.Length), -1
	if version == batchVersionCompacted {
		b.Appended, b.Horizon = d.uint(1<<64-1), d.intIn(-1, 1<<63-1)
	}
	if b.IsMarker() {
		b.Marker = decodeMarkerRow(&d)
	}
	if b.Base < 0 || b.MaxAt > b.Last || b.compacted() != (version == batchVersionCompacted) {
		d.failed = true
	}
	return slot, b, d.end("batch", key)
}

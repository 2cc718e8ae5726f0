package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// Where the fields of a batch are; doc.go draws them.
const (
	baseOffsetAt      = 0
	lengthAt          = 8
	leaderEpochAt     = 12
	magicAt           = 16
	crcAt             = 17
	attributesAt      = 21
	lastOffsetDeltaAt = 23
	baseTimestampAt   = 27
	maxTimestampAt    = 35
	producerIDAt      = 43
	producerEpochAt   = 51
	baseSequenceAt    = 53
	numRecordsAt      = 57

	// HeaderBytes is the size of the header: the records follow.
	HeaderBytes = 61

	// lengthExcludes is how many bytes lie before what Length counts.
	lengthExcludes = 12

	// Magic2 is the only format version here.
	Magic2 = 2

	// NoProducerID and NoTimestamp are the wire's words for none; NoSequence comes with NoProducerID.
	NoProducerID = -1
	NoTimestamp  = -1
	NoSequence   = -1
)

// Attribute bits above the codec's three.
const (
	codecMask        = 0x07
	logAppendTimeBit = 1 << 3
	transactionalBit = 1 << 4
	controlBit       = 1 << 5
	deleteHorizonBit = 1 << 6
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Codec is how the records of a batch are compressed; the numbers are the wire's.
type Codec uint8

const (
	CodecNone   Codec = 0
	CodecGzip   Codec = 1
	CodecSnappy Codec = 2
	CodecLZ4    Codec = 3
	CodecZstd   Codec = 4
)

// String gives the name Kafka's configuration uses.
func (c Codec) String() string {
	switch c {
	case CodecNone:
		return "none"
	case CodecGzip:
		return "gzip"
	case CodecSnappy:
		return "snappy"
	case CodecLZ4:
		return "lz4"
	case CodecZstd:
		return "zstd"
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// TimestampType says whose clock the timestamps of a batch are.
type TimestampType uint8

const (
	// CreateTime: the producer's.
	CreateTime TimestampType = 0
	// LogAppendTime: the log's; every record then has the batch's max timestamp.
	LogAppendTime TimestampType = 1
)

// String gives the name Kafka's configuration uses.
func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// Header is the fixed part of a batch, field for field.
type Header struct {
	BaseOffset      int64
	Length          int32 // bytes after this field
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32 // CRC32C from Attributes to the end
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64 // ms, or the delete horizon
	MaxTimestamp    int64 // ms
	ProducerID      int64
	ProducerEpoch   int16
	BaseSequence    int32
	NumRecords      int32
}

// Codec is how the records are compressed; it may be one that nobody defined.
func (h Header) Codec() Codec { return Codec(h.Attributes & codecMask) }

// Transactional says that the records are part of a transaction.
func (h Header) Transactional() bool { return h.Attributes&transactionalBit != 0 }

// Control says that the record is a marker for brokers and read_committed clients.
func (h Header) Control() bool { return h.Attributes&controlBit != 0 }

// TimestampType says whose clock the timestamps are.
func (h Header) TimestampType() TimestampType {
	if h.Attributes&logAppendTimeBit != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// DeleteHorizon is when, in ms, a compacted batch's tombstones may go (KIP-534); false if it has none.
func (h Header) DeleteHorizon() (ms int64, ok bool) {
	if h.Attributes&deleteHorizonBit == 0 {
		return NoTimestamp, false
	}
	return h.BaseTimestamp, true
}

// HasProducer says that the batch carries an idempotent producer's id, epoch and sequence.
func (h Header) HasProducer() bool { return h.ProducerID != NoProducerID }

// LastOffset is the offset of the last record, also of one that compaction took away.
func (h Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// TotalBytes is the size of the whole batch.
func (h Header) TotalBytes() int { return lengthExcludes + int(h.Length) }

// String is one line with everything that is set.
func (h Header) String() string {
	s := fmt.Sprintf("offsets %d..%d records %d bytes %d %s %s max %d", h.BaseOffset, h.LastOffset(), h.NumRecords,
		h.TotalBytes(), h.Codec(), h.TimestampType(), h.MaxTimestamp)
	if h.HasProducer() {
		s += fmt.Sprintf(" producer %d epoch %d sequence %d", h.ProducerID, h.ProducerEpoch, h.BaseSequence)
	}
	if h.Transactional() {
		s += " transactional"
	}
	if h.Control() {
		s += " control"
	}
	return s
}

// DecodeHeader reads the header of the batch that b begins with. It wants the 61 bytes, magic 2 and a length that
// can be; it does not look at the CRC or at how much of the batch b holds.
func DecodeHeader(b []byte) (Header, error) {
	// Magic lies at byte 16 in every format that ever was, so it is judged before anything that only magic 2 has.
	if len(b) <= magicAt {
		return Header{}, failf(ErrCorrupt, len(b), "%d bytes are too few for a batch", len(b))
	}
	if b[magicAt] != Magic2 {
		return Header{}, failf(ErrUnsupportedMagic, magicAt, "magic %d, only 2 is served", int8(b[magicAt]))
	}
	if len(b) < HeaderBytes {
		return Header{}, failf(ErrCorrupt, len(b), "%d bytes are too few for a header of %d", len(b), HeaderBytes)
	}
	h := Header{
		BaseOffset:      int64(binary.BigEndian.Uint64(b[baseOffsetAt:])),
		Length:          int32(binary.BigEndian.Uint32(b[lengthAt:])),
		LeaderEpoch:     int32(binary.BigEndian.Uint32(b[leaderEpochAt:])),
		Magic:           int8(b[magicAt]),
		CRC:             binary.BigEndian.Uint32(b[crcAt:]),
		Attributes:      int16(binary.BigEndian.Uint16(b[attributesAt:])),
		LastOffsetDelta: int32(binary.BigEndian.Uint32(b[lastOffsetDeltaAt:])),
		BaseTimestamp:   int64(binary.BigEndian.Uint64(b[baseTimestampAt:])),
		MaxTimestamp:    int64(binary.BigEndian.Uint64(b[maxTimestampAt:])),
		ProducerID:      int64(binary.BigEndian.Uint64(b[producerIDAt:])),
		ProducerEpoch:   int16(binary.BigEndian.Uint16(b[producerEpochAt:])),
		BaseSequence:    int32(binary.BigEndian.Uint32(b[baseSequenceAt:])),
		NumRecords:      int32(binary.BigEndian.Uint32(b[numRecordsAt:])),
	}
	if h.Length < HeaderBytes-lengthExcludes {
		return Header{}, failf(ErrCorrupt, lengthAt, "length %d is below the header's %d", h.Length, HeaderBytes-lengthExcludes)
	}
	return h, nil
}

// AppendHeader appends the 61 bytes of h as they are; Length and CRC are the caller's to have set.
func AppendHeader(dst []byte, h Header) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.BaseOffset))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.Length))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.LeaderEpoch))
	dst = append(dst, byte(h.Magic))
	dst = binary.BigEndian.AppendUint32(dst, h.CRC)
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.Attributes))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.LastOffsetDelta))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.BaseTimestamp))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.MaxTimestamp))
	dst = binary.BigEndian.AppendUint64(dst, uint64(h.ProducerID))
	dst = binary.BigEndian.AppendUint16(dst, uint16(h.ProducerEpoch))
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.BaseSequence))
	return binary.BigEndian.AppendUint32(dst, uint32(h.NumRecords))
}

// checksum is the CRC32C that belongs into the header of the whole batch b.
func checksum(b []byte) uint32 { return crc32.Checksum(b[attributesAt:], castagnoli) }

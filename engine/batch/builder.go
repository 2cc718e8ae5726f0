package batch

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Builder makes batches: for what the broker itself writes, for tools and for tests. Set fields, Append records, take
// Bytes; Reset to begin another with the same fields. The zero value is not ready: use NewBuilder.
type Builder struct {
	Codec       Codec
	BaseOffset  int64
	LeaderEpoch int32 // -1 unless set

	// ProducerID is NoProducerID unless set; then so are epoch and sequence.
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32

	Transactional bool
	Control       bool

	// LogAppendTime, unless NoTimestamp, in ms, makes it the time of every record.
	LogAppendTime int64

	records       []byte
	n             int32
	last          int32 // offset delta of the last record
	baseTimestamp int64
	maxTimestamp  int64
}

// NewBuilder returns a builder for a plain, uncompressed batch.
func NewBuilder() *Builder {
	return &Builder{
		LeaderEpoch: -1, ProducerID: NoProducerID, ProducerEpoch: -1, BaseSequence: NoSequence, LogAppendTime: NoTimestamp, last: -1,
	}
}

// Reset forgets the records and keeps the fields.
func (b *Builder) Reset() {
	b.records, b.n, b.last, b.baseTimestamp, b.maxTimestamp = b.records[:0], 0, -1, 0, 0
}

// Len is the number of records so far.
func (b *Builder) Len() int { return int(b.n) }

// Append adds a record behind the last; its Offset is ignored. Key, value and headers are copied.
func (b *Builder) Append(r Record) { b.appendAt(b.last+1, r) }

// AppendAt adds a record at its own Offset, which lies behind the last and not below BaseOffset: for batches that
// compaction rewrote.
func (b *Builder) AppendAt(r Record) {
	delta := r.Offset - b.BaseOffset
	invariant.Check(delta > int64(b.last) && delta <= math.MaxInt32, "record at offset %d behind delta %d of base %d", r.Offset, b.last, b.BaseOffset)
	b.appendAt(int32(delta), r)
}

// EndAt sets the last offset of a batch whose last records compaction took away.
func (b *Builder) EndAt(lastOffset int64) {
	delta := lastOffset - b.BaseOffset
	invariant.Check(delta >= int64(b.last) && delta >= 0 && delta <= math.MaxInt32, "batch ends at %d before delta %d of base %d", lastOffset, b.last, b.BaseOffset)
	b.last = int32(delta)
}

func (b *Builder) appendAt(delta int32, r Record) {
	if b.n == 0 {
		b.baseTimestamp, b.maxTimestamp = r.Timestamp, r.Timestamp
	}
	b.maxTimestamp = max(b.maxTimestamp, r.Timestamp)
	timestampDelta := r.Timestamp - b.baseTimestamp
	length := 1 + varintBytes(timestampDelta) + varintBytes(int64(delta)) +
		nullableBytes(r.Key) + nullableBytes(r.Value) + varintBytes(int64(len(r.Headers)))
	for _, h := range r.Headers {
		length += varintBytes(int64(len(h.Key))) + len(h.Key) + nullableBytes(h.Value)
	}
	invariant.Check(length <= math.MaxInt32, "record of %d bytes", length)
	dst := appendVarint(b.records, int64(length))
	from := len(dst)
	dst = append(dst, byte(r.Attributes))
	dst = appendVarint(dst, timestampDelta)
	dst = appendVarint(dst, int64(delta))
	dst = appendNullable(dst, r.Key)
	dst = appendNullable(dst, r.Value)
	dst = appendVarint(dst, int64(len(r.Headers)))
	for _, h := range r.Headers {
		dst = appendVarint(dst, int64(len(h.Key)))
		dst = append(dst, h.Key...)
		dst = appendNullable(dst, h.Value)
	}
	invariant.Check(len(dst)-from == length, "record of %d bytes counted as %d", len(dst)-from, length)
	b.records, b.last = dst, delta
	b.n++
}

// Bytes is the batch so far, in memory of its own.
func (b *Builder) Bytes() []byte { return b.AppendTo(nil) }

// AppendTo appends the batch so far to dst.
func (b *Builder) AppendTo(dst []byte) []byte {
	h := Header{
		BaseOffset: b.BaseOffset, LeaderEpoch: b.LeaderEpoch, Magic: Magic2, Attributes: int16(b.Codec),
		LastOffsetDelta: max(b.last, 0), BaseTimestamp: b.baseTimestamp, MaxTimestamp: b.maxTimestamp,
		ProducerID: b.ProducerID, ProducerEpoch: b.ProducerEpoch, BaseSequence: b.BaseSequence, NumRecords: b.n,
	}
	if b.Transactional {
		h.Attributes |= transactionalBit
	}
	if b.Control {
		h.Attributes |= controlBit
	}
	if b.n == 0 {
		h.BaseTimestamp, h.MaxTimestamp = NoTimestamp, NoTimestamp
	}
	if b.LogAppendTime != NoTimestamp {
		h.Attributes |= logAppendTimeBit
		h.MaxTimestamp = b.LogAppendTime
	}
	return assemble(dst, h, b.Codec, b.records)
}

// assemble appends header and compressed records and fills in length and CRC.
func assemble(dst []byte, h Header, codec Codec, records []byte) []byte {
	from := len(dst)
	dst = AppendHeader(dst, h)
	dst = compress(dst, codec, records)
	b := dst[from:]
	invariant.Check(len(b)-lengthExcludes <= math.MaxInt32, "batch of %d bytes", len(b))
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-lengthExcludes))
	binary.BigEndian.PutUint32(b[crcAt:], checksum(b))
	return dst
}

// zstdEncoder, like the decoder, exists before any test's bubble; the encoder makes its channel on first use, so it is
// used once here.
var zstdEncoder = newZstdEncoder()

func newZstdEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are constants
	}
	e.EncodeAll([]byte("warm"), nil)
	return e
}

// compress appends records as one block of the codec, as clients write it.
func compress(dst []byte, codec Codec, records []byte) []byte {
	// Writing to a bytes.Buffer does not fail, so neither do the writers on it.
	must := func(err error) {
		invariant.Check(err == nil, "compressing %d bytes with %v: %v", len(records), codec, err)
	}
	switch codec {
	case CodecNone:
		return append(dst, records...)
	case CodecGzip:
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, err := w.Write(records)
		must(err)
		must(w.Close())
		return append(dst, out.Bytes()...)
	case CodecSnappy:
		return append(dst, snappy.Encode(nil, records)...)
	case CodecLZ4:
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		must(w.Apply(lz4.BlockSizeOption(lz4.Block64Kb)))
		_, err := w.Write(records)
		must(err)
		must(w.Close())
		return append(dst, out.Bytes()...)
	case CodecZstd:
		return zstdEncoder.EncodeAll(records, dst)
	}
	invariant.Unreachable("codec %d", codec)
	return nil
}

func appendNullable(dst, b []byte) []byte {
	if b == nil {
		return appendVarint(dst, -1)
	}
	return append(appendVarint(dst, int64(len(b))), b...)
}

func nullableBytes(b []byte) int {
	if b == nil {
		return varintBytes(-1)
	}
	return varintBytes(int64(len(b))) + len(b)
}

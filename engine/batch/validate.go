package batch

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// Info is what Validate learned about a batch it accepted.
type Info struct {
	NumRecords      int32
	LastOffsetDelta int32 // NumRecords-1, except in compacted batches
	Codec           Codec
	Transactional   bool
	Control         bool

	// MaxTimestamp is computed from the records (under LogAppendTime: the header's). The header's own may differ,
	// as some clients are careless: then MaxTimestampWrong, and PatchMaxTimestamp puts it right.
	MaxTimestamp      int64
	MaxTimestampWrong bool
	// OffsetOfMaxTimestampDelta is the offset delta of the first record that has MaxTimestamp.
	OffsetOfMaxTimestampDelta int32

	// Fingerprint is a 64-bit hash (xxHash64) over the decompressed records, their count and the base timestamp: what
	// the records are, not how they travelled. A client that compresses a batch again for its retry gets the same.
	Fingerprint uint64

	// NullKey is the offset delta of the first record without a key, -1 if all have one: compacted topics refuse it.
	NullKey int32

	ProducerID    int64 // NoProducerID if the producer is not idempotent
	ProducerEpoch int16
	BaseSequence  int32

	UncompressedBytes int // of the records, without the header
}

// String is one line for logs and tests.
func (i Info) String() string {
	return fmt.Sprintf("records %d %s uncompressed %d max %d at %d producer %d epoch %d sequence %d fingerprint %016x",
		i.NumRecords, i.Codec, i.UncompressedBytes, i.MaxTimestamp, i.OffsetOfMaxTimestampDelta, i.ProducerID,
		i.ProducerEpoch, i.BaseSequence, i.Fingerprint)
}

// Validate checks that b is exactly one batch that every consumer will be able to read, and within limits. It changes
// nothing. Any base offset and leader epoch are accepted: both are overwritten when the batch is served. Its errors
// are *Error.
func Validate(b []byte, limits Limits) (Info, error) {
	if len(b) > limits.batchBytesMax() {
		return Info{}, failf(ErrTooLarge, limits.batchBytesMax(), "batch of %d bytes, at most %d", len(b), limits.batchBytesMax())
	}
	h, err := DecodeHeader(b)
	if err != nil {
		return Info{}, err
	}
	// First what damage would break, then what a wrong client would: a flipped bit must not be called the client's fault.
	if err := checkFrame(b, h); err != nil {
		return Info{}, err
	}
	if err := checkHeader(h, limits.Allow); err != nil {
		return Info{}, err
	}
	if h.Codec() == CodecNone {
		records := b[HeaderBytes:]
		if len(records) > limits.uncompressedBytesMax() {
			return Info{}, failf(ErrTooLarge, HeaderBytes, "records of %d bytes, at most %d", len(records), limits.uncompressedBytesMax())
		}
		return finish(records, h, limits.Allow)
	}
	s := takeScratch()
	defer s.release()
	records, fail := s.decompress(h.Codec(), b[HeaderBytes:], limits.uncompressedBytesMax())
	if fail != nil {
		return Info{}, fail
	}
	return finish(records, h, limits.Allow)
}

// checkFrame compares b with the length and the CRC that its header claims.
func checkFrame(b []byte, h Header) error {
	total := h.TotalBytes()
	if total > len(b) {
		return failf(ErrCorrupt, lengthAt, "batch of %d bytes where %d are given", total, len(b))
	}
	if sum := checksum(b[:total]); sum != h.CRC {
		return failf(ErrCorrupt, crcAt, "crc %#08x, computed %#08x", h.CRC, sum)
	}
	if total < len(b) {
		return failf(ErrInvalidRecord, total, "%d bytes follow the batch; exactly one batch is allowed", len(b)-total)
	}
	return nil
}

// checkHeader judges the fields that need no look at the records.
func checkHeader(h Header, allow Allow) error {
	switch {
	case h.Codec() > CodecZstd:
		return failf(ErrUnsupportedCodec, attributesAt+1, "codec %d", h.Codec())
	case h.Control() && allow&AllowControl == 0:
		return failf(ErrInvalidRecord, attributesAt+1, "clients do not write control batches")
	case h.Transactional() && allow&AllowTransactional == 0:
		return failf(ErrInvalidRecord, attributesAt+1, "a transactional batch is not allowed here")
	case h.TimestampType() == LogAppendTime && allow&AllowLogAppendTime == 0:
		return failf(ErrInvalidTimestamp, attributesAt+1, "clients do not set log append time")
	case h.Attributes&deleteHorizonBit != 0 && allow&AllowDeleteHorizon == 0:
		return failf(ErrInvalidRecord, attributesAt+1, "clients do not set a delete horizon")
	case h.ProducerID < NoProducerID:
		return failf(ErrInvalidRecord, producerIDAt, "producer id %d", h.ProducerID)
	case h.HasProducer() && h.ProducerEpoch < 0:
		return failf(ErrInvalidRecord, producerEpochAt, "producer id %d with epoch %d", h.ProducerID, h.ProducerEpoch)
	// A marker carries a producer but no sequence.
	case h.HasProducer() && h.BaseSequence < 0 && !h.Control():
		return failf(ErrInvalidRecord, baseSequenceAt, "producer id %d with sequence %d", h.ProducerID, h.BaseSequence)
	case h.Transactional() && !h.HasProducer():
		return failf(ErrInvalidRecord, producerIDAt, "a transactional batch without producer id")
	case h.LastOffsetDelta < 0:
		return failf(ErrInvalidRecord, lastOffsetDeltaAt, "last offset delta %d", h.LastOffsetDelta)
	case h.NumRecords < 0, h.NumRecords == 0 && allow&AllowGaps == 0:
		return failf(ErrInvalidRecord, numRecordsAt, "%d records", h.NumRecords)
	case allow&AllowGaps == 0 && h.LastOffsetDelta != h.NumRecords-1:
		return failf(ErrInvalidRecord, lastOffsetDeltaAt, "last offset delta %d with %d records", h.LastOffsetDelta, h.NumRecords)
	}
	return nil
}

// finish walks the decompressed records and says what the batch is.
func finish(records []byte, h Header, allow Allow) (Info, error) {
	info := Info{
		NumRecords:        h.NumRecords,
		LastOffsetDelta:   h.LastOffsetDelta,
		Codec:             h.Codec(),
		Transactional:     h.Transactional(),
		Control:           h.Control(),
		ProducerID:        h.ProducerID,
		ProducerEpoch:     h.ProducerEpoch,
		BaseSequence:      h.BaseSequence,
		UncompressedBytes: len(records),
		MaxTimestamp:      NoTimestamp,
		NullKey:           -1,
	}
	if err := info.walk(records, h, allow); err != nil {
		return Info{}, err.in(h.Codec())
	}
	info.Fingerprint = fingerprint(records, h)
	return info, nil
}

func (i *Info) walk(records []byte, h Header, allow Allow) *Error {
	var p parsed
	at, previous := 0, int32(-1)
	for n := int32(0); n < h.NumRecords; n++ {
		if at == len(records) {
			return failf(ErrInvalidRecord, at, "%d records of %d", n, h.NumRecords)
		}
		next, err := parse(records, at, &p)
		if err != nil {
			return err
		}
		if err := checkDelta(p.offsetDelta, previous, h.LastOffsetDelta, at, allow); err != nil {
			return err
		}
		timestamp, ok := addTimestamp(h.BaseTimestamp, p.timestampDelta)
		if !ok {
			return failf(ErrInvalidTimestamp, at, "timestamp %d + %d overflows", h.BaseTimestamp, p.timestampDelta)
		}
		if n == 0 || timestamp > i.MaxTimestamp {
			i.MaxTimestamp, i.OffsetOfMaxTimestampDelta = timestamp, p.offsetDelta
		}
		if p.keyBytes < 0 && i.NullKey < 0 {
			i.NullKey = p.offsetDelta
		}
		at, previous = next, p.offsetDelta
	}
	if at != len(records) {
		return failf(ErrInvalidRecord, at, "%d bytes follow the last of %d records", len(records)-at, h.NumRecords)
	}
	if h.TimestampType() == LogAppendTime {
		i.MaxTimestamp, i.OffsetOfMaxTimestampDelta = h.MaxTimestamp, 0
		return nil
	}
	i.MaxTimestampWrong = i.MaxTimestamp != h.MaxTimestamp
	return nil
}

// checkDelta wants 0, 1, 2 … from producers, and only rising deltas within the batch's range from compaction.
func checkDelta(delta, previous, last int32, at int, allow Allow) *Error {
	if allow&AllowGaps == 0 {
		if delta != previous+1 {
			return failf(ErrInvalidRecord, at, "offset delta %d after %d", delta, previous)
		}
		return nil
	}
	if delta <= previous || delta > last {
		return failf(ErrInvalidRecord, at, "offset delta %d after %d, last is %d", delta, previous, last)
	}
	return nil
}

func addTimestamp(base, delta int64) (int64, bool) {
	if delta > 0 && base > math.MaxInt64-delta || delta < 0 && base < math.MinInt64-delta {
		return 0, false
	}
	return base + delta, true
}

// fingerprint is stored in replicated state and compared with later ones: its definition never changes.
//
//	xxHash64(seed 0) of: xxHash64 of the decompressed records [8] | number of records [4] | base timestamp [8]
func fingerprint(records []byte, h Header) uint64 {
	var summary [20]byte
	binary.BigEndian.PutUint64(summary[0:], xxhash.Sum64(records))
	binary.BigEndian.PutUint32(summary[8:], uint32(h.NumRecords))
	binary.BigEndian.PutUint64(summary[12:], uint64(h.BaseTimestamp))
	return xxhash.Sum64(summary[:])
}

package batch

import (
	"encoding/binary"

	"github.com/tallymq/tallymq/internal/invariant"
)

// PatchServed gives a batch the base offset and the leader epoch it is served with, in place. Both lie outside the
// CRC. b begins with a whole header; the caller owns the bytes.
func PatchServed(b []byte, baseOffset int64, leaderEpoch int32) {
	invariant.Check(len(b) >= HeaderBytes, "patching a batch of %d bytes", len(b))
	binary.BigEndian.PutUint64(b[baseOffsetAt:], uint64(baseOffset))
	binary.BigEndian.PutUint32(b[leaderEpochAt:], uint32(leaderEpoch))
}

// PatchLogAppendTime makes ts, in ms, the time of every record: attribute bit 3, the max timestamp and, as both lie
// under it, the CRC. b is exactly one batch.
func PatchLogAppendTime(b []byte, ts int64) {
	mustBeWhole(b)
	b[attributesAt+1] |= logAppendTimeBit
	PatchMaxTimestamp(b, ts)
}

// PatchMaxTimestamp sets the max timestamp, in ms, and the CRC: what Kafka does to a batch whose header claims another
// one than its records have. b is exactly one batch.
func PatchMaxTimestamp(b []byte, ts int64) {
	mustBeWhole(b)
	binary.BigEndian.PutUint64(b[maxTimestampAt:], uint64(ts))
	binary.BigEndian.PutUint32(b[crcAt:], checksum(b))
}

// mustBeWhole guards the CRC: computed over a part it would make damage look sound.
func mustBeWhole(b []byte) {
	invariant.Check(len(b) >= HeaderBytes, "patching a batch of %d bytes", len(b))
	length := int32(binary.BigEndian.Uint32(b[lengthAt:]))
	invariant.Check(int(length)+lengthExcludes == len(b), "patching %d bytes as a batch of length %d", len(b), length)
}

package batch

import "github.com/tallymq/tallymq/internal/invariant"

// Each limit has a name and a unit; zero in Limits takes the default here.
const (
	// BatchBytesMaxDefault bounds a whole batch as sent. Topics usually set less (max.message.bytes).
	BatchBytesMaxDefault = 16 << 20

	// UncompressedBytesMaxDefault bounds what one batch may unfold to: the defence against decompression bombs.
	// Kafka has no such bound; 64 MiB is four times the largest batch, and text compresses about that well.
	UncompressedBytesMaxDefault = 64 << 20

	// scratchBytesMin is the first buffer a decoder gets; most batches of clients' default settings fit.
	scratchBytesMin = 64 << 10

	// scratchKeptBytesMax is the largest buffer a pool keeps; one rare giant must not stay in memory for ever.
	scratchKeptBytesMax = 8 << 20

	// snappyRatioMax is the most one compressed byte can unfold to in a snappy block: a copy of 64 bytes takes 3.
	snappyRatioMax = 22

	// zstdWindowBytesMax is the largest window a frame may declare: zstd's own highest level (22) uses 128 MiB. It
	// is not allocated: frames are decoded straight into the bounded buffer.
	zstdWindowBytesMax = 128 << 20

	// zstdBlockBytesMax is the most one zstd block unfolds to, 128 KiB, and what the decoder wants beyond to be fast.
	zstdBlockBytesMax = 128<<10 + 64

	// zstdDecodersMax bounds the zstd decoders of the process; further calls wait for one.
	zstdDecodersMax = 8
)

// Allow lifts single rules of Validate for batches that do not come from an ordinary producer.
type Allow uint8

const (
	// AllowTransactional accepts attribute bit 4.
	AllowTransactional Allow = 1 << iota
	// AllowControl accepts attribute bit 5: markers, which no client may write.
	AllowControl
	// AllowLogAppendTime accepts attribute bit 3: a stored batch; producers must not set it.
	AllowLogAppendTime
	// AllowDeleteHorizon accepts attribute bit 6: a compacted batch.
	AllowDeleteHorizon
	// AllowGaps accepts offset deltas that only rise, stay within LastOffsetDelta, and may be none: a compacted batch.
	AllowGaps
)

// Limits is what Validate holds a batch to.
type Limits struct {
	// BatchBytesMax bounds the batch as sent, in bytes, header included. 0: BatchBytesMaxDefault.
	BatchBytesMax int
	// UncompressedBytesMax bounds the decompressed records, in bytes. 0: UncompressedBytesMaxDefault.
	UncompressedBytesMax int
	// Allow lifts rules; the zero value is right for an idempotent or plain producer.
	Allow Allow
}

func (l Limits) batchBytesMax() int {
	if l.BatchBytesMax > 0 {
		return l.BatchBytesMax
	}
	return BatchBytesMaxDefault
}

func (l Limits) uncompressedBytesMax() int {
	if l.UncompressedBytesMax > 0 {
		return l.UncompressedBytesMax
	}
	return UncompressedBytesMaxDefault
}

func init() {
	invariant.Check(BatchBytesMaxDefault <= UncompressedBytesMaxDefault, "a batch of %d bytes may not be uncompressed, the limit is %d", BatchBytesMaxDefault, UncompressedBytesMaxDefault)
	invariant.Check(scratchBytesMin <= scratchKeptBytesMax, "a first buffer of %d bytes is not kept, the limit is %d", scratchBytesMin, scratchKeptBytesMax)
}

package journal

// Stats are counters since Open and the present sizes.
type Stats struct {
	Batches, Records, Syncs   uint64 // batches written, records in them, syncs done
	BytesWritten, BytesPadded uint64 // by the append path; the padding to 4 KiB
	Segments, SparesReady     int    // sealed and active; ready for reuse
	SegmentBytes, LiveBytes   int64  // bytes of data in segments; as last judged
	CacheBytes                int64
	CacheHits, CacheMisses    uint64
	IndexHits, IndexMisses    uint64
	SegmentsFreed, BytesFreed uint64
	Relocated, RelocatedBytes uint64 // payload records and their bytes
	Restated                  uint64 // entries of idle replicas carried forward
	Damages, Repairs          int
	ScrubbedBytes             uint64
	Space                     SpaceLevel
	OpenCount                 uint64
}

// CollectStats is what one cycle of garbage collection did.
type CollectStats struct {
	Judged, Freed, Relocations int
	BytesFreed, BytesCopied    int64
}

// ScrubStats is what one pass of scrubbing saw.
type ScrubStats struct {
	Segments int
	Bytes    int64
	Damages  int
}

package journal

// Stats are counters since Open and the present sizes.
type Stats struct {
	Batches, Records, Syncs   uint64 // batches written, records in them, syncs done
	BytesWritten, BytesPadded uint64 // by all writers; the padding of batches to 4 KiB
	Segments, SparesReady     int    // sealed and active; ready for reuse
	ReserveReady              int    // of the reserve
	SegmentBytes, LiveBytes   int64  // bytes of data in segments; those as last judged
	CacheBytes                int64
	CacheHits, CacheMisses    uint64
	IndexHits, IndexMisses    uint64
	SegmentsFreed, BytesFreed uint64
	Relocated, RelocatedBytes uint64 // payload records and the bytes written for them
	Restated                  uint64 // entries of idle replicas said again
	Damages, Repairs          int
	ScrubbedBytes             uint64
	Space                     SpaceLevel
	OpenCount                 uint64
	Direct                    bool // writing past the page cache
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
	Damages  int // newly found
}

// counts are kept under j.mu.
type counts struct {
	batches, records, syncs, bytes, padding      uint64
	freed, freedBytes, relocated, relocatedBytes uint64
	restated, scrubbed                           uint64
}

func (j *Journal) count(f func(*counts)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.counts)
}

// Stats are for metrics; nothing depends on them.
func (j *Journal) Stats() Stats {
	j.mu.RLock()
	c := j.counts
	s := Stats{
		Batches: c.batches, Records: c.records, Syncs: c.syncs, BytesWritten: c.bytes, BytesPadded: c.padding,
		SegmentsFreed: c.freed, BytesFreed: c.freedBytes, Relocated: c.relocated, RelocatedBytes: c.relocatedBytes,
		Restated: c.restated, ScrubbedBytes: c.scrubbed, Segments: len(j.ledger.segments), OpenCount: j.ledger.open,
	}
	for _, g := range j.ledger.segments {
		s.SegmentBytes += g.end
		if g.judged.known {
			s.LiveBytes += g.judged.live
		} else {
			s.LiveBytes += g.end
		}
	}
	j.mu.RUnlock()
	j.spares.mu.Lock()
	s.SparesReady, s.ReserveReady = len(j.spares.ready), len(j.spares.reserve)
	j.spares.mu.Unlock()
	j.cache.mu.Lock()
	s.CacheBytes = j.cache.bytes
	j.cache.mu.Unlock()
	s.CacheHits, s.CacheMisses = j.cache.hits.Load(), j.cache.misses.Load()
	s.IndexHits, s.IndexMisses = j.indexCache.hits.Load(), j.indexCache.misses.Load()
	j.damage.mu.Lock()
	s.Damages, s.Repairs = len(j.damage.known), j.damage.repaired
	j.damage.mu.Unlock()
	s.Space = j.space.get()
	s.Direct = j.opts.Direct != nil && !j.noDirect.Load()
	return s
}

// Describe prints the ledger: each replica and each segment on a line.
func (j *Journal) Describe() string {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.ledger.describe()
}

package batch

import "iter"

// Records yields the records of the batch that b begins with, in order; after an error nothing more. Keys and values
// borrow from b, or, if the batch is compressed, from a buffer made for this call: they stay right as long as b does.
// It checks structure, not the CRC, and unfolds at most UncompressedBytesMaxDefault bytes. Under LogAppendTime every
// record has the batch's max timestamp.
func Records(b []byte) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var s scratch // not pooled: what is yielded outlives the call
		h, records, err := open(&s, b)
		if err == nil {
			err = each(h, records, &s.parsed, func(p *parsed, timestamp int64) bool {
				return yield(p.record(records, h.BaseOffset, timestamp), nil)
			})
		}
		if err != nil {
			yield(Record{}, err)
		}
	}
}

// FindTimestamp finds the first record with a timestamp of at least ts, in ms, in the batch that b begins with, whose
// base offset has been patched: what ListOffsets by timestamp asks. It checks structure, not the CRC.
func FindTimestamp(b []byte, ts int64) (offset, timestamp int64, ok bool, err error) {
	s := takeScratch()
	defer s.release()
	h, records, err := open(s, b)
	if err != nil {
		return 0, 0, false, err
	}
	err = each(h, records, &s.parsed, func(p *parsed, t int64) bool {
		if t < ts {
			return true
		}
		offset, timestamp, ok = h.BaseOffset+int64(p.offsetDelta), t, true
		return false
	})
	if err != nil {
		return 0, 0, false, err
	}
	return offset, timestamp, ok, nil
}

// open reads the header and unfolds the records of the batch that b begins with; uncompressed ones stay where they are.
func open(s *scratch, b []byte) (Header, []byte, error) {
	h, err := DecodeHeader(b)
	if err != nil {
		return h, nil, err
	}
	if h.TotalBytes() > len(b) {
		return h, nil, failf(ErrCorrupt, lengthAt, "batch of %d bytes where %d are given", h.TotalBytes(), len(b))
	}
	records := b[HeaderBytes:h.TotalBytes():h.TotalBytes()]
	if h.Codec() == CodecNone {
		return h, records, nil
	}
	records, fail := s.decompress(h.Codec(), records, UncompressedBytesMaxDefault)
	if fail != nil {
		return h, nil, fail
	}
	return h, records, nil
}

// each parses record after record until visit returns false. A batch may have been compacted: deltas only rise.
// The record handed to visit is p, which lies in a scratch so that it need not be allocated.
func each(h Header, records []byte, p *parsed, visit func(p *parsed, timestamp int64) bool) error {
	at, previous := 0, int32(-1)
	for n := int32(0); n < h.NumRecords; n++ {
		next, fail := parse(records, at, p)
		if fail == nil {
			fail = checkDelta(p.offsetDelta, previous, h.LastOffsetDelta, at, AllowGaps)
		}
		timestamp, ok := addTimestamp(h.BaseTimestamp, p.timestampDelta)
		if fail == nil && !ok {
			fail = failf(ErrInvalidTimestamp, at, "timestamp %d + %d overflows", h.BaseTimestamp, p.timestampDelta)
		}
		if fail != nil {
			return fail.in(h.Codec())
		}
		if h.TimestampType() == LogAppendTime {
			timestamp = h.MaxTimestamp
		}
		if !visit(p, timestamp) {
			return nil
		}
		at, previous = next, p.offsetDelta
	}
	if at != len(records) {
		return failf(ErrInvalidRecord, at, "%d bytes follow the last of %d records", len(records)-at, h.NumRecords).in(h.Codec())
	}
	return nil
}

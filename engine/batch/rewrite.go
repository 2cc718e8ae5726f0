package batch

// Keyed is what of a record compaction judges by.
type Keyed struct {
	OffsetDelta int32
	Key         []byte // nil: none; borrowed from the batch
	Tombstone   bool   // the record has a key and no value: it deletes the key
}

// Rewritten says what Rewrite made of a batch.
type Rewritten struct {
	Records, Kept int32
	Tombstones    int32 // of those kept

	// Of the records kept, if there are any: the offset delta of the first, the greatest timestamp as the producer gave
	// it, in ms, and the offset delta of the first record that has it.
	FirstDelta        int32
	MaxTimestamp      int64
	MaxTimestampDelta int32
}

// EachKey yields the records of the batch that b begins with, in order, until yield returns false. It checks
// structure, not the CRC.
func EachKey(b []byte, yield func(Keyed) bool) error {
	s := takeScratch()
	defer s.release()
	h, records, err := open(s, b)
	if err != nil {
		return err
	}
	return each(h, records, &s.parsed, func(p *parsed, _ int64) bool { return yield(p.keyed(records)) })
}

func (p *parsed) keyed(records []byte) Keyed {
	return Keyed{OffsetDelta: p.offsetDelta, Key: slice(records, p.keyAt, p.keyBytes), Tombstone: p.keyBytes >= 0 && p.valueBytes < 0}
}

// Rewrite appends to dst the batch b without the records that keep refuses. What stays keeps its bytes: offsets,
// timestamps and headers are those of before, and so are the batch's base and last offset, its producer and its codec.
// If all records stay, or none, nothing is appended: there is nothing to write.
func Rewrite(dst, b []byte, keep func(Keyed) bool) ([]byte, Rewritten, error) {
	s := takeScratch()
	defer s.release()
	h, records, err := open(s, b)
	if err != nil {
		return dst, Rewritten{}, err
	}
	r := Rewritten{Records: h.NumRecords}
	kept := make([]byte, 0, len(records))
	from := 0
	err = each(h, records, &s.parsed, func(p *parsed, timestamp int64) bool {
		next := p.end
		if k := p.keyed(records); keep(k) {
			r.count(k, timestamp)
			kept = append(kept, records[from:next]...)
		}
		from = next
		return true
	})
	if err != nil || r.Kept == 0 || r.Kept == r.Records {
		return dst, r, err
	}
	h.NumRecords, h.MaxTimestamp = r.Kept, r.MaxTimestamp
	return assemble(dst, h, h.Codec(), kept), r, nil
}

// count notes a record that stays.
func (r *Rewritten) count(k Keyed, timestamp int64) {
	if r.Kept == 0 {
		r.FirstDelta = k.OffsetDelta
	}
	if r.Kept == 0 || timestamp > r.MaxTimestamp {
		r.MaxTimestamp, r.MaxTimestampDelta = timestamp, k.OffsetDelta
	}
	if k.Tombstone {
		r.Tombstones++
	}
	r.Kept++
}

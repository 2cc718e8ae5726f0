package txn

// Sequence numbers the records of one producer in one partition: 0 .. 2^31-1, then 0 again.
type Sequence int32

// Add is the sequence n records after s, n ≥ 0 (Kafka: DefaultRecordBatch.incrementSequence).
func (s Sequence) Add(n int32) Sequence {
	if int32(s) > SequenceMax-n {
		return Sequence(n - (SequenceMax - int32(s)) - 1)
	}
	return s + Sequence(n)
}

// Next is the sequence after s.
func (s Sequence) Next() Sequence { return s.Add(1) }

// LastSequence is the sequence of the last of n records, n ≥ 1, of which the first has sequence first.
func LastSequence(first Sequence, n int32) Sequence { return first.Add(n - 1) }

// count is how many records lie in first..last, both included, across the wrap.
func count(first, last Sequence) int64 {
	n := int64(last) - int64(first)
	if n < 0 {
		n += SequenceMax + 1
	}
	return n + 1
}

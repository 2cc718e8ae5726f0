package txn

// WindowBatchesMax is how many batches a window remembers: as many as a producer may have in flight
// (max.in.flight.requests.per.connection ≤ 5, KIP-98 and KAFKA-5494), so a retry always finds its first attempt.
const WindowBatchesMax = 5

// SequenceMax is the last sequence before the wrap to 0.
const SequenceMax = 1<<31 - 1

// EpochMax is the last epoch of a producer id; after it the producer gets another id.
const EpochMax = 1<<15 - 1

// forgottenMax bounds, in sequences, how far behind its oldest batch a window vouches that a sequence was appended: a
// quarter of the circle, so that before and after cannot be confused.
const forgottenMax = (SequenceMax + 1) / 4

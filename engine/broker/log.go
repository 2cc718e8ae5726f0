package broker

import (
	"context"
	"time"
)

// Logs appends to and reads partitions. Only the leader answers; every other node
// refuses with CodeNotLeader and names the leader it knows.
type Logs interface {
	// Append proposes one record batch. It returns once the batch is queued (or
	// refused, by calling Done before it returns); it waits only for room in the
	// node's bound on bytes in flight. Calls for one partition made one after the
	// other are applied in that order or, once one was refused as not led here,
	// not at all. Done is called exactly once, from any goroutine, and must not block.
	Append(ctx context.Context, r *Append)
	// Appended ends the appends of a transactional id that were called Together.
	Appended(transactionalID string)
	// Read returns whole record batches, from the batch that holds each offset on.
	// It returns as soon as MinBytes are there, any partition has an error, or
	// MaxWait passed. The caller calls Release when it wrote the bytes out.
	Read(ctx context.Context, r *Read) (*ReadResult, error)
	// ListOffset answers after a read index: earliest, latest, by timestamp.
	ListOffset(ctx context.Context, q OffsetQuery) (OffsetAnswer, error)
	// EpochEnd gives the last epoch not above q.Epoch and the offset at which it
	// ended (KIP-101, KIP-320), after a read index.
	EpochEnd(ctx context.Context, q EpochQuery) (EpochAnswer, error)
	// DeleteRecords moves a partition's log start up to an offset (−1: the log's end) and gives the log start it has
	// then, which is higher if it was. CodeOffsetOutOfRange beyond the end.
	DeleteRecords(ctx context.Context, c Client, p Partition, before Offset) (Offset, error)
}

// Append is one batch for one partition.
type Append struct {
	Client    Client
	Partition Partition
	// Batch is one record batch of format v2 as the client sent it. The engine
	// validates it whole. Borrowed until Done.
	Batch []byte
	// TransactionalID names the producer of a transactional batch. Implicit (second protocol version): the partition is
	// added to the transaction, and the transaction begun, by the append itself.
	TransactionalID string
	Implicit        bool
	// Together: Appended follows, and until then what the batches of a transactional id need of its coordinator is gathered, to be
	// asked for at once.
	Together bool
	// Deadline bounds the wait for a result; then Done gets CodeOutcomeUnknown.
	Deadline time.Time
	Done     func(AppendResult, error)
}

// AppendResult is where the batch lies now.
type AppendResult struct {
	BaseOffset     Offset
	LogStartOffset Offset
	LogAppendTime  int64 // ms since 1970, −1 unless the topic uses LogAppendTime
	Duplicate      bool  // a retry of a batch that was appended before, at BaseOffset
}

// Read asks for batches of some partitions.
type Read struct {
	Client     Client
	Partitions []ReadPartition
	MinBytes   int32
	MaxBytes   int32 // over all partitions; the first batch is returned even if larger
	MaxWait    time.Duration
	Committed  bool // read_committed
}

// ReadPartition is one partition of a Read.
type ReadPartition struct {
	Partition Partition
	Offset    Offset
	Epoch     LeaderEpoch // the leader epoch the client knows, or NoEpoch
	// LastEpoch is the epoch of the last record the client has, or NoEpoch. When its
	// log diverges from ours, Diverging is answered instead of records (KIP-595).
	LastEpoch LeaderEpoch
	MaxBytes  int32
}

// ReadResult answers a Read, partition by partition in the order asked.
type ReadResult struct {
	Partitions []ReadPartitionResult
	release    func()
}

// NewReadResult makes a result whose buffers go back by release (may be nil).
func NewReadResult(ps []ReadPartitionResult, release func()) *ReadResult {
	return &ReadResult{Partitions: ps, release: release}
}

// Release gives the buffers back; the batches must not be used after it.
func (r *ReadResult) Release() {
	if r.release != nil {
		r.release()
		r.release = nil
	}
}

// ReadPartitionResult is the answer for one partition.
type ReadPartitionResult struct {
	Err              error // *Error or nil
	HighWatermark    Offset
	LastStableOffset Offset
	LogStartOffset   Offset
	// Batches are whole batches, ready for the wire: base offset, leader epoch and,
	// for LogAppendTime, timestamp and CRC are in place.
	Batches [][]byte
	Size    int // bytes in Batches
	// Aborted are the aborted transactions of which Batches have records, by first offset; with Committed only.
	Aborted []AbortedTransaction
	// Diverging is set, and Batches empty, when the client's log diverges from ours: the
	// last epoch not above the client's and where it ends here.
	Diverging *EpochAnswer
}

// AbortedTransaction says that the producer's records from First on, up to its next marker, were aborted.
type AbortedTransaction struct {
	Producer ProducerID
	First    Offset
}

// Special timestamps of ListOffsets.
const (
	TimestampLatest   int64 = -1
	TimestampEarliest int64 = -2
	TimestampMax      int64 = -3 // the record with the greatest timestamp (KIP-734)
)

// OffsetQuery asks for one offset of one partition.
type OffsetQuery struct {
	Client    Client
	Partition Partition
	Epoch     LeaderEpoch
	Timestamp int64 // ms since 1970, or a special one
	Committed bool
}

// OffsetAnswer is the offset found; Offset −1 when no record qualifies.
type OffsetAnswer struct {
	Offset    Offset
	Timestamp int64 // of that record, −1 for latest and earliest
	Epoch     LeaderEpoch
}

// EpochQuery asks where a leader epoch ended.
type EpochQuery struct {
	Client       Client
	Partition    Partition
	CurrentEpoch LeaderEpoch // the leader epoch the client knows, or NoEpoch
	Epoch        LeaderEpoch
}

// EpochAnswer is the last epoch at or below the one asked for and its end offset;
// (NoEpoch, −1) when the log has none.
type EpochAnswer struct {
	Epoch LeaderEpoch
	End   Offset
}

package check

import "time"

// Outcome is what a client was told.
type Outcome uint8

// The outcomes. Unknown is not failed: it may have happened, or happen yet.
const (
	OK Outcome = iota
	Failed
	Unknown
)

// String is the outcome's name.
func (o Outcome) String() string { return [...]string{"ok", "failed", "unknown"}[o] }

// Span is from when to when a client waited.
type Span struct{ Call, Return time.Duration }

// Before says that a had returned when b was called. Nothing is before or after
// what nobody timed.
func (a Span) Before(b Span) bool { return a.Return < b.Call && a.timed() && b.timed() }

// by is when it had ended, for all that is known.
func (a Span) by() time.Duration {
	if !a.timed() {
		return forever
	}
	return a.Return
}

// timed says that somebody looked at the clock.
func (a Span) timed() bool { return a != Span{} }

// A Send is one record that an application gave to a producer.
type Send struct {
	Span
	Producer  string // one idempotent producer; its sends to a partition are ordered
	Sequence  int    // the application's order within producer and partition
	Partition string
	Value     string // unique
	Outcome   Outcome
	Offset    int64  // when OK; -1 when it was not told
	Key       string // of the record; matters in compacted partitions only
	Tombstone bool   // the record deletes its key
}

// A Read is one record that a consumer was given, at read_committed. Reads of one session of a
// consumer stand in History in the order in which they were given.
type Read struct {
	At        time.Duration // 0 when nobody looked
	Consumer  string
	Session   int // a new one after each assignment or seek
	Partition string
	Offset    int64
	Value     string
	Final     bool // part of a reading of the whole log after everything
	// Since is when the session began to read; 0: nobody looked.
	Since time.Duration
}

// A Commit is a group's offset given to the broker.
type Commit struct {
	Span
	Group, Partition string
	Member           string // who committed, "" when nobody of the group did
	Generation       int    // that the member named
	Offset           int64
	Outcome          Outcome
	Rewind           bool // documented: somebody reset the group on purpose
}

// A Fetch is a group's offset asked of the broker. -1: there is none.
type Fetch struct {
	Span
	Group, Partition string
	Offset           int64
	// Stable says that the asker waits for transactions that are being closed
	// (RequireStable). Without, the offsets of one may come after its end.
	Stable bool
}

// An End is the end offset of a partition asked of the broker.
type End struct {
	Span
	Partition string
	Offset    int64 // of the next record
	Stable    bool  // it is the last stable offset (asked at read_committed)
}

// A Start is the log start of a partition asked of the broker: what lies below it
// was deleted by retention or on request.
type Start struct {
	Span
	Partition string
	Offset    int64
}

// An Epoch is what a producer of a transactional id was given; older ones are
// fenced from then on.
type Epoch struct {
	Span
	TransactionalID string
	Epoch           int64
}

// An Assignment is what a member of a group was given in a generation.
type Assignment struct {
	Group      string
	Generation int
	Member     string
	Partitions []string
	Span       // when the member asked and was told; zero when that is not known
}

// A Digest is the state of a replica at an index.
type Digest struct {
	Shard, Replica string
	Index          uint64
	Sum            uint64
}

// A History is everything that clients of one cluster saw. Sends and Reads are short
// forms of Ops.
type History struct {
	Ops         []Op
	Sends       []Send
	Reads       []Read
	Commits     []Commit
	Fetches     []Fetch
	Ends        []End
	Starts      []Start
	Assignments []Assignment
	Epochs      []Epoch
	Digests     []Digest
	// Drained lists partitions that were read whole after everything (Read.Final).
	Drained []string
	// Dense says that every offset holds a record, but in Compacted partitions and in Marked ones.
	Dense bool
	// Marked lists partitions in which transactions leave markers, and aborted records.
	Marked []string
	// Compacted lists partitions in which a record may go once a later one has its key.
	Compacted []string
	// TombstonesStay is how long a record that deletes its key stays in a compacted partition once what it deletes is gone; 0 when
	// nobody promised anything.
	TombstonesStay time.Duration
	// Shards tells which partitions become visible at once: those of one shard. A
	// partition that is not in it is alone.
	Shards map[string]string
}

package check

import (
	"fmt"
	"time"
)

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

// Before says that a had returned when b was called.
func (a Span) Before(b Span) bool { return a.Return < b.Call }

// A Send is one record that an application gave to a producer.
type Send struct {
	Span
	Producer  string // one idempotent producer; its sends to a partition are ordered
	Sequence  int    // the application's order within producer and partition
	Partition string
	Value     string // unique
	Outcome   Outcome
	Offset    int64 // when OK; -1 when it was not told
}

// A Read is one record that a consumer was given. Reads of one session of a
// consumer stand in History in the order in which they were given.
type Read struct {
	At        time.Duration
	Consumer  string
	Session   int // a new one after each assignment or seek
	Partition string
	Offset    int64
	Value     string
	Final     bool // part of a reading of the whole log after everything
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
}

// An End is the end offset of a partition asked of the broker.
type End struct {
	Span
	Partition string
	Offset    int64 // of the next record
}

// A Start is the log start of a partition asked of the broker: what lies below it
// was deleted by retention or on request.
type Start struct {
	Span
	Partition string
	Offset    int64
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

// A History is everything that clients of one cluster saw.
type History struct {
	Sends       []Send
	Reads       []Read
	Commits     []Commit
	Fetches     []Fetch
	Ends        []End
	Starts      []Start
	Assignments []Assignment
	Digests     []Digest
	// Drained lists partitions that were read whole after everything (Read.Final).
	Drained []string
	// Dense says that every offset holds a record: no transactions, no compaction.
	Dense bool
}

// A Violation is one thing that must not be.
type Violation struct {
	Anomaly string
	Where   string // partition, group or shard
	Text    string // one sentence with the records and clients concerned
}

// String is one line.
func (v Violation) String() string { return fmt.Sprintf("%s in %s: %s", v.Anomaly, v.Where, v.Text) }

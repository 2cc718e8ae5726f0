package check

// Kind is what an operation does.
type Kind uint8

// The kinds. Send, poll and txn are one kind to most judges: what counts is Do.
const (
	KindSend      Kind = iota // sends only
	KindPoll                  // polls only; it may have been given nothing
	KindTxn                   // both, or a transaction
	KindAssign                // the process takes exactly Partitions
	KindSubscribe             // the process asks for Partitions; its group decides
)

// String is Jepsen's name of the kind.
func (k Kind) String() string { return [...]string{"send", "poll", "txn", "assign", "subscribe"}[k] }

// polls says that an operation of the kind asks for records.
func (k Kind) polls() bool { return k == KindPoll || k == KindTxn }

// moves says that an operation of the kind changes what its process reads.
func (k Kind) moves() bool { return k == KindAssign || k == KindSubscribe }

// An Op is one operation of a process: what it did is decided as a whole. With a
// TransactionalID it is a transaction.
type Op struct {
	Span
	Process string // its operations follow each other in History.Ops
	Kind    Kind
	Outcome Outcome
	Do      []Mop

	Partitions  []string // of assign and subscribe
	Rebalanced  []string // partitions that the process lost or got while it ran
	Uncommitted bool     // it polled at read_uncommitted
	Final       bool     // part of a reading of the whole log after everything

	TransactionalID string
	Epoch           int64 // of the producer

	// What the operation commits for a group, in its transaction.
	Group, Member string
	Generation    int
	Offsets       []Position
}

// A Mop is one record that an operation sent or was given, in the order in which
// that happened.
type Mop struct {
	Poll      bool // it was given, not sent
	Partition string
	Offset    int64 // -1 when it was not told
	Value     string
	Key       string // of the record; matters in compacted partitions only
	Tombstone bool   // the record deletes its key
}

// A Position is a committed offset: that of the next record to read.
type Position struct {
	Partition string
	Offset    int64
}

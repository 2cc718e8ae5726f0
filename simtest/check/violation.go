package check

import "fmt"

// A Violation is one thing that must not be, or that is worth knowing.
type Violation struct {
	Anomaly string
	Where   string // partition, group or shard
	Text    string // one sentence with the records and clients concerned
	// Reported says that the system's promises allow it: it fails no test.
	Reported bool
}

// String is one line.
func (v Violation) String() string { return fmt.Sprintf("%s in %s: %s", v.Anomaly, v.Where, v.Text) }

// The anomalies by Jepsen's names and definitions.
const (
	InconsistentOffsets = "inconsistent-offsets"
	Duplicate           = "duplicate"
	LostWrite           = "lost-write"
	Unseen              = "unseen"
	AbortedRead         = "G1a"
	PrecommittedRead    = "precommitted-read"
	PollSkip            = "poll-skip"
	NonmonotonicPoll    = "nonmonotonic-poll"
	IntPollSkip         = "int-poll-skip"
	IntNonmonotonicPoll = "int-nonmonotonic-poll"
	NonmonotonicSend    = "nonmonotonic-send"
	IntNonmonotonicSend = "int-nonmonotonic-send"
	IntSendSkip         = "int-send-skip"
	WriteCycle          = "G0" // and G0-process, G0-realtime
	ReadCycle           = "G1c"
	ConsumeCounts       = "consume-counts"
)

// The cycles that Jepsen describes for Kafka and does not look for.
const (
	SingleAntiCycle = "G-single"
	AntiCycle       = "G2"
)

// What order is added to a cycle's name.
const (
	inProcess  = "-process"
	inRealtime = "-realtime"
)

// The anomalies that are ours.
const (
	InvalidHistory   = "invalid-history"
	Phantom          = "phantom"
	WrongPartition   = "wrong-partition"
	Vanished         = "vanished"
	Gap              = "gap"
	TornTransaction  = "torn-transaction"
	AppendWentBack   = "append-went-back"
	StaleEnd         = "stale-end-offset"
	StartWentBack    = "log-start-went-back"
	OffsetWentBack   = "committed-offset-went-back"
	PhantomOffset    = "phantom-committed-offset"
	SharedAssignment = "shared-assignment"
	ZombieWrite      = "zombie-write"
	ZombieCommit     = "zombie-commit"
	ConsumedTwice    = "consumed-twice"
	ConsumedNever    = "consumed-never"
	Divergence       = "divergence"
	Undead           = "undead"
	CameBack         = "came-back"
)

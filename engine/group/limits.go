package group

import (
	"time"

	"github.com/tallymq/tallymq/internal/invariant"
)

// Limits of this package, each with its unit and its reason.
const (
	// NameBytesMax bounds a group's name. Kafka has no bound of its own but an int16 length on the wire; names are
	// part of every offset row's key, so ours is smaller.
	NameBytesMax = 1024
	// MetadataBytesMax bounds the free text beside a committed offset (Kafka: offset.metadata.max.bytes).
	MetadataBytesMax = 4096
	// StateBytesMax bounds one stored group, so that a GroupStore always fits into a Raft entry.
	StateBytesMax = 4 << 20
	// MembersMax is how many members a group may have unless configured (Kafka: group.max.size, unbounded there; a
	// stored group must fit StateBytesMax, so a bound exists anyway).
	MembersMax = 10_000
	// SweepSteps bounds how many offsets one GroupSweep looks at, so that an apply stays short.
	SweepSteps = 1000
	// subscriptionTopicsMax bounds what is read of a member's subscription, which is a client's own bytes.
	subscriptionTopicsMax = 100_000
)

// Times, in milliseconds, with Kafka's names and defaults.
const (
	InitialRebalanceDelayDefault = int64(3 * time.Second / time.Millisecond)  // group.initial.rebalance.delay.ms
	SessionTimeoutMin            = int64(6 * time.Second / time.Millisecond)  // group.min.session.timeout.ms
	SessionTimeoutMax            = int64(30 * time.Minute / time.Millisecond) // group.max.session.timeout.ms
	NewMemberJoinTimeout         = int64(5 * time.Minute / time.Millisecond)  // fixed in Kafka
	EmptyGroupGrace              = uint64(5 * time.Minute / time.Millisecond) // a group without members and offsets is kept so long
	// HoldRetention is how long a group remembers that a producer's transaction has ended: longer than a grant of that
	// transaction can be on its way, so that none of them opens it again.
	HoldRetention = int64(24 * time.Hour / time.Millisecond)
	// DeletedTopicGrace protects offsets just committed from a leader whose view of the catalog is older than their topic,
	// and which therefore takes it for deleted. It does not replace the look that GroupSweep's proposer owes.
	DeletedTopicGrace       = uint64(time.Minute / time.Millisecond)
	OffsetsRetentionDefault = uint64(7 * 24 * time.Hour / time.Millisecond) // offsets.retention.minutes
	rebalanceTimeoutCeiling = int64(1<<31 - 1)                              // the wire's int32 of milliseconds
)

func init() {
	invariant.Check(SessionTimeoutMin < SessionTimeoutMax, "session timeouts %d..%d", SessionTimeoutMin, SessionTimeoutMax)
	invariant.Check(NameBytesMax+MetadataBytesMax < StateBytesMax, "names and metadata must fit a stored group")
}

package consensus

import (
	"errors"
	"fmt"
	"time"
)

// Limits bound what one node spends. A zero field is its default.
type Limits struct {
	// EntryBytes is how much one entry packs: dragonboat costs about the same for a small and for a 64 KiB entry, and
	// beyond half a megabyte nothing more is won.
	EntryBytes int
	// EntriesInFlight is how many entries of one shard are on their way at once: enough to keep disk and network busy while
	// the next entry is packed, few enough that what waits is coalesced.
	EntriesInFlight int
	// CompanyBytes is from how many bytes on an entry goes although another is on its way; a smaller one waits for more
	// commands until that one is applied. 1: never wait.
	CompanyBytes int
	// CommandBytes is the largest command (Head and Payload).
	CommandBytes int
	// ShardWindowBytes is what may wait or be in flight for one shard on this node; Propose blocks beyond.
	ShardWindowBytes int64
	// NodeWindowBytes is the same over all shards of this node.
	NodeWindowBytes int64
	// ResendAfter is how long an entry may go unapplied before it is sent again though nothing said that it was lost.
	ResendAfter time.Duration
	// SnapshotBytes of applied entries since the last snapshot ask for the next one: it bounds what a restart replays.
	SnapshotBytes int64
	// LogKeepBytes of entries are kept in Raft's log after a snapshot, so that a follower minutes behind catches up by log.
	LogKeepBytes int64
	// InMemoryLogBytes bounds dragonboat's in-memory log per shard. The largest follower counts too, so it must be far above
	// what a recovering follower has outstanding, or it throttles producers.
	InMemoryLogBytes uint64
	// SendQueueBytes and ReceiveQueueBytes bound dragonboat's queues per peer and per shard.
	SendQueueBytes, ReceiveQueueBytes uint64
	// PullBytesPerSecond is the rate of pulling payloads after a snapshot install.
	PullBytesPerSecond int64
	// PullBatchBytes is how much one payload request asks for.
	PullBatchBytes int
	// PullWalkNames is how many missing payloads one walk over the rows remembers.
	PullWalkNames int
	// MessageBytes is the largest node RPC message.
	MessageBytes int
	// Workers is the size of dragonboat's step, commit and apply pools. Frozen in the data directory at the first start.
	Workers uint64
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// Defaults, see the fields of Limits for the reasons.
const (
	entryBytesDefault         = 512 * kib
	entriesInFlightDefault    = 4
	companyBytesDefault       = 64 * kib
	commandBytesDefault       = 32 * mib
	shardWindowBytesDefault   = 64 * mib
	nodeWindowBytesDefault    = 256 * mib
	resendAfterDefault        = 2 * time.Second
	snapshotBytesDefault      = 512 * mib
	logKeepBytesDefault       = 1024 * mib
	inMemoryLogBytesDefault   = 512 * mib
	sendQueueBytesDefault     = 256 * mib
	receiveQueueBytesDefault  = 256 * mib
	pullBytesPerSecondDefault = 64 * mib
	pullBatchBytesDefault     = 1 * mib
	pullWalkNamesDefault      = 1 << 16
	messageBytesDefault       = 40 * mib
	workersDefault            = 4
)

// Bounds that are no option.
const (
	// raftEntryBytesMax is dragonboat's largest message; a single entry must stay well below.
	raftEntryBytesMax = 64 * mib
	// commandOverheadBytes is charged to the windows per command beyond its bytes, so that tiny commands are bounded too.
	commandOverheadBytes = 128
	// tickEvery is how often a proposer with something unfinished looks for deadlines, drops and late entries.
	tickEvery = 20 * time.Millisecond
	// retryEvery spaces out attempts of things that failed for a reason that passes (no leader, peer down).
	retryEvery = 100 * time.Millisecond
	// attemptAgainAfter is how long an open or a leader-start may go unapplied: they cost nothing to repeat, and everything
	// waits for them.
	attemptAgainAfter = 300 * time.Millisecond
	// pullNamesMax is how many names one payload request carries.
	pullNamesMax = 4096
	// hintAge is how long a leader hint asked from a peer is believed before it is asked again.
	hintAge = time.Second
	// requestTimeout bounds one attempt of a request inside an operation that retries.
	requestTimeout = 5 * time.Second
	// spareBuffersMax is how many entry buffers a proposer keeps for reuse: for EntriesInFlight, and the one being filled.
	spareBuffersMax = 5
)

func orDefault[T int | int64 | uint64 | time.Duration](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}

func (l Limits) withDefaults() Limits {
	l.EntryBytes = orDefault(l.EntryBytes, entryBytesDefault)
	l.EntriesInFlight = orDefault(l.EntriesInFlight, entriesInFlightDefault)
	l.CompanyBytes = orDefault(l.CompanyBytes, companyBytesDefault)
	l.CommandBytes = orDefault(l.CommandBytes, commandBytesDefault)
	l.ShardWindowBytes = orDefault(l.ShardWindowBytes, shardWindowBytesDefault)
	l.NodeWindowBytes = orDefault(l.NodeWindowBytes, nodeWindowBytesDefault)
	l.ResendAfter = orDefault(l.ResendAfter, resendAfterDefault)
	l.SnapshotBytes = orDefault(l.SnapshotBytes, snapshotBytesDefault)
	l.LogKeepBytes = orDefault(l.LogKeepBytes, logKeepBytesDefault)
	l.InMemoryLogBytes = orDefault(l.InMemoryLogBytes, inMemoryLogBytesDefault)
	l.SendQueueBytes = orDefault(l.SendQueueBytes, sendQueueBytesDefault)
	l.ReceiveQueueBytes = orDefault(l.ReceiveQueueBytes, receiveQueueBytesDefault)
	l.PullBytesPerSecond = orDefault(l.PullBytesPerSecond, pullBytesPerSecondDefault)
	l.PullBatchBytes = orDefault(l.PullBatchBytes, pullBatchBytesDefault)
	l.PullWalkNames = orDefault(l.PullWalkNames, pullWalkNamesDefault)
	l.MessageBytes = orDefault(l.MessageBytes, messageBytesDefault)
	l.Workers = orDefault(l.Workers, workersDefault)
	return l
}

// validate holds the relations between limits.
func (l Limits) validate() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	need(l.EntryBytes > 0 && l.EntriesInFlight > 0 && l.CommandBytes > 0, "entry, flight and command limits must be positive")
	need(l.CommandBytes+entryOverheadBytes < raftEntryBytesMax, "a command of %d bytes does not fit a raft message of %d", l.CommandBytes, raftEntryBytesMax)
	need(l.EntryBytes < raftEntryBytesMax/2, "an entry of %d bytes does not fit a raft message of %d", l.EntryBytes, raftEntryBytesMax)
	need(int64(l.CommandBytes)+commandOverheadBytes <= l.ShardWindowBytes, "a command of %d bytes does not fit the shard window of %d", l.CommandBytes, l.ShardWindowBytes)
	need(l.ShardWindowBytes <= l.NodeWindowBytes, "the shard window of %d bytes is larger than the node window of %d", l.ShardWindowBytes, l.NodeWindowBytes)
	need(l.CommandBytes+mib <= l.MessageBytes, "a command of %d bytes does not fit a node message of %d", l.CommandBytes, l.MessageBytes)
	need(uint64(l.ShardWindowBytes) <= l.InMemoryLogBytes, "the shard window of %d bytes is larger than raft's in-memory log of %d", l.ShardWindowBytes, l.InMemoryLogBytes)
	need(l.PullBatchBytes+mib <= l.MessageBytes, "a pull of %d bytes does not fit a node message of %d", l.PullBatchBytes, l.MessageBytes)
	return errors.Join(errs...)
}

package broker

import (
	"errors"
	"fmt"
	"strings"
)

// Code is one reason for a refusal. The list is closed: a front end maps all of them.
type Code uint8

// The codes. Results in the log's digests carry their numbers, so a new one goes to the end. Retriable says whether the same request may succeed later, unchanged.
const (
	CodeNone Code = iota
	// Anything.
	CodeInternal       // a bug on our side; nothing was done
	CodeInvalidRequest // the request contradicts itself or the protocol
	CodeUnsupported    // understood, deliberately not offered
	CodeUnauthorized   // the principal may not do this
	CodeOutcomeUnknown // it may or may not have happened, now or later
	CodeUnavailable    // certainly not done: no quorum, busy, or starting; retry
	CodeStorageFull    // certainly not done: a disk of the shard is at its watermark
	CodeCorrupt        // stored bytes fail their checksum and no good copy was found yet
	CodeThrottled      // certainly not done: a limit on bytes or ids in flight
	CodeShuttingDown   // certainly not done: this node is stopping
	// Topics.
	CodeUnknownTopic             // no such topic or partition
	CodeUnknownTopicID           // no topic with this id
	CodeTopicExists              // the name is taken
	CodeInvalidTopic             // the name is not allowed
	CodeInvalidPartitions        // the number of partitions is not allowed
	CodeInvalidReplicationFactor // differs from what the shard has
	CodeInvalidReplicaAssignment // manual assignment is not offered
	CodeInvalidConfig            // unknown key or wrong value
	CodePolicyViolation          // allowed by the protocol, not by this cluster
	// Leadership.
	CodeNotLeader          // ask the leader (Error.Leader)
	CodeStaleLeaderEpoch   // the client's epoch is older than ours (Kafka: FENCED_LEADER_EPOCH)
	CodeUnknownLeaderEpoch // the client's epoch is newer than ours
	// Logs.
	CodeOffsetOutOfRange
	CodeCorruptBatch           // framing or CRC of a batch is wrong (CORRUPT_MESSAGE)
	CodeInvalidRecord          // a record breaks a rule (INVALID_RECORD)
	CodeBatchTooLarge          // MESSAGE_TOO_LARGE
	CodeUnsupportedCompression // UNSUPPORTED_COMPRESSION_TYPE
	CodeUnsupportedFormat      // message format 0 or 1 (UNSUPPORTED_FOR_MESSAGE_FORMAT)
	CodeInvalidTimestamp
	// Producers.
	CodeOutOfOrderSequence
	CodeDuplicateSequence // older than the window: it was appended, its offset is forgotten
	CodeProducerFenced    // a newer epoch of this producer exists (INVALID_PRODUCER_EPOCH)
	CodeUnknownProducer
	CodeTransactionsUnsupported // transactional requests to a broker that has no transactions
	// Groups.
	CodeNotCoordinator
	CodeCoordinatorLoading
	CodeUnknownMember
	CodeIllegalGeneration
	CodeInconsistentProtocol
	CodeInvalidSessionTimeout
	CodeRebalanceInProgress
	CodeMemberIDRequired
	CodeFencedInstance
	CodeGroupFull
	CodeInvalidGroup
	CodeGroupNotEmpty
	CodeGroupNotFound
	CodeOffsetMetadataTooLarge
	// Transactions.
	CodeTransactionFenced         // a newer incarnation of the transactional id exists, says its coordinator (PRODUCER_FENCED)
	CodeUnknownTransactionalID    // no such id, or it is another producer's (INVALID_PRODUCER_ID_MAPPING)
	CodeInvalidTransactionState   // the open or last transaction does not allow it (INVALID_TXN_STATE)
	CodeConcurrentTransactions    // earlier transactions of the id are not told to everyone yet (CONCURRENT_TRANSACTIONS)
	CodeInvalidTransactionTimeout // INVALID_TRANSACTION_TIMEOUT
	CodeNotInTransaction          // the partition or group is in no open transaction of the producer (TRANSACTION_ABORTABLE)
	CodeTransactionTooLarge       // more partitions, groups or offsets than one transaction may have
	CodeStaleConnection           // a newer connection of the client was used: this one is to be closed, unanswered
	CodeUnstableOffset            // an open transaction has a pending offset there (UNSTABLE_OFFSET_COMMIT)
	// Elections.
	CodeElectionNotNeeded   // it leads already
	CodePreferredLeaderGone // certainly not done: who should lead is away or has no room
	CodeNoLeaderEligible    // certainly not done: a leader that may lack acknowledged records is never elected
	// Exchanges and queues. In brackets AMQP's reply code.
	CodeUnknownHost         // no such virtual host (NOT_ALLOWED)
	CodeUnknownExchange     // NOT_FOUND
	CodeUnknownQueue        // NOT_FOUND
	CodeForbidden           // a reserved name, the default or an internal exchange (ACCESS_REFUSED)
	CodeInequivalent        // it exists, and is another (PRECONDITION_FAILED)
	CodeInUse               // it has bindings or consumers (PRECONDITION_FAILED)
	CodeQueueNotEmpty       // PRECONDITION_FAILED
	CodeInvalidArgument     // a wrong or contradicting argument (PRECONDITION_FAILED)
	CodeUnknownExchangeType // COMMAND_INVALID
	CodeTooMany             // a limit on exchanges, queues, bindings or consumers (RESOURCE_ERROR)
	CodeQueueLocked         // it is another session's exclusive queue (RESOURCE_LOCKED)
	CodeConsumerExclusive   // another consumer is there, and one of them is exclusive (ACCESS_REFUSED)
	CodeQueueRefused        // a queue did not take the message: full, or another message has its id (basic.nack; in tx PRECONDITION_FAILED)
	CodeUnknownDelivery     // settled, returned, or never the session's (PRECONDITION_FAILED)
	CodeUnknownConsumer     // no such consumer of this session
	CodeConsumerTimeout     // a delivery was not settled in time (the consumer is cancelled)
	CodeSessionLost         // the session has ended: what it held went back (CONNECTION_FORCED)
	codeCount
)

var codes = [codeCount]struct {
	name      string
	retriable bool
}{
	CodeNone:                     {"none", false},
	CodeInternal:                 {"internal", false},
	CodeInvalidRequest:           {"invalid-request", false},
	CodeUnsupported:              {"unsupported", false},
	CodeUnauthorized:             {"unauthorized", false},
	CodeOutcomeUnknown:           {"outcome-unknown", true},
	CodeUnavailable:              {"unavailable", true},
	CodeStorageFull:              {"storage-full", true},
	CodeCorrupt:                  {"corrupt", true},
	CodeThrottled:                {"throttled", true},
	CodeShuttingDown:             {"shutting-down", true},
	CodeUnknownTopic:             {"unknown-topic", true},
	CodeUnknownTopicID:           {"unknown-topic-id", true},
	CodeTopicExists:              {"topic-exists", false},
	CodeInvalidTopic:             {"invalid-topic", false},
	CodeInvalidPartitions:        {"invalid-partitions", false},
	CodeInvalidReplicationFactor: {"invalid-replication-factor", false},
	CodeInvalidReplicaAssignment: {"invalid-replica-assignment", false},
	CodeInvalidConfig:            {"invalid-config", false},
	CodePolicyViolation:          {"policy-violation", false},
	CodeNotLeader:                {"not-leader", true},
	CodeStaleLeaderEpoch:         {"stale-leader-epoch", true},
	CodeUnknownLeaderEpoch:       {"unknown-leader-epoch", true},
	CodeElectionNotNeeded:        {"election-not-needed", false},
	CodePreferredLeaderGone:      {"preferred-leader-gone", true},
	CodeNoLeaderEligible:         {"no-leader-eligible", true},
	CodeOffsetOutOfRange:         {"offset-out-of-range", false},
	CodeCorruptBatch:             {"corrupt-batch", true},
	CodeInvalidRecord:            {"invalid-record", false},
	CodeBatchTooLarge:            {"batch-too-large", false},
	CodeUnsupportedCompression:   {"unsupported-compression", false},
	CodeUnsupportedFormat:        {"unsupported-format", false},
	CodeInvalidTimestamp:         {"invalid-timestamp", false},
	CodeOutOfOrderSequence:       {"out-of-order-sequence", false},
	CodeDuplicateSequence:        {"duplicate-sequence", false},
	CodeProducerFenced:           {"producer-fenced", false},
	CodeUnknownProducer:          {"unknown-producer", false},
	CodeTransactionsUnsupported:  {"transactions-unsupported", false},
	CodeNotCoordinator:           {"not-coordinator", true},
	CodeCoordinatorLoading:       {"coordinator-loading", true},
	CodeUnknownMember:            {"unknown-member", false},
	CodeIllegalGeneration:        {"illegal-generation", false},
	CodeInconsistentProtocol:     {"inconsistent-protocol", false},
	CodeInvalidSessionTimeout:    {"invalid-session-timeout", false},
	CodeRebalanceInProgress:      {"rebalance-in-progress", false},
	CodeMemberIDRequired:         {"member-id-required", false},
	CodeFencedInstance:           {"fenced-instance", false},
	CodeGroupFull:                {"group-full", false},
	CodeInvalidGroup:             {"invalid-group", false},
	CodeGroupNotEmpty:            {"group-not-empty", false},
	CodeGroupNotFound:            {"group-not-found", false},
	CodeOffsetMetadataTooLarge:   {"offset-metadata-too-large", false},

	CodeTransactionFenced:         {"transaction-fenced", false},
	CodeUnknownTransactionalID:    {"unknown-transactional-id", false},
	CodeInvalidTransactionState:   {"invalid-transaction-state", false},
	CodeConcurrentTransactions:    {"concurrent-transactions", true},
	CodeInvalidTransactionTimeout: {"invalid-transaction-timeout", false},
	CodeNotInTransaction:          {"not-in-transaction", false},
	CodeTransactionTooLarge:       {"transaction-too-large", false},
	CodeStaleConnection:           {"stale-connection", true},
	CodeUnstableOffset:            {"unstable-offset", true},

	CodeUnknownHost:         {"unknown-host", false},
	CodeUnknownExchange:     {"unknown-exchange", false},
	CodeUnknownQueue:        {"unknown-queue", false},
	CodeForbidden:           {"forbidden", false},
	CodeInequivalent:        {"inequivalent", false},
	CodeInUse:               {"in-use", false},
	CodeQueueNotEmpty:       {"queue-not-empty", false},
	CodeInvalidArgument:     {"invalid-argument", false},
	CodeUnknownExchangeType: {"unknown-exchange-type", false},
	CodeTooMany:             {"too-many", false},
	CodeQueueLocked:         {"queue-locked", false},
	CodeConsumerExclusive:   {"consumer-exclusive", false},
	CodeQueueRefused:        {"queue-refused", false},
	CodeUnknownDelivery:     {"unknown-delivery", false},
	CodeUnknownConsumer:     {"unknown-consumer", false},
	CodeConsumerTimeout:     {"consumer-timeout", false},
	CodeSessionLost:         {"session-lost", false},
}

// Codes lists every code but CodeNone, for tests that prove a mapping whole.
func Codes() []Code {
	cs := make([]Code, 0, codeCount-1)
	for c := CodeNone + 1; c < codeCount; c++ {
		cs = append(cs, c)
	}
	return cs
}

// String gives the code's stable name, as logs and the CLI print it.
func (c Code) String() string {
	if c < codeCount {
		return codes[c].name
	}
	return fmt.Sprintf("code-%d", uint8(c))
}

// Retriable says whether the same request may succeed later, unchanged.
func (c Code) Retriable() bool { return c < codeCount && codes[c].retriable }

// Error is a refusal: what was asked, of what, why not, and what to do about it.
type Error struct {
	Code     Code
	Op       string // "append", "read", "join group"…
	Resource string // "topic orders", "partition orders-3", "group billing"
	Err      error  // the cause, if any
	Hint     string // one sentence on what helps, if anything does

	// Leader and Epoch go with CodeNotLeader, when known; else NoNode and NoEpoch are right.
	Leader NodeID
	Epoch  LeaderEpoch
	// MemberID goes with CodeMemberIDRequired.
	MemberID string
}

// Errorf makes an Error with a formatted cause.
func Errorf(code Code, op, resource, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Resource: resource, Err: fmt.Errorf(format, args...), Leader: NoNode, Epoch: NoEpoch}
}

// Refuse makes an Error without a cause.
func Refuse(code Code, op, resource string) *Error {
	return &Error{Code: code, Op: op, Resource: resource, Leader: NoNode, Epoch: NoEpoch}
}

// Error gives "op resource: code: cause (hint)".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Resource != "" {
		b.WriteString(" " + e.Resource)
	}
	b.WriteString(": " + e.Code.String())
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf gives the code of err: CodeNone for nil, CodeInternal for a foreign error.
func CodeOf(err error) Code {
	if err == nil {
		return CodeNone
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

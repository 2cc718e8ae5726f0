package kafka

import (
	"errors"

	"github.com/tallymq/tallymq/engine/broker"
)

// Every refusal becomes an error code here and nowhere else. A code means what the clients do on it, and that depends on
// the request: Java's consumer throws on a code that it does not expect in a Fetch, its group code on a time-out in a
// JoinGroup. So there is one table for all and, per family of requests, what differs. testdata/errors.txt shows
// the product of both, and a test walks all of broker.Codes().
//
// Families whose requests write something that a client may count as done answer an unknown outcome with
// REQUEST_TIMED_OUT, and nothing else with it. The others have no outcome to be wrong about: to look or to join again is always
// right, so there an unknown outcome is their retriable code.

// common is the code for each reason, unless a family has another.
var common = map[broker.Code]int16{
	broker.CodeInternal:                 errUnknownServer,
	broker.CodeInvalidRequest:           errInvalidRequest,
	broker.CodeUnsupported:              errUnsupportedVersion,
	broker.CodeUnauthorized:             errTopicAuthorizationFailed,
	broker.CodeOutcomeUnknown:           errRequestTimedOut,
	broker.CodeUnavailable:              errNotEnoughReplicas,
	broker.CodeStorageFull:              errNotEnoughReplicas,
	broker.CodeCorrupt:                  errKafkaStorage,
	broker.CodeThrottled:                errThrottlingQuotaExceeded,
	broker.CodeShuttingDown:             errNotLeaderOrFollower,
	broker.CodeUnknownTopic:             errUnknownTopicOrPartition,
	broker.CodeUnknownTopicID:           errUnknownTopicID,
	broker.CodeTopicExists:              errTopicAlreadyExists,
	broker.CodeInvalidTopic:             errInvalidTopic,
	broker.CodeInvalidPartitions:        errInvalidPartitions,
	broker.CodeInvalidReplicationFactor: errInvalidReplicationFactor,
	broker.CodeInvalidReplicaAssignment: errInvalidReplicaAssignment,
	broker.CodeInvalidConfig:            errInvalidConfig,
	broker.CodePolicyViolation:          errPolicyViolation,
	broker.CodeNotLeader:                errNotLeaderOrFollower,
	broker.CodeStaleLeaderEpoch:         errFencedLeaderEpoch,
	broker.CodeUnknownLeaderEpoch:       errUnknownLeaderEpoch,
	broker.CodeElectionNotNeeded:        errElectionNotNeeded,
	broker.CodePreferredLeaderGone:      errPreferredLeaderNotAvailable,
	broker.CodeNoLeaderEligible:         errEligibleLeadersNotAvailable,
	broker.CodeOffsetOutOfRange:         errOffsetOutOfRange,
	broker.CodeCorruptBatch:             errCorruptMessage,
	broker.CodeInvalidRecord:            errInvalidRecord,
	broker.CodeBatchTooLarge:            errMessageTooLarge,
	broker.CodeUnsupportedCompression:   errUnsupportedCompression,
	broker.CodeUnsupportedFormat:        errUnsupportedForMessageFormat,
	broker.CodeInvalidTimestamp:         errInvalidTimestamp,
	broker.CodeOutOfOrderSequence:       errOutOfOrderSequence,
	broker.CodeDuplicateSequence:        errDuplicateSequence,
	broker.CodeProducerFenced:           errInvalidProducerEpoch,
	broker.CodeUnknownProducer:          errUnknownProducerID,
	broker.CodeTransactionsUnsupported:  errTransactionalIDAuthFailed,
	broker.CodeNotCoordinator:           errNotCoordinator,
	broker.CodeCoordinatorLoading:       errCoordinatorLoadInProgress,
	broker.CodeUnknownMember:            errUnknownMemberID,
	broker.CodeIllegalGeneration:        errIllegalGeneration,
	broker.CodeInconsistentProtocol:     errInconsistentGroupProtocol,
	broker.CodeInvalidSessionTimeout:    errInvalidSessionTimeout,
	broker.CodeRebalanceInProgress:      errRebalanceInProgress,
	broker.CodeMemberIDRequired:         errMemberIDRequired,
	broker.CodeFencedInstance:           errFencedInstanceID,
	broker.CodeGroupFull:                errGroupMaxSizeReached,
	broker.CodeInvalidGroup:             errInvalidGroupID,
	broker.CodeGroupNotEmpty:            errNonEmptyGroup,
	broker.CodeGroupNotFound:            errGroupIDNotFound,
	broker.CodeOffsetMetadataTooLarge:   errOffsetMetadataTooLarge,

	broker.CodeTransactionFenced:         errProducerFenced,
	broker.CodeUnknownTransactionalID:    errInvalidProducerIDMapping,
	broker.CodeInvalidTransactionState:   errInvalidTxnState,
	broker.CodeConcurrentTransactions:    errConcurrentTransactions,
	broker.CodeInvalidTransactionTimeout: errInvalidTransactionTimeout,
	broker.CodeNotInTransaction:          errTransactionAbortable,
	broker.CodeTransactionTooLarge:       errPolicyViolation,
	broker.CodeStaleConnection:           errNotCoordinator, // never sent: the connection is closed
	broker.CodeUnstableOffset:            errUnstableOffsetCommit,

	// Of exchanges and queues, which Kafka's clients cannot name.
	broker.CodeUnknownHost:         errUnknownServer,
	broker.CodeUnknownExchange:     errUnknownServer,
	broker.CodeUnknownQueue:        errUnknownServer,
	broker.CodeForbidden:           errUnknownServer,
	broker.CodeInequivalent:        errUnknownServer,
	broker.CodeInUse:               errUnknownServer,
	broker.CodeQueueNotEmpty:       errUnknownServer,
	broker.CodeInvalidArgument:     errUnknownServer,
	broker.CodeUnknownExchangeType: errUnknownServer,
	broker.CodeTooMany:             errUnknownServer,
	broker.CodeQueueLocked:         errUnknownServer,
	broker.CodeConsumerExclusive:   errUnknownServer,
	broker.CodeQueueRefused:        errUnknownServer,
	broker.CodeUnknownDelivery:     errUnknownServer,
	broker.CodeUnknownConsumer:     errUnknownServer,
	broker.CodeConsumerTimeout:     errUnknownServer,
	broker.CodeSessionLost:         errUnknownServer,
}

// family is the requests that share a table.
type family struct {
	name    string
	writes  bool // an unknown outcome is REQUEST_TIMED_OUT
	differs map[broker.Code]int16
}

var (
	// produceErrors: franz-go takes only 7 and 20 for "maybe written"; what certainly was not is 19, which all clients
	// retry in order. A stopping node is left by 6, which makes them look for the leader.
	produceErrors = &family{"produce", true, map[broker.Code]int16{
		broker.CodeCorrupt: errNotEnoughReplicas, broker.CodeThrottled: errNotEnoughReplicas,
	}}
	// readErrors (Fetch, ListOffsets, OffsetForLeaderEpoch): only codes that Java's fetcher expects; any other makes it
	// throw. OFFSET_NOT_AVAILABLE is Kafka's own for "leader, but not yet sure of its log".
	readErrors = &family{"read", false, map[broker.Code]int16{
		broker.CodeInvalidRequest: errUnknownServer, broker.CodeUnsupported: errUnknownServer, broker.CodeOutcomeUnknown: errOffsetNotAvailable,
		broker.CodeUnavailable: errOffsetNotAvailable, broker.CodeThrottled: errOffsetNotAvailable, broker.CodeStorageFull: errKafkaStorage,
		broker.CodeCorruptBatch: errKafkaStorage, // CORRUPT_MESSAGE ends Java's consumer; a repair may be under way
	}}
	// metadataErrors: a topic that cannot be looked up now is one without a leader, which every client asks for again.
	metadataErrors = &family{"metadata", false, map[broker.Code]int16{
		broker.CodeOutcomeUnknown: errLeaderNotAvailable, broker.CodeUnavailable: errLeaderNotAvailable, broker.CodeStorageFull: errLeaderNotAvailable,
		broker.CodeThrottled: errLeaderNotAvailable, broker.CodeShuttingDown: errLeaderNotAvailable, broker.CodeNotLeader: errLeaderNotAvailable,
	}}
	// trimErrors (DeleteRecords): the admin client looks for the leader again on 6 and retries on 19.
	trimErrors = &family{"trim", true, nil}
	// topicErrors (CreateTopics, CreatePartitions, DeleteTopics, DescribeConfigs, AlterConfigs, ElectLeaders, DescribeQuorum): admin clients look for the controller and retry on 41.
	topicErrors = &family{"topic", true, map[broker.Code]int16{
		broker.CodeUnavailable: errNotController, broker.CodeShuttingDown: errNotController, broker.CodeNotLeader: errNotController,
		broker.CodeStorageFull: errThrottlingQuotaExceeded,
	}}
	// producerErrors (InitProducerId): 14 is what Kafka answers while it has no block of ids. An id that was perhaps given is only wasted.
	producerErrors = &family{"producer", false, map[broker.Code]int16{
		broker.CodeUnauthorized: errClusterAuthorizationFailed, broker.CodeOutcomeUnknown: errCoordinatorLoadInProgress,
		broker.CodeUnavailable: errCoordinatorLoadInProgress, broker.CodeStorageFull: errCoordinatorLoadInProgress,
		broker.CodeThrottled: errCoordinatorLoadInProgress, broker.CodeShuttingDown: errCoordinatorNotAvailable, broker.CodeNotLeader: errNotCoordinator,
	}}
	// txnErrors (AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit, DescribeTransactions, ListTransactions, InitProducerId with a
	// transactional id): whoever does not know whether it was done asks again and gets the first one's answer, so an unknown
	// outcome is COORDINATOR_NOT_AVAILABLE, as in Kafka.
	txnErrors = &family{"transaction", false, with(groupCodes, map[broker.Code]int16{
		broker.CodeUnauthorized: errTransactionalIDAuthFailed, broker.CodeOutcomeUnknown: errCoordinatorNotAvailable,
	})}
	// markerErrors (WriteTxnMarkers) are the partition's, and to abort again what was aborted changes nothing.
	markerErrors = &family{"marker", false, map[broker.Code]int16{broker.CodeOutcomeUnknown: errCoordinatorNotAvailable}}
	// memberErrors (JoinGroup, SyncGroup, Heartbeat, LeaveGroup): clients find the coordinator again on 15 and 16 and wait on 14.
	// Java's consumer throws on 7 in a join, so Kafka answers 15 when a group's write timed out; membership is claimed again, not counted.
	memberErrors = &family{"member", false, with(groupCodes, map[broker.Code]int16{broker.CodeOutcomeUnknown: errCoordinatorNotAvailable})}
	// lookErrors (FindCoordinator, OffsetFetch, DescribeGroups, ListGroups) ask only.
	lookErrors = &family{"look", false, with(groupCodes, map[broker.Code]int16{broker.CodeOutcomeUnknown: errCoordinatorNotAvailable})}
	// commitErrors (OffsetCommit, DeleteGroups) write what a client counts on.
	commitErrors = &family{"commit", true, with(groupCodes, nil)}
	// offsetDeleteErrors are for one offset of an OffsetDelete, which a member's subscription keeps.
	offsetDeleteErrors = &family{"offset-delete", true, with(groupCodes, map[broker.Code]int16{broker.CodeGroupNotEmpty: errGroupSubscribedToTopic})}
)

// groupCodes are what all requests to a coordinator share.
var groupCodes = map[broker.Code]int16{
	broker.CodeUnauthorized: errGroupAuthorizationFailed, broker.CodeUnavailable: errCoordinatorNotAvailable,
	broker.CodeStorageFull: errCoordinatorLoadInProgress, broker.CodeThrottled: errCoordinatorLoadInProgress,
	broker.CodeCorrupt: errCoordinatorNotAvailable, broker.CodeShuttingDown: errNotCoordinator, broker.CodeNotLeader: errNotCoordinator,
}

func with(a, b map[broker.Code]int16) map[broker.Code]int16 {
	m := make(map[broker.Code]int16, len(a)+len(b))
	for _, from := range []map[broker.Code]int16{a, b} {
		for c, e := range from { //lint:sorted a map is filled
			m[c] = e
		}
	}
	return m
}

// code maps an error. nil is NONE. An error that is not the broker's, such as a bare context's, says nothing about what
// happened: for a write the outcome is unknown, for all else it is UNKNOWN_SERVER_ERROR.
func (f *family) code(err error) int16 {
	if err == nil {
		return errNone
	}
	var known *broker.Error
	if !errors.As(err, &known) {
		if f.writes {
			return errRequestTimedOut
		}
		return errUnknownServer
	}
	if e, ok := f.differs[known.Code]; ok {
		return e
	}
	if e, ok := common[known.Code]; ok {
		return e
	}
	return errUnknownServer
}

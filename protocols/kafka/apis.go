package kafka

import "github.com/twmb/franz-go/pkg/kmsg"

// The keys of the requests served, as the protocol numbers them.
const (
	keyProduce              int16 = 0
	keyFetch                int16 = 1
	keyListOffsets          int16 = 2
	keyMetadata             int16 = 3
	keyOffsetCommit         int16 = 8
	keyOffsetFetch          int16 = 9
	keyFindCoordinator      int16 = 10
	keyJoinGroup            int16 = 11
	keyHeartbeat            int16 = 12
	keyLeaveGroup           int16 = 13
	keySyncGroup            int16 = 14
	keyDescribeGroups       int16 = 15
	keyListGroups           int16 = 16
	keyApiVersions          int16 = 18 //nolint:revive // named as the protocol names it
	keyCreateTopics         int16 = 19
	keyDeleteTopics         int16 = 20
	keyDeleteRecords        int16 = 21
	keyInitProducerID       int16 = 22
	keyOffsetForLeaderEpoch int16 = 23
	keyAddPartitionsToTxn   int16 = 24
	keyAddOffsetsToTxn      int16 = 25
	keyEndTxn               int16 = 26
	keyWriteTxnMarkers      int16 = 27
	keyTxnOffsetCommit      int16 = 28
	keyDescribeConfigs      int16 = 32
	keyAlterConfigs         int16 = 33
	keyDescribeLogDirs      int16 = 35
	keyCreatePartitions     int16 = 37
	keyDeleteGroups         int16 = 42
	keyElectLeaders         int16 = 43
	keyIncrementalAlter     int16 = 44
	keyAlterReassignments   int16 = 45
	keyListReassignments    int16 = 46
	keyOffsetDelete         int16 = 47
	keyDescribeQuotas       int16 = 48
	keyAlterQuotas          int16 = 49
	keyDescribeScram        int16 = 50
	keyDescribeQuorum       int16 = 55
	keyDescribeCluster      int16 = 60
	keyDescribeProducers    int16 = 61
	keyDescribeTransactions int16 = 65
	keyListTransactions     int16 = 66
	keyDescribePartitions   int16 = 75
)

// api is one kind of request.
type api struct {
	key      int16
	min, max int16 // versions that are advertised and read
	name     string
	layout   *layout
	handle   func(*request) answer
	waits    bool // for others, by its nature: it ends with the connection and with a drain
	keeps    bool // what it gives the broker points into the request's bytes
}

// on adapts a handler of one decoded request. It is called on a goroutine of its own, with r.ctx set, and no request of the connection is
// started before it returned.
func on[Q kmsg.Request](h func(*request, Q) kmsg.Response) func(*request) answer {
	return func(r *request) answer { return message{h(r, r.body.(Q))} }
}

// newAPIs lists what is served. Maximal versions are those of Apache Kafka 4.1, less what needs KIP-848.
func newAPIs(s *Server) map[int16]*api {
	list := []*api{
		{key: keyProduce, min: 0, max: 12, layout: produceLayout()}, // by produce, on the reader's goroutine
		{key: keyFetch, min: 4, max: 16, layout: fetchLayout(), handle: fetch, waits: true},
		{key: keyListOffsets, min: 1, max: 10, layout: listOffsetsLayout(), handle: on(listOffsets)},
		{key: keyMetadata, min: 0, max: 13, layout: metadataLayout(), handle: on(metadata)},
		{key: keyOffsetCommit, min: 2, max: 9, layout: offsetCommitLayout(), handle: on(offsetCommit)},
		{key: keyOffsetFetch, min: 1, max: 9, layout: offsetFetchLayout(), handle: on(offsetFetch)},
		{key: keyFindCoordinator, min: 0, max: 6, layout: findCoordinatorLayout(), handle: on(findCoordinator)},
		{key: keyJoinGroup, min: 0, max: 9, layout: joinGroupLayout(), handle: on(joinGroup), waits: true, keeps: true},
		{key: keyHeartbeat, min: 0, max: 4, layout: heartbeatLayout(), handle: on(heartbeat)},
		{key: keyLeaveGroup, min: 0, max: 5, layout: leaveGroupLayout(), handle: on(leaveGroup)},
		{key: keySyncGroup, min: 0, max: 5, layout: syncGroupLayout(), handle: on(syncGroup), waits: true, keeps: true},
		{key: keyDescribeGroups, min: 0, max: 6, layout: describeGroupsLayout(), handle: on(describeGroups)},
		{key: keyListGroups, min: 0, max: 5, layout: listGroupsLayout(), handle: on(listGroups)},
		{key: keyApiVersions, min: 0, max: 4, layout: apiVersionsLayout(), handle: on(apiVersions)},
		{key: keyCreateTopics, min: 2, max: 7, layout: createTopicsLayout(), handle: on(createTopics)},
		{key: keyDeleteTopics, min: 1, max: 6, layout: deleteTopicsLayout(), handle: on(deleteTopics)},
		{key: keyDeleteRecords, min: 0, max: 2, layout: deleteRecordsLayout(), handle: on(deleteRecords)},
		{key: keyInitProducerID, min: 0, max: 5, layout: initProducerIDLayout(), handle: on(initProducerID)},
		{key: keyOffsetForLeaderEpoch, min: 2, max: 4, layout: offsetForLeaderEpochLayout(), handle: on(offsetForLeaderEpoch)},
		{key: keyAddPartitionsToTxn, min: 0, max: 5, layout: addPartitionsToTxnLayout(), handle: on(addPartitionsToTxn)},
		{key: keyAddOffsetsToTxn, min: 0, max: 4, layout: addOffsetsToTxnLayout(), handle: on(addOffsetsToTxn)},
		{key: keyEndTxn, min: 0, max: 5, layout: endTxnLayout(), handle: on(endTxn)},
		{key: keyWriteTxnMarkers, min: 1, max: 1, layout: writeTxnMarkersLayout(), handle: on(writeTxnMarkers)},
		{key: keyTxnOffsetCommit, min: 0, max: 5, layout: txnOffsetCommitLayout(), handle: on(txnOffsetCommit)},
		{key: keyDescribeConfigs, min: 1, max: 4, layout: describeConfigsLayout(), handle: on(describeConfigs)},
		{key: keyAlterConfigs, min: 0, max: 2, layout: alterConfigsLayout(), handle: on(alterConfigs)},
		{key: keyDescribeLogDirs, min: 1, max: 4, layout: describeLogDirsLayout(), handle: on(describeLogDirs)},
		{key: keyCreatePartitions, min: 0, max: 3, layout: createPartitionsLayout(), handle: on(createPartitions)},
		{key: keyDeleteGroups, min: 0, max: 2, layout: deleteGroupsLayout(), handle: on(deleteGroups)},
		{key: keyElectLeaders, min: 0, max: 2, layout: electLeadersLayout(), handle: on(electLeaders)},
		{key: keyIncrementalAlter, min: 0, max: 1, layout: incrementalAlterConfigsLayout(), handle: on(incrementalAlterConfigs)},
		{key: keyAlterReassignments, min: 0, max: 1, layout: alterReassignmentsLayout(), handle: on(alterReassignments)},
		{key: keyListReassignments, min: 0, max: 0, layout: listReassignmentsLayout(), handle: on(listReassignments)},
		{key: keyOffsetDelete, min: 0, max: 0, layout: offsetDeleteLayout(), handle: on(offsetDelete)},
		{key: keyDescribeQuotas, min: 0, max: 1, layout: describeQuotasLayout(), handle: on(describeQuotas)},
		{key: keyAlterQuotas, min: 0, max: 1, layout: alterQuotasLayout(), handle: on(alterQuotas)},
		{key: keyDescribeScram, min: 0, max: 0, layout: describeScramLayout(), handle: on(describeScram)},
		{key: keyDescribeQuorum, min: 0, max: 2, layout: describeQuorumLayout(), handle: on(describeQuorum)},
		{key: keyDescribeCluster, min: 0, max: 2, layout: describeClusterLayout(), handle: on(describeCluster)},
		{key: keyDescribeProducers, min: 0, max: 0, layout: describeProducersLayout(), handle: on(describeProducers)},
		{key: keyDescribeTransactions, min: 0, max: 0, layout: describeTransactionsLayout(), handle: on(describeTransactions)},
		{key: keyListTransactions, min: 0, max: 2, layout: listTransactionsLayout(), handle: on(listTransactions)},
		{key: keyDescribePartitions, min: 0, max: 0, layout: describeTopicPartitionsLayout(), handle: on(describeTopicPartitions)},
	}
	apis := make(map[int16]*api, len(list))
	for _, a := range list {
		a.name = kmsg.NameForKey(a.key)
		apis[a.key] = a
	}
	return apis
}

package engine

import "time"

// Each limit has a name, a unit and a reason.
const (
	inflightBytesDefault = 256 << 20
	readingBytesDefault  = 256 << 20
	dataShardsDefault    = 4
	partitionsDefault    = 4

	// partitionsPerTopicMax bounds one TopicCreate command and the rows it makes.
	partitionsPerTopicMax = 10_000

	// producerBlock ids are taken from the catalog at once, so that a new producer
	// costs no round of consensus; a restart forgets at most so many.
	producerBlock = 1000

	// readBytesMax bounds one Read over all partitions whatever the client asks for:
	// memory held for one connection. Kafka's fetch.max.bytes is 55 MiB.
	readBytesMax = 55 << 20

	// readRoomWait is how long a read that need not wait for records waits for room: who is
	// answered with nothing at once asks again at once.
	readRoomWait = time.Second

	// One read takes at most 1/gateShare of all room for reads and 1/gateFreeShare of what is
	// free of it: who reads slowly and asks for much leaves room for others.
	gateShare     = 16
	gateFreeShare = 4

	// readBufferBytes is a new read buffer's size, readBufferKept the largest that is reused.
	readBufferBytes = 64 << 10
	readBufferKept  = 4 << 20

	// changeTriesMax bounds how often an administrator's change is computed anew because another one came first.
	changeTriesMax = 5

	// adminTimeout bounds commands whose caller gave no deadline.
	adminTimeout = 30 * time.Second

	// pingEvery and aliveFor tell who is alive: three pings may be lost.
	pingEvery = time.Second
	aliveFor  = 4 * time.Second

	// spreadWait bounds the wait until every live node knows a new or deleted topic;
	// a node that takes longer is as good as dead for this purpose.
	spreadWait = 5 * time.Second

	// viewPoll is how long a node without a catalog replica lets its question hang.
	viewPoll = 5 * time.Second

	// leaderWait is how long after a change of leadership a request waits for word of the new leader: a transfer and the new
	// leader's first command take milliseconds. An election after a crash may take longer, but then the crashed leader's
	// connections are gone as well.
	leaderWait = 500 * time.Millisecond

	// barrierTimeout bounds one read index: two elections and a slow disk.
	barrierTimeout = 5 * time.Second

	// electLook is how often an election that was asked for is looked at, electAgain after how many looks it is asked
	// for again: Raft forgets a transfer that did not succeed within an election time-out.
	electLook  = 20 * time.Millisecond
	electAgain = 100

	// leadEvery is the pulse of a leader's duties that no event starts.
	leadEvery = time.Second

	// clockLagMax is how far the time that a shard's log was told may lie back while time-outs run there.
	clockLagMax = time.Second

	// sweepBudget is the pieces of work of one Sweep command: some milliseconds of apply.
	sweepBudget = 2000

	// resultBytes is what a command's result takes at most, but for rare ones.
	resultBytes = 32

	// cleanRows reverse rows are looked at in one apply, while a pass goes on; cleanEvery
	// is the pause between passes. A pass reads every reverse row once.
	cleanRows  = 128
	cleanEvery = 10 * time.Minute

	// compactBytesPerSecond is how fast compaction reads, on the whole node: a share of the slowest disk that is worth
	// calling one. It writes at most what it reads.
	compactBytesPerSecond = 32 << 20

	// compactPause is the shortest wait of compaction for that rate.
	compactPause = 5 * time.Millisecond

	// checkEvery is how often the leader has the replicas compare their digests.
	checkEvery = time.Minute

	// clockSkewMax is how far this node's wall clock may be from its peers' before it
	// deletes nothing by age: a wrong clock must not cost records.
	clockSkewMax = 10 * time.Minute

	// groupSweepEvery is how often leaders look for expired offsets.
	groupSweepEvery = 10 * time.Minute

	// enlistTimeout bounds how long a batch or an offset waits until its transaction is known to its partition or group: two
	// elections. Its client sends it again.
	enlistTimeout = 10 * time.Second

	// stableWait bounds how long FetchOffsets waits for an open transaction: the heartbeats of the same connection wait
	// behind it.
	stableWait = 100 * time.Millisecond

	// deliveriesMax ids of a shard have their decisions delivered side by side; undeliveredMax decisions are looked at when
	// a leadership begins, deliverTimeout is given to one shard, and the pauses to a shard that did not answer.
	deliveriesMax   = 64
	undeliveredMax  = 1 << 20
	deliverTimeout  = 5 * time.Second
	deliverPauseMin = 20 * time.Millisecond
	deliverPauseMax = time.Second

	// carriedWait is how long decisions of a quick producer, two within quickProducer, wait for its next transaction to bring them
	// along, while the coordinator looks every carriedLook. paceNamesMax ids may be remembered longer than they are quick.
	carriedWait   = 10 * time.Millisecond
	carriedLook   = 2 * time.Millisecond
	quickProducer = 25 * time.Millisecond
	paceNamesMax  = 1024

	// acknowledgeEvery is how long a coordinator gathers acknowledgements, if it has nothing else to write before: nobody waits
	// for one, and a decision that is not acknowledged is one of the eight that an id may have.
	acknowledgeEvery = 25 * time.Millisecond

	// owedSlack is how many decisions fewer than coordinator.DecisionsMax an id may owe when its producer is told of an end, and
	// owedWait how long that waits: the next transaction would be refused, and its client wait for seconds.
	owedSlack = 3
	owedWait  = time.Second

	// commitTellsFirst is how long the leader leaves a decision about queues to the node that committed, which tells it to
	// their shards itself.
	commitTellsFirst = 500 * time.Millisecond

	// expireNamesMax transactional ids are named in one TxnExpire: the apply closes what they hold on the shard.
	expireNamesMax = 100

	// messageBytesMax bounds one AMQP message as it is stored: RabbitMQ's default is 16 MiB.
	messageBytesMax = 16 << 20

	// orderingWindowMax bounds x-ordering-window, in messages; deduplicationCountMax an x-deduplication-count, in ids.
	orderingWindowMax     = 1024
	deduplicationCountMax = 1 << 20

	// consumerLeaseDefault is how long a node's right to have consumers on a shard lasts from each renewal: as long as an
	// unreachable node's messages wait. It is renewed leaseRenewals times in that, and the node stops delivering 1/leaseMarginShare
	// of it before its end: the clocks of two machines do not drift that far apart meanwhile.
	consumerLeaseDefault = 20 * time.Second
	leaseRenewals        = 5
	leaseMarginShare     = 4

	// exclusiveWait is how long an exclusive queue may be in the catalog before its session has created it on its shard.
	exclusiveWait = time.Minute

	// closeSettlesMax is how long a session's end waits for what it settled to be in force.
	closeSettlesMax = 5 * time.Second

	// settleAgain is the pause before a settlement that could not be told is told again.
	settleAgain = 50 * time.Millisecond

	// publishTimeout bounds a publish whose caller gave no deadline: some elections.
	publishTimeout = 30 * time.Second

	// createChunk is how many partitions are created before their results are awaited.
	createChunk = 256
)

package journal

import "time"

// Every limit of the package, with its unit and its reason.
const (
	// alignment of batches, footers, memory and lengths: what O_DIRECT asks of every file system in use.
	alignBytes = 4096

	segmentBytesDefault = 256 << 20 // large enough that a roll (about 2 ms) is nothing, small enough to be freed soon
	segmentBytesMin     = 64 << 10
	segmentBytesMax     = 1 << 30 // offsets within a segment are 32 bits; an outsized batch may still follow

	cacheBytesDefault      = 256 << 20
	indexCacheBytesDefault = 32 << 20
	scrubBytesDefault      = 8 << 20 // per second: a terabyte in a day and a half
	scrubChunkBytes        = 1 << 20
	scanAheadBytes         = 256 << 10 // one read for many small batches
	recycledDefault        = 4
	reserveSegmentsDefault = 2 // with direct writes only; a simulated disk has no wish to hold zeroes

	// blockBytes is the unit in which memory for batches is got and, as the cache of recent entries, given back.
	blockBytes = 8 << 20
	// batchBytesMax bounds what one write takes from all shards: beyond it a longer write only adds latency.
	batchBytesMax = 4 << 20
	// lazyBytesMax of records that need no sync may wait in the open batch before it is written for their sake.
	lazyBytesMax = 64 << 10
	// bodyBytesMax of one record: dragonboat's own bound of an entry is 64 MiB and lies below it.
	bodyBytesMax = 256 << 20

	// entriesMax in one replica's Raft range: 40 bytes of memory each.
	entriesMax = 1 << 28

	// markerIdle after the last batch a marker is written that proves its sync (see doc.go, The window).
	markerIdle = 50 * time.Millisecond

	// readersMax segment files stay open for reading.
	readersMax = 256

	// relocateLivePercent: a segment with at most this share live is copied and freed.
	relocateLivePercent = 25
	// restateBytesMax of entries that Raft still needs are written anew in the log to free one old segment.
	restateBytesMax = 1 << 20
	collectEvery    = 10 * time.Second
	// judgeEveryMax cycles a segment that is in use is left alone.
	judgeEveryMax = 31
	scrubEvery    = time.Minute // between passes
	// giveWay is the pause of background writes, per 4 MiB, while appends go on.
	giveWay    = 50 * time.Millisecond
	spaceEvery = time.Second
	// sparesAhead segments are kept zeroed with direct writes.
	sparesAhead = 2
	zeroBytes   = 4 << 20

	// lostEntriesMax of one replica are listed one by one; it is rebuilt in any case.
	lostEntriesMax = 1000

	// spaceLowSegments that can still be made: below, leaders must refuse writes while there is room for what is under way.
	spaceLowSegments = 3

	// repairWait is how long a read of a damaged entry in Raft's range waits for the peer's copy before the node must
	// stop. It blocks one step worker: longer than a fetch over the network, shorter than an operator's patience.
	repairWait = 3 * time.Second
)

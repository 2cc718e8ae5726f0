package main

import "time"

const (
	kib = 1 << 10
	mib = 1 << 20

	partitions  = 8
	producers   = 4
	recordBytes = 4 * kib
	// bufferBytes bounds what one producer has waiting.
	bufferBytes = 32 * mib

	// settleTime is how long a rate is measured before a node is killed, and how long the cluster runs
	// alone before that: snapshots and elections of the phase before are over then.
	settleTime = 15 * time.Second

	// patience bounds each recovery; far above what any disk needs.
	patience = 20 * time.Minute
	// pollEvery is the pause between two looks at a node that recovers. What a killed node wrote in
	// its last such moment is not counted.
	pollEvery = 100 * time.Millisecond

	// writtenMax is how many bytes a recovering node may write to its journal for each byte that was
	// produced while it was away or recovered: one, and headers, padding to 4 KiB, a second copy of
	// what the log and the pull both brought.
	writtenMax = 1.5
	// rebuiltMax is the same for a rebuild that was killed half-way, of all that the shard holds.
	// Starting over would be 1.5 at least, whatever else is written.
	rebuiltMax = 1.3
	// writtenSlack is what a node may write in any case: heads of segments, votes, idle markers.
	writtenSlack = 16 * mib
	// keepPart of the gap is how much log is kept for a recovery by snapshot.
	keepPart = 8
)

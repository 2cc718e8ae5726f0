package runner

import "time"

const (
	// MemoryKiB bounds the address space of one world's process by default. A world
	// needs about 1.5 GB of it, most of it never touched.
	MemoryKiB = 6_000_000
	// WorldTime bounds one world's process by default; a world needs a few of them.
	WorldTime = 120 * time.Second
	// outputBytesMax is how much of the end of a process's output is kept.
	outputBytesMax = 64 << 10
	// killDelay is how long a process that was told to end may keep its pipes open.
	killDelay = 2 * time.Second
	// progressEvery is how often a long campaign says how far it is.
	progressEvery = 10 * time.Second
	// diffContext is how many events a comparison shows around the first that differs.
	diffContext = 8
	// reportLinesMax bounds the timeline in a report.
	reportLinesMax = 60
	// reportViolationsMax bounds the violations in a report.
	reportViolationsMax = 5
	// violationLinesMax bounds the lines of one of them.
	violationLinesMax = 12
	// lineBytes is about how long a line of a report is.
	lineBytes = 140
	// neverFrom is from how many worlds on a point that none reached is named.
	neverFrom = 50
	// ownPoints begin the names of points of the simulator's own tests.
	ownPoints = "simtest/"
	// TriesMax is how many worlds a shrinker runs by default.
	TriesMax = 200
	// leastLength is below what a fault is not made shorter any more.
	leastLength = 20 * time.Millisecond
)

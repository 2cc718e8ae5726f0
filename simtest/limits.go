package simtest

import "time"

const (
	// simulatedMax ends a world that does not end by itself.
	simulatedMax = 24 * time.Hour
	// watchEvery is how often, in simulated time, the watchman looks.
	watchEvery = 100 * time.Millisecond
	// collectSteps is after how many turns of goroutines garbage is collected. It is
	// counted in turns, not bytes: the moment must be a function of the seed. Often enough that
	// a world stays far below memoryMax: one that made 7 KB a turn came there within 400,000, and its two
	// runs differed.
	collectSteps = 50_000
	// memoryMax is how many bytes a world holds before garbage is collected all the same,
	// wherever it is; two runs may then differ. A world far below it never comes there.
	// Without it a loop that does not let simulated time pass takes all the machine's
	// memory before anyone can see where it is.
	memoryMax = 3 << 30
	// diffContext is how many events a comparison shows before and after the first
	// that differs.
	diffContext = 12
)

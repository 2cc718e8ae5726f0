package simtest

import "time"

const (
	// simulatedMax ends a world that does not end by itself.
	simulatedMax = 24 * time.Hour
	// watchEvery is how often, in simulated time, the watchman looks.
	watchEvery = 100 * time.Millisecond
	// collectSteps is after how many turns of goroutines garbage is collected. It is
	// counted in turns, not bytes: the moment must be a function of the seed.
	collectSteps = 400_000
	// diffContext is how many events a comparison shows before and after the first
	// that differs.
	diffContext = 12
)

package simtest

import "runtime/debug"

// collections counts how often garbage was collected in this process.
func collections() int64 {
	var s debug.GCStats
	debug.ReadGCStats(&s)
	return s.NumGC
}

// outOfTurn says how often garbage was collected when the world had not asked for it: it had come to memoryMax, and where
// it was then is not a function of the seed.
func (c *collector) outOfTurn() int64 { return collections() - c.before - c.asked }

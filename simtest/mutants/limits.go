package mutants

import "time"

const (
	// SeedsMax is how many seeds a mutant may take that names no bound of its own.
	SeedsMax = 300
	// memoryKiBMax bounds one world's process: a mutant may allocate for ever.
	memoryKiBMax = 6_000_000
	// seedTimeMax ends a world that does not end by itself. It is real time: a mutant may spin.
	seedTimeMax = 2 * time.Minute
	// outputBytesMax is how much of a process's output an error shows.
	outputBytesMax = 2000
	// patchBytesMax bounds a patch: a mutant is one mistake, not a rewrite.
	patchBytesMax = 8 << 10
	// summaryBytesMax is how much of a violation a table shows.
	summaryBytesMax = 120
)

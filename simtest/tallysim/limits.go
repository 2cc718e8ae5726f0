package tallysim

import "time"

const (
	// seedsDefault is how many seeds a plain go test runs: some seconds of one processor.
	seedsDefault = 10
	// bodyMax is the simulated time in which a body must end.
	bodyMax = time.Hour
	// harnessTry bounds one attempt of the harness's own requests, in simulated time;
	// harnessTries is how many it makes before the test fails.
	harnessTry   = 10 * time.Second
	harnessTries = 30
	// checkEvery is how often, in simulated time, assertions are looked at.
	checkEvery = 50 * time.Millisecond
	// stopMax is how long a process may take to end after Stop, in simulated time.
	stopMax = 30 * time.Second
	// storeDelayMax bounds half of a Store's transaction, in simulated time: before and
	// after the commit, drawn evenly, as a database in the same data centre takes.
	storeDelayMax = 4 * time.Millisecond
	// storeFailuresMax is the most that Faults.Store lets fail, in thousandths.
	storeFailuresMax = 50
	// storyEvents is how many of the last events a report shows.
	storyEvents = 60
	// outputBytesMax is how much of a failing child's output is shown, the end of it.
	outputBytesMax = 16000
	// deadlineReserve is what remains of go test's time limit to report a child that
	// was ended because of it; dumpMax of that is for the child to print its stacks.
	deadlineReserve = 5 * time.Second
	dumpMax         = 2 * time.Second
	// dumpBytesMax is how much of these stacks is shown.
	dumpBytesMax = 4000
)

// Package simtest runs real code in a simulated world: goroutines, clock, network,
// disks, crashes and chance are all decided by one seed.
//
// It promises: (1) Run with the same binary and seed, in a process of its own, gives
// the same world: the same events in the same order, hence the same trace hash;
// (2) a process of the world that is killed runs nothing more, not even a deferred
// function, and what it had not synced is lost as a disk may lose it; (3) Run refuses
// to work in a binary built without the overlay.
//
// It asks of the caller: (a) all effects of the code under test go through what the
// world hands out: Host for listeners and dialers, Disk for files, plain time, plain
// randomness; (b) no package-level goroutines or channels in that code; (c) one Run per
// process where hashes are compared: libraries keep global state.
//
// It does not run goroutines in parallel, so it finds no data races; it does not
// simulate a memory limit or real sockets.
//
// # How to run
//
//	go test -overlay=$(go run ./simtest/internal/overlaypath) ./simtest/...
//
// That is all: Run itself sets one processor, switches the collector off but at
// quiescence, and memory profiling off. The strictest form, which the comparison of
// runs uses for its child processes, is
//
//	CGO_ENABLED=0 go test -c -overlay=$(go run ./simtest/internal/overlaypath) -o sim.test ./simtest
//	GOMAXPROCS=1 GOGC=off GODEBUG=asyncpreemptoff=1 ./sim.test -test.timeout=0 -test.run TestSeedsAreEqual
//
// Environment:
//
//	TALLYMQ_SIM_SEED=7          the seed of tests that take one from outside
//	TALLYMQ_SIM_SEEDS=1..20     the seeds that TestSeedsAreEqual compares
//	TALLYMQ_SIM_TRACE=file      write every event of the world to this file
//	TALLYMQ_SIM_RESULT=file     write what the world came to, as JSON (package result)
//	TALLYMQ_SIM_LITTER=1        other addresses, and goroutines outside the world: must change nothing
//	TALLYMQ_SIM_PLAN=file       take the plan, with its settings and seed, from this file
//
// # The parts
//
//	World ── Process (name, number, Host, Disk) ── Start, Kill, PowerLoss, Pause, Resume, Skew
//	   ├──── network.Network    links, streams, Raft messages
//	   ├──── disk.Disk          one per process that asks for it
//	   ├──── settings           what else is drawn: Int, Bool, Duration, OneOf
//	   ├──── Buggify            places of the production code that may act (internal/point) do; how often is a setting
//	   ├──── Plan               settings, and faults applied over time: drawn from the seed, printed, read back
//	   └──── trace.Log          every event, and the hash
//	tallysim      worlds for the programs of tallymq's users: programs, a store, assertions
//	overlay       the patches to the runtime that make it all a function of the seed
//	check         judges of client histories; they know nothing of the implementation
//	point         coverage of rare places
//	result        what the process of a world says when it ends
//	timeline      a page that draws a world from its trace: tallymq sim timeline
//
// Read run.go, then world.go, then raft_test.go for a whole example.
package simtest

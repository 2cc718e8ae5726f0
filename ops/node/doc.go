// Package node assembles one node: stores, consensus, engine and front ends, in the
// order in which each may rely on the one before, and takes them down in the other.
//
// It promises: (1) every effect (file system, listeners, dialers, Raft transport) comes
// in by Effects, so that a simulated world can run the very same assembly; (2) Start
// either returns a node whose local parts run, or has undone all it did; (3) Close
// first stops taking new work, lets what is in flight finish for a bounded time, and
// leaves no goroutine; (4) a failure that makes the node unsafe ends up in Fatal, and
// the caller must stop the process.
//
// It asks the caller to validate the configuration first.
//
//	journal → row store → engine → consensus → engine.Run → Kafka listener
//
// Read node.go.
package node

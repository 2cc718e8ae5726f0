// Package engine is the broker of one node: it makes the state machines of the
// shards that the node hosts, and implements broker.Broker on them.
//
// It promises: (1) an acknowledged append, commit or change was fsynced by a
// majority and applied; (2) an answer as leader is given only while this node leads
// and has applied its own leader-start; (3) OFFSET_OUT_OF_RANGE, epoch ends, log
// ends and committed offsets are answered only after a read index; (4) what a
// leader decides by a clock (retention, sessions, sweeps) is a command that carries
// its term; (5) no row names bytes that are gone: payloads are freed only by what
// the durable rows no longer name.
//
// It asks: (a) Machine is the factory given to consensus.Start; (b) Run is called
// once with that host; (c) Close is called before the host, the store and the
// journal are closed. It opens no file and no socket by itself.
//
//	Append → batch.Validate → command → consensus (majority, fsync) → replica.Apply
//	       → rows (store) + wake readers → Done            the payload stays in the journal
//	Read   → head (memory) → batch rows → payloads (journal) → patched batches
//
// One goroutine per duty: the view loop follows the catalog, the lead loop of each
// led shard reconciles partitions, retention and sweeps, the ping loop learns who is
// alive, the placement loop of the catalog's leader moves replicas.
//
// Read engine.go first, then replica.go, append.go and read.go.
package engine

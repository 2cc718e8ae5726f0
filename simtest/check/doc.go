// Package check judges histories: what clients asked for, what they were told, what
// they read. It knows nothing of the implementation, of the simulator, or of time
// but as an order.
//
// It promises: (1) a history that a correct system can produce has no violation:
// an unknown outcome may have happened or not, at any time after the call; (2) each
// anomaly it names is found in every history that contains it, as defined at the
// function that looks for it; (3) the same history gives the same violations in the
// same order.
//
// It asks of the caller: (a) every value is sent at most once by the application
// (retries of a client library are one Send); (b) Call and Return are from one clock;
// (c) Final reads are complete: from the log start to an end offset asked for after
// the last send ended; (d) where retention deletes, the log start is asked for now and
// then, and once more after the last read.
//
// A transaction is an Op with a TransactionalID: Failed, if it was aborted or its client ended before it asked for the
// commit; Unknown, if that was asked for and nobody was told.
//
// Names and definitions follow Jepsen's workload for Kafka where it has one
// (jepsen/tests/kafka.clj): inconsistent-offsets, duplicate, lost-write, unseen,
// G1a, nonmonotonic-poll, poll-skip, nonmonotonic-send. The others are ours.
//
//	History ──▶ Kafka ──▶ []Violation
//	          └ index (partition → offset → value) ─ sends, polls, committed, ends, groups
//
// Read history.go, then index.go.
package check

// Package participant is what a partition, a consumer group, or the queues of a shard know of transactions: which producer holds it in which
// transaction, what has ended, from which offset on nothing is decided, and which offsets are pending.
//
// A hold names (producer id, epoch, number). It is opened by a coordinator's grant and closed by the decision about that
// number, by nothing else: not by time, not by a higher epoch, not by doubt.
//
// It promises: (1) everything is a function of state and arguments; (2) a producer has at most one hold here, and its
// number is above every one that has ended here; (3) the number of the last end never falls, is remembered also when
// there was nothing to end, and refuses grants and writes up to it: a grant that comes after its decision opens nothing;
// (4) a decision is taken once: again, it is Done and changes nothing; the other outcome for the same number is refused as a
// contradiction; (5) an open hold is never skipped: the grant or decision of a later transaction waits (EarlierOpen) for
// the decision about the open one; (6) the last stable offset is never above the first offset of an open hold, and does not
// fall; (7) every transaction that aborted here with data is given to the list of aborted ones once, with the range that
// readers skip; (8) pending offsets come into force together, or none does; (9) a producer with an open hold does not expire;
// (10) LoadRow of every AppendRow, in any order, gives an equal participant.
//
// It asks the caller: (a) apply in log order, and close a grant's Earlier decisions, in their order, before the grant;
// (b) append the marker that Closing asks for in the same apply, at the offset it gave; (c) raise the producer's window to
// the decision's epoch in that apply (txn.Window.SetEpoch), so that a late batch is fenced; (d) acknowledge a decision to
// the coordinator only when the apply that took it is certain; EarlierOpen is no acknowledgement.
//
// It does not judge sequences (package txn does), write control batches, know members of groups, or speak to anyone.
//
//	          grant N                    decision N
//	closed < N ───────► holds N, no data ───────────────────────► closed = N
//	                       │ first append         ▲
//	                       ▼                      │ marker; aborted range
//	                    holds N, data from first ─┘
//
// Read holds.go first, then testdata/commit_and_abort.txt.
package participant

// Package txn decides whether a batch of a producer may be appended to a partition.
//
// A Window is what one partition remembers of one idempotent producer: its epoch and its last five batches. Beside it
// are the words of transactions: numbers, decisions, grants, refusals. Package coordinator numbers and decides them,
// package participant is what a partition or a group knows of them. Package engine applies them. TestAtomic (atomic_test.go) runs all three together.
//
// It promises: (1) Check and Record are functions of the window and their arguments alone; (2) a batch is appended only
// if its first sequence follows the last one recorded, or begins an epoch at 0, or the window knows nothing of the
// producer; (3) a batch is called a duplicate only if epoch, first and last sequence and fingerprint all are those of a
// remembered batch, and then its offset is the remembered one; (4) a retry with the sequences of a remembered batch
// and other records is refused, not acknowledged; nothing is called older than the window that was not appended; (5) an older epoch is refused for as long as the window lives;
// (6) Decode(AppendTo(w)) is w. It asks the caller: (a) Record only what Check answered with Append, right then, in
// log order; (b) pass replicated time, never a clock's; (c) expire windows by Expired alone, never because there are
// many: an unknown producer is accepted at any sequence, as Kafka does, so to forget one too early lets its retry in
// twice; (d) not expire a window while a transaction of the producer is open.
//
// It does not know topics, records, batches' bytes, the log or the wire's error codes.
//
//	           first = last+1                    epoch higher, first = 0
//	window ──────────────────► append      ────────────────────────► append, older batches forgotten
//	       ──────────────────► duplicate   same epoch, range and fingerprint as one of the last five
//	       ──────────────────► refused     fenced | out of order | older than the window
//
// Sequences count records and wrap: 2^31-1 is followed by 0.
//
// Read window.go first, then testdata/retry_after_lost_answer.txt.
package txn

// Package partition is the state machine of all partition logs of one shard: what is appended where, under which
// offsets and leader epochs, what is a retry, what is trimmed, and which log entries still hold a live batch.
//
// It promises: (1) Apply is a function of the machine, the Context and the command alone, and reads no rows; (2) an
// offset is given once per partition, without gaps, and its batch is named by (index, position, length, CRC);
// (3) a batch of an idempotent producer is appended once: a retry is answered with the first attempt's offset, and
// one that carries other records is refused; (4) leader epochs never fall; (5) Load gives a machine equal to the one
// that wrote the rows, in every answer, and in Describe; (6) LiveNames reports a
// payload for as long as a row names it; (7) work per command is bounded: what a trim, a deletion or an expiry frees
// is freed by Sweep, in slices; (8) it does not matter how the log's commands are cut into batches; (9) rows cover
// every offset of the log: a compaction replaces rows by rows over the same offsets, and only if they are the ones that
// it was computed from.
//
// It asks the caller: (a) apply commands in log order, then Flush, then commit the writer's rows together with the
// applied index, all or nothing; (b) not call anything else meanwhile (there is no lock), and show readers the heads
// that Flush returned only after that commit; (c) call LeaderStart for every leader-start, before the commands
// behind it; (d) never reuse a Position within one Index.
//
// It does not validate records, know the time, wait, or hold payloads.
//
//	Append ──► idempotence ──► offset, epoch ──► batch row, written at once
//	               │                                │
//	           duplicate                            ▼
//	           or refused          Flush: heads, windows, reverse row: once per batch of commands
//
//	Compact (rewritten batches, holes) ──► as many compactions as when its rows were read? ──► rows replaced
//
//	log start ──(trim)──► moves at once        rows below it ──(Sweep)──► freed in slices
//	reverse row (entry) ──► its batches ──► batch rows that still name it = what is live in that entry
//
// Rows are described in keyspace/tables.go and where they are encoded. Read append.go first, then
// testdata/scenarios/append_and_duplicate.txt.
package partition

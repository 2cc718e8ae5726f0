// Package store keeps the rows of all replicas of one node in one pebble database without a write-ahead log.
//
// The journal is the log: what is lost here with the power is applied again from there. So the one thing that matters is
// that an applied index never runs ahead of its rows, and that nobody is told "durable" who is not.
//
// It promises:
//
//  1. Commit is atomic: rows, applied index and meta, all or nothing, for readers and for a power loss.
//  2. After a power loss the rows of all replicas together are those after some prefix of the committed batches, in
//     commit order. Pebble puts each batch into one memtable while it holds its commit lock (commit.go, prepare),
//     flushes only a prefix of the filled memtables, waiting for their writers, one flush at a time (compaction.go,
//     flush1), and makes a flush visible by one synced manifest record. The crash tests show it.
//  3. DurableApplied is read from the tables, never calculated: it is what the next Open would say, or less. After Sync
//     it covers what was committed before the call. After Open it covers what Open said.
//  4. InstallRows replaces a replica's rows as a whole or not at all, also when it is interrupted at any step. A stream
//     that is truncated, flipped, reordered or of another version is refused.
//  5. A view shows one state until it is closed, and costs disk, not the others' speed.
//  6. Bytes that fail their checksum are never returned as rows: the read says ErrCorrupt and names the file.
//  7. A full disk is waited out: commits go on in memory up to four memtables, then wait; Sync waits; Close does not.
//  8. Once pebble has met what it cannot survive, OnFatal is told and nothing on the disk changes any more. Pebble's own
//     logger would end the process by itself.
//  9. After Close no goroutine is left.
//
// It asks the caller:
//
//	(a) Commit, InstallRows, Open and Drop of one replica come one after the other;
//	(b) a Batch is used by one goroutine and ends in Commit or Discard; slices given to yield are not kept;
//	(c) streams are stopped before Close, for Close waits for a w.Write that hangs;
//	(d) whoever cuts the log cuts it below DurableApplied, and refuses to start a replica whose Open is below the log's
//	    first entry: a manifest that lost its tail on a bad disk makes the rows older, and only the log can tell.
//
// It does not know what a row means, does not read the log, and does not repair: a replica with a corrupt table is
// rebuilt from its peers.
//
//	Commit ─▶ memtable ─▶ memtable (filled) ─▶ flush: tables + one manifest record ─▶ compactions
//	             │              └ 16 MiB of all replicas together, or a Sync
//	             └ readers see it at once
//
//	InstallRows:  rows of generation g+1 ─▶ flush ─▶ control row names g+1 ─▶ flush ─▶ delete generation g
//	              old rows live ─────────────────────────────▶│ new rows live
//
// Read key.go for the layout, transfer.go for the story of an install, guard.go for what pebble needs to be told about
// disks, then crash_test.go.
package store

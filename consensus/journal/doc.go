// Package journal is a node's one log store: the Raft logs of all its replicas and all payload bytes, each written once.
//
// It is a whole raftio.ILogDB for dragonboat, and it gives payloads back by name: (shard, replica, index, position,
// length, CRC32C). State machines keep names; only the journal knows where bytes lie.
//
// It promises:
//
//  1. What SaveRaftState, SaveSnapshots, SaveBootstrapInfo, WritePayloads, RepairEntry, RemoveNodeData, ImportSnapshot
//     and ForgetReplica acknowledged survives a power loss. Updates are atomic. Two things need no sync and may be older
//     after a power loss: a commit index that moved alone, and a removal mark.
//  2. A byte is served only if a checksum says it is the one that was written: an entry by its own, a payload by its name's.
//  3. What was acknowledged is there, or its loss is reported (Damages, OnDamage); what Raft replays at a start is
//     checked before Open returns. The one exception is The window, below.
//  4. What a restart cut from the tail never comes back.
//  5. An entry is freed only if it is below Raft's removal mark, at or below the applied index that is durable in the
//     state machine, and not named by a state that is durable; or overwritten, or of a forgotten replica.
//  6. An idle replica pins no segment; memory does not grow with the backlog, but for a few words per segment.
//  7. A failed write or sync on the append path is final: OnFatal is called, nothing more is written, callers get
//     ErrStopped. Nothing is retried, for what a failed sync left on the disk nobody knows.
//  8. While leaders refuse writes at SpaceLow, no append meets a full disk.
//
// It asks the caller: (a) never let two processes open one directory; (b) ask Damages before starting a replica, and
// rebuild from its peers, under a new replica id, one with damage that is not Repairable; (c) entries of one replica are
// saved in order by one goroutine at a time, as dragonboat does; (d) Liveness never names again what it once did not;
// (e) compression, witnesses and session data off: a command under any other header byte than dragonboat's plain one is
// stored but cannot be named; (f) not to change a segment's file.
//
// It does not replicate, retry, compress or encrypt, and it does not know what a payload means.
//
// # The bytes
//
// Everything starts on a 4 KiB boundary. A log segment is
//
//	| head | head again | batch | batch | marker | batch | ... | footer |
//	0      what every record before amounts to   ^             ^ end
//
// and a batch, written and synced at once for all shards that wait,
//
//	| header 96 | body body body ... | directory: 56 per record | zeroes |
//	  magic version kind, segment and offset (the place), open count, sequence,
//	  length, checksum of the directory, how far the log was synced before, checksum of all that
//
// A header counts only at its place: segment numbers are never used twice, so whatever lies in a recycled file is
// refused. A segment that another format version wrote is refused whole (ErrVersion), never taken for an empty one. Bodies have checksums of their own in the directory, so one damaged body costs one record, and its
// descriptor says which. Entries are marshalled straight into the batch's memory, and that memory, once written, is the
// cache of recent entries: a payload is copied once on its way to the disk.
//
// A head (checkpoint.go) says again, for each replica, state, snapshot, bootstrap and the range of its log, and which
// segments there are; so older segments are needed for entries alone. Sealed segments end in a footer (footer.go), an
// index read block by block through a bounded cache. Payload segments hold what garbage collection moved (collect.go).
//
// # The tail rule
//
// Each open begins a new segment, whose head fixes where the segments before it end. Below such an end, and below the
// highest position a header claims to be synced, an invalid batch is damage and never cut. In the last segment, beyond
// that position, batches are taken in sequence up to the first invalid one; from there everything is cut, valid or not,
// and as no later open writes or reads behind the cut, stale batches stay unread.
//
// # The window
//
// That a batch was synced is proven by the header of the next one. A last batch that is damaged on the disk, after it was
// acknowledged and before any other batch or a marker is written, looks like a torn write and is cut in silence. A
// marker, an empty batch, is written when nothing else was for 50 ms, and by Close. So the window is: bit rot or a lost
// write of the very last batch, and a crash, both within about 50 ms of its acknowledgement. Raft's majority covers it.
//
// Read append.go and committer.go for the way in, recover.go for the way back, collect.go for how bytes go, and
// contract_test.go for what dragonboat expects.
package journal

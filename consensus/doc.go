// Package consensus carries opaque commands of many shards through Raft, in order and exactly once, and never learns
// what they mean.
//
// It promises: (1) commands that one node proposes to one shard are applied in the order of the Propose calls, each at
// most once, with no gap between them, whatever the network or dragonboat drops, repeats or reorders (only a command
// whose outcome became unknown because its replica stopped, or its forwarding broke, may be missing or come later than
// its successors); (2) Done is called
// exactly once per proposal: with the result of the local apply, with ErrStaleTerm or ErrNotApplied (certainly not
// applied), or with ErrUnknownOutcome (nobody can tell yet); (3) a result is given only after the entry was fsynced by
// a majority and applied here; (4) Leading says yes only after this node applied its own leader-start of that term, and
// terms never fall; (5) after ReadBarrier everything acknowledged before the call is applied in the local replica;
// (6) a replica counts as whole only when every payload its rows name is in its journal; (7) after Close nothing of
// ours runs.
//
// It asks of the caller: (a) a Machine whose Apply is atomic with ApplyBatch.Applied and Meta, and deterministic;
// (b) Done and Leadership callbacks that do not block; (c) a replica that lost its disk, or was found damaged, comes
// back under a new replica id; (d) SetPlacement and SetPeers whenever the catalog changes, and once before traffic.
//
// It does not place replicas, decide who may ask, or interpret a byte of a command.
//
//	Propose → window → packed entry → dragonboat → journal (majority fsync) → Update → stream.Apply → Machine.Apply → Done
//	   ↑ no replica here: forwarded over the node RPC      gap, drop, new leader: sent again from the gap ↵
//
// Read proposer.go and replica.go first, then package stream, which holds every decision of promise (1).
package consensus

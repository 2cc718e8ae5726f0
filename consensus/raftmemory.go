package consensus

import (
	_ "unsafe" // for go:linkname

	"github.com/tallymq/tallymq/internal/invariant"
)

// What dragonboat keeps in memory for a replica is bounded by five numbers that have no option, but for a file in the
// working directory (dragonboat-soft-settings.json), which a program must not depend on. Their defaults are made for small
// entries: of ours, half a megabyte each under load, they are hundreds of megabytes a replica. So they are set here.
//
// Entries that are not applied lie in a slice (internal/raft/inmemory.go); what was applied stays reachable from its array
// until that is replaced, when one entry or none is left or its room is nearly used up: after 416 entries. Each
// replacement clears 45 KB, which cost a twentieth of a node's time under small entries. And one message to a follower
// that is behind (internal/raft/raft.go), as one portion of entries to apply (logentry.go), takes up to 64 MiB.
//
// An apply worker (engine.go) takes all portions that wait for a replica into a slice that it uses again, and again from
// its start: what lay further back when it once fell behind stays reachable, each portion with the whole array it is a
// part of, for up to 40 seconds. A follower on a busy machine so kept 530 MiB that it had long applied. Room for one
// portion makes it take a larger slice for larger work, and drop it.

//go:linkname entrySliceSize github.com/lni/dragonboat/v4/internal/raft.entrySliceSize
var entrySliceSize uint64

//go:linkname minEntrySliceSize github.com/lni/dragonboat/v4/internal/raft.minEntrySliceSize
var minEntrySliceSize uint64

//go:linkname maxEntrySize github.com/lni/dragonboat/v4/internal/raft.maxEntrySize
var maxEntrySize uint64

//go:linkname maxEntriesToApplySize github.com/lni/dragonboat/v4/internal/raft.maxEntriesToApplySize
var maxEntriesToApplySize uint64

//go:linkname taskBatchSize github.com/lni/dragonboat/v4.taskBatchSize
var taskBatchSize uint64

// raftMemory lists them, with the values that were looked at and ours.
var raftMemory = []struct {
	setting      *uint64
	theirs, ours uint64
}{
	{&entrySliceSize, 512, entrySliceEntries},
	{&minEntrySliceSize, 96, entrySliceFree},
	{&maxEntrySize, 64 * mib, replicateBytesMax},
	{&maxEntriesToApplySize, 64 * mib, applyBytesMax},
	{&taskBatchSize, 512, portionsKept},
}

//lint:init settings of a library that have no other way in
func init() {
	for i, s := range raftMemory {
		// A dragonboat that calls it otherwise would make a variable of our own of it, and it would be zero.
		invariant.Check(*s.setting == s.theirs, "dragonboat's setting %d is %d, not the %d that was looked at", i, *s.setting, s.theirs)
		*s.setting = s.ours
	}
}

const (
	// entrySliceEntries is the room for entries that are not applied, entrySliceFree how much of it must be left, else
	// it is made anew. Their difference bounds how many applied entries are kept from the garbage collector. More entries
	// than that may wait: the slice grows.
	entrySliceEntries, entrySliceFree = 32, 8
	// replicateBytesMax is what one message to a follower that is behind carries, beside a first entry of any size.
	replicateBytesMax = 8 * mib
	// applyBytesMax is how much is read from the log at once to be applied, beside a first entry of any size.
	applyBytesMax = 16 * mib
	// portionsKept is how many portions, and how many entries, an apply worker keeps from the garbage collector.
	portionsKept = 1
)

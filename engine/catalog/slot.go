package catalog

import "github.com/tallymq/tallymq/engine/broker"

// Slot is a coordinator slot, 0..Slots-1.
type Slot uint16

// SlotOwner says which shard owns a slot, and since which version of the catalog.
type SlotOwner struct {
	Shard   broker.ShardID
	Version uint64
}

// SlotOf hashes a group or a transactional id to its slot: FNV-1a of 64 bits over the bytes, the upper half folded
// onto the lower by exclusive or, the low ten bits of that. It is fixed for ever; testdata and TestSlotOf has vectors.
func SlotOf(name string) Slot {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * prime
	}
	h ^= h >> 32
	return Slot(h & (Slots - 1))
}

package catalog

import (
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
)

// Slot is a coordinator slot, 0..Slots-1.
type Slot uint16

// SlotOwner says which shard owns a slot, and since which version of the catalog.
type SlotOwner struct {
	Shard   broker.ShardID
	Version uint64
}

// colocationMark ends the part of a name that says what it works together with. Topics may be called so, too: Kafka Streams names
// topics after its application.
const colocationMark = "--"

// ColocationOf is what a group, a transactional id or a queue is placed by: of "NAME--REST" it is NAME, so that it lives on one
// shard with all others of that NAME, and with the topics whose tally.colocate is NAME. Of any other it is all of it.
func ColocationOf(name string) string {
	if n := strings.Index(name, colocationMark); n > 0 {
		return name[:n]
	}
	return name
}

// SlotOf hashes a group or a transactional id to its slot: FNV-1a of 64 bits over the bytes of ColocationOf, the upper half folded
// onto the lower by exclusive or, the low ten bits of that. It is fixed for ever; testdata and TestSlotOf has vectors.
func SlotOf(name string) Slot {
	name = ColocationOf(name)
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * prime
	}
	h ^= h >> 32
	return Slot(h & (Slots - 1))
}

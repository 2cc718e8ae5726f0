package catalog

import (
	"fmt"
	"hash/fnv"
	"testing"
)

// Vectors of the slot hash. They never change: participants store slots.
var slotVectors = []struct {
	name string
	slot Slot
}{
	{"", 961}, {"a", 192}, {"billing", 350}, {"payments-consumer", 870}, {"__transaction", 764}, {"gruppe-äöü", 52},
}

func TestSlotOf(t *testing.T) {
	for _, v := range slotVectors {
		h := fnv.New64a()
		h.Write([]byte(v.name))
		sum := h.Sum64()
		if got := SlotOf(v.name); got != v.slot || got != Slot((sum^sum>>32)%Slots) {
			t.Errorf("SlotOf(%q) = %d, want %d", v.name, got, v.slot)
		}
	}
}

// TestColocation: names that begin alike, up to the mark, share a slot.
func TestColocation(t *testing.T) {
	for name, want := range map[string]string{"bank--ledger": "bank", "bank--a--b": "bank", "bank-ledger": "bank-ledger", "--x": "--x", "bank--": "bank", "": ""} {
		if got := ColocationOf(name); got != want {
			t.Errorf("ColocationOf(%q) = %q, want %q", name, got, want)
		}
		if SlotOf(name) != SlotOf(want) {
			t.Errorf("%q is not in the slot of %q", name, want)
		}
	}
}

func TestSlotsAreEven(t *testing.T) {
	var count [Slots]int
	const each = 100
	for i := range each * Slots {
		count[SlotOf(fmt.Sprintf("group-%d", i))]++
	}
	for s, n := range count {
		if n < each/2 || n > each*2 {
			t.Errorf("slot %d has %d of %d names", s, n, each*Slots)
		}
	}
}

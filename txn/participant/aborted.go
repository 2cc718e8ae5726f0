package participant

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/txn"
)

// Aborted is one aborted transaction in one partition: records of the producer from First up to the marker at Last are
// not for read_committed readers. Stable is the last stable offset right behind the marker.
type Aborted struct {
	ProducerID txn.ProducerID
	First      int64
	Last       int64
	Stable     int64
}

// String is one line.
func (a Aborted) String() string {
	return fmt.Sprintf("aborted %d..%d of %d, stable %d", a.First, a.Last, a.ProducerID, a.Stable)
}

// AbortedWithin picks from list, which rises by Last, those that a reader of offsets from ≤ o < to needs: each that
// has a record there. The result rises by First, as readers expect it (Kafka: FetchResponse, abortedTransactions).
//
// Nothing behind the first entry whose Stable is at least to can begin below to: what was undecided then began at
// Stable or later.
func AbortedWithin(list []Aborted, from, to int64) []Aborted {
	i, _ := slices.BinarySearchFunc(list, from, func(a Aborted, from int64) int { return cmp.Compare(a.Last, from) })
	var found []Aborted
	for _, a := range list[i:] {
		if a.First < to {
			found = append(found, a)
		}
		if a.Stable >= to {
			break
		}
	}
	slices.SortFunc(found, func(a, b Aborted) int { return cmp.Compare(a.First, b.First) })
	return found
}

package check

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// forever is after everything.
const forever = time.Duration(math.MaxInt64)

// starts knows how far the log of each partition may have been deleted, and when.
type starts map[string][]Start

// newStarts sorts the answers by when they were asked for, and gives each the
// lowest offset that was answered to it or to a later question: an upper bound of
// what was deleted when it was asked, since log starts only rise.
func newStarts(h *History) starts {
	by := starts{}
	for _, s := range h.Starts {
		by[s.Partition] = append(by[s.Partition], s)
	}
	for _, list := range by {
		slices.SortStableFunc(list, func(a, b Start) int { return cmp.Compare(a.Call, b.Call) })
		for i := len(list) - 2; i >= 0; i-- {
			list[i].Offset = min(list[i].Offset, list[i+1].Offset)
		}
	}
	return by
}

// atMost returns the highest offset that the log start can have had at a time: 0
// when nobody ever asked, and the last answer after the last question.
func (s starts) atMost(partition string, at time.Duration) int64 {
	list := s[partition]
	if len(list) == 0 {
		return 0
	}
	i, _ := slices.BinarySearchFunc(list, at, func(a Start, at time.Duration) int { return cmp.Compare(a.Call, at) })
	return list[min(i, len(list)-1)].Offset
}

// deleted says whether retention can have deleted an offset by a time. Of a record
// whose offset is not known (-1) nobody can say once anything was deleted.
func (s starts) deleted(partition string, offset int64, at time.Duration) bool {
	start := s.atMost(partition, at)
	return start > 0 && offset < start
}

// logStarts: a log start only rises.
//
//   - log-start-went-back: it is below one that was answered before the question.
func (c *checker) logStarts() {
	answered := map[string][]Start{}
	for _, s := range c.h.Starts {
		answered[s.Partition] = append(answered[s.Partition], s)
	}
	for _, partition := range sortedKeys(answered) {
		asked := answered[partition]
		told := slices.Clone(asked)
		slices.SortStableFunc(asked, func(a, b Start) int { return cmp.Compare(a.Call, b.Call) })
		slices.SortStableFunc(told, func(a, b Start) int { return cmp.Compare(a.Return, b.Return) })
		highest := int64(-1)
		for _, s := range asked {
			for len(told) > 0 && told[0].Before(s.Span) {
				highest = max(highest, told[0].Offset)
				told = told[1:]
			}
			if s.Offset < highest {
				c.violation(StartWentBack, partition, "the log start was said to be %d after it had been %d", s.Offset, highest)
			}
		}
	}
}

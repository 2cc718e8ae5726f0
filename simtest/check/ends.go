package check

import (
	"cmp"
	"slices"
)

// known is what somebody was told of an end: it is above offset since then.
type known struct {
	since Span
	above int64
	why   string
}

// ends: the end of a partition is a register that only rises, and whoever asks is
// told its value of some moment while he waits.
//
//   - stale-end-offset: it is at or below the offset of a send that was acknowledged
//     before the question, or below an end offset that was answered before it.
func (c *checker) ends() {
	asked, told := map[string][]End{}, map[string][]known{}
	for _, e := range c.h.Ends {
		asked[e.Partition] = append(asked[e.Partition], e)
		told[e.Partition] = append(told[e.Partition], known{e.Span, e.Offset - 1, "the end was answered"})
	}
	for i := range c.h.Sends {
		if s := &c.h.Sends[i]; s.Outcome == OK && asked[s.Partition] != nil {
			told[s.Partition] = append(told[s.Partition], known{s.Span, s.Offset, s.Value})
		}
	}
	for _, partition := range sortedKeys(asked) {
		c.endsOf(partition, asked[partition], told[partition])
	}
}

// endsOf walks the questions by when they were asked, and beside them what had been
// told by then.
func (c *checker) endsOf(partition string, asked []End, told []known) {
	slices.SortStableFunc(asked, func(a, b End) int { return cmp.Compare(a.Call, b.Call) })
	slices.SortStableFunc(told, func(a, b known) int { return cmp.Compare(a.since.Return, b.since.Return) })
	highest := known{above: -1}
	for _, e := range asked {
		for len(told) > 0 && told[0].since.Before(e.Span) {
			if told[0].above > highest.above {
				highest = told[0]
			}
			told = told[1:]
		}
		if e.Offset <= highest.above {
			c.violation(StaleEnd, partition, "the end was said to be %d after offset %d was known to be taken (%s)", e.Offset, highest.above, highest.why)
		}
	}
}

package check

import (
	"cmp"
	"slices"
)

// sends: the records of one producer are in a partition in the order in which the
// application sent them.
//
//   - nonmonotonic-send: of two sends of a producer to a partition, both in the log,
//     the later one has the lower offset.
func (c *checker) sends() {
	type key struct{ producer, partition string }
	by := map[key][]*Send{}
	var keys []key
	for i := range c.h.Sends {
		s := &c.h.Sends[i]
		k := key{s.Producer, s.Partition}
		if by[k] == nil {
			keys = append(keys, k)
		}
		by[k] = append(by[k], s)
	}
	for _, k := range keys {
		list := by[k]
		slices.SortStableFunc(list, func(a, b *Send) int { return cmp.Compare(a.Sequence, b.Sequence) })
		var before *Send
		var at int64
		for _, s := range list {
			offset, ok := c.placed(s)
			if !ok {
				continue
			}
			if before != nil && offset <= at {
				c.violation(NonmonotonicSend, k.partition, "%s sent %q before %q, but they are at %d and %d",
					k.producer, before.Value, s.Value, at, offset)
			}
			before, at = s, offset
		}
	}
}

// placed returns where a send's value is, in the partition it was sent to.
func (c *checker) placed(s *Send) (int64, bool) {
	for _, p := range c.index.places[s.Value] {
		if p.partition == s.Partition {
			return p.offset, true
		}
	}
	return 0, false
}

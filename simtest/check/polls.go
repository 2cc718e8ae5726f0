package check

// polls: a consumer is given a partition in order, without holes.
//
//   - nonmonotonic-poll: within a session, an offset is not above the one before.
//   - poll-skip: within a session, an offset that is known to hold a record, and that
//     retention had not deleted, lies between two that follow each other. In a dense
//     history, any offset does.
func (c *checker) polls() {
	type key struct {
		consumer  string
		session   int
		partition string
		final     bool
	}
	last := map[key]int64{}
	for _, r := range c.h.Reads {
		k := key{r.Consumer, r.Session, r.Partition, r.Final}
		before, ok := last[k]
		last[k] = r.Offset
		if !ok || before < r.Offset && c.starts.deleted(r.Partition, r.Offset-1, r.At) {
			continue // what lies between may have been deleted
		}
		l := c.index.logs[r.Partition]
		switch {
		case r.Offset <= before:
			c.violation(NonmonotonicPoll, r.Partition, "%s was given %d after %d", r.Consumer, r.Offset, before)
		case l.rank[r.Offset]-l.rank[before] > 1:
			c.violation(PollSkip, r.Partition, "%s was given %d after %d, skipping %d records",
				r.Consumer, r.Offset, before, l.rank[r.Offset]-l.rank[before]-1)
		case c.h.Dense && r.Offset != before+1:
			c.violation(PollSkip, r.Partition, "%s was given %d after %d", r.Consumer, r.Offset, before)
		}
	}
}

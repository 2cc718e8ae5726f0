package check

// polls: a consumer is given a partition in order, without holes.
//
//   - nonmonotonic-poll: within a session, an offset is not above the one before.
//   - poll-skip: within a session, an offset that is known to hold a record lies
//     between two that follow each other. In a dense history, any offset does.
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
		if !ok {
			continue
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

// ends: an end offset is not older than what the asker could know.
//
//   - stale-end-offset: it is at or below the offset of a send that was acknowledged
//     before the question, or below an end offset that was answered before it.
func (c *checker) ends() {
	for i, e := range c.h.Ends {
		for j := range c.h.Sends {
			s := &c.h.Sends[j]
			if s.Partition == e.Partition && s.Outcome == OK && s.Before(e.Span) && e.Offset <= s.Offset {
				c.violation(StaleEnd, e.Partition, "the end was said to be %d after %q was acknowledged at %d", e.Offset, s.Value, s.Offset)
				break
			}
		}
		for _, f := range c.h.Ends[:i] {
			if f.Partition == e.Partition && f.Before(e.Span) && e.Offset < f.Offset {
				c.violation(StaleEnd, e.Partition, "the end was said to be %d after it had been %d", e.Offset, f.Offset)
				break
			}
		}
	}
}

package check

// sends: the records of one process are in a partition in the order in which it sent
// them.
//
//   - nonmonotonic-send: of two operations of a process, ok or unknown, that sent to a
//     partition, the first record of the later one is not above the last of the earlier.
//   - int-nonmonotonic-send: of two sends of one operation to a partition, the later
//     one is not above the earlier.
//   - int-send-skip: other records lie between two that follow each other in one
//     operation. Writes are not isolated, so it is reported only.
//
// A value whose place nobody knows is passed over. A process that assigns or
// subscribes is compared afterwards only in the partitions that it names.
func (c *checker) sends() {
	last := newTrail(c.index)
	for i := range c.index.ops {
		op := int32(i)
		o := &c.index.ops[i]
		if o.Kind.moves() {
			if o.Outcome != Failed {
				last.keep(op, o.Partitions)
			}
			continue
		}
		inside := map[int32]int32{} // the operation's last send to each partition
		for j := c.index.first[op]; j < c.index.first[op+1]; j++ {
			e := &c.index.events[j]
			if e.poll || c.index.offset(e) < 0 {
				continue
			}
			before, ok := inside[e.partition]
			if !ok && o.Outcome != Failed {
				before, ok = last.get(op, e.partition), true
			}
			if ok && before != none {
				c.sendPair(before, j)
			}
			if inside[e.partition] = j; o.Outcome != Failed {
				last.set(op, e.partition, j)
			}
		}
	}
}

// sendPair judges two sends of a process to a partition.
func (c *checker) sendPair(before, after int32) {
	a, b := &c.index.events[before], &c.index.events[after]
	l := &c.index.logs[b.partition]
	from, to := c.index.offset(a), c.index.offset(b)
	inside := a.op == b.op
	switch {
	case to <= from && inside:
		c.violation(IntNonmonotonicSend, l.name, "%s sent %q before %q in one operation, but they are at %d and %d",
			c.client(b.op), c.text(a), c.text(b), from, to)
	case to <= from:
		c.violation(NonmonotonicSend, l.name, "%s sent %q before %q, but they are at %d and %d",
			c.client(b.op), c.text(a), c.text(b), from, to)
	case inside:
		if i, j := l.between(from, to); l.below[j]-l.below[i] > 0 {
			c.report(IntSendSkip, l.name, "between %q and %q, which %s sent in one operation, lies %s",
				c.text(a), c.text(b), c.client(b.op), c.who(l.entries[i].event))
		}
	}
}

// text is an event's value.
func (c *checker) text(e *event) string { return c.index.values[e.value].text }

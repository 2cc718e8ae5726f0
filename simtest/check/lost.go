package check

// lost: what was acknowledged, and neither retention nor compaction may have removed,
// is there.
//
//   - lost-write: of a partition, consumers were given a value whose first place is at
//     or above the last place of a value that must have committed, and no ok poll was
//     given that one.
//   - unseen: a send was acknowledged, and the final reading of its partition has not
//     got it, and nobody was given it before.
//   - vanished: a consumer was given a value, and the final reading has not got it.
//   - torn-transaction: an operation of unknown outcome must have committed, since
//     a consumer was given one of its values, and the final reading has not got another.
//   - gap: in a dense history, the final reading of a partition that is not compacted has a hole.
func (c *checker) lost() {
	drained := make([]bool, len(c.index.logs))
	for _, name := range c.h.Drained {
		drained[c.index.numbers[name]] = true
	}
	bounds := c.bounds()
	compacted := newCompaction(c)
	for i := range c.index.values {
		v := &c.index.values[i]
		if v.sender == none {
			continue
		}
		sent := &c.index.events[v.sender]
		if c.starts.deleted(c.index.logs[sent.partition].name, v.high, forever) || compacted.gone(v, forever) {
			continue
		}
		if drained[sent.partition] && !v.final {
			c.missing(v)
		}
		if b := bounds[sent.partition]; b.event != none && v.high >= 0 && v.high <= b.offset && v.given == none && c.index.committed[sent.op] {
			c.violation(LostWrite, c.index.logs[sent.partition].name, "%s, at offset %d, was given to nobody, although %s", c.who(v.sender), v.high, c.who(b.event))
		}
	}
	for i := range c.index.logs {
		if c.dense(int32(i)) && !compacted.compacted[int32(i)] {
			c.holes(&c.index.logs[i])
		}
	}
}

// missing judges a value that the final reading of its partition has not got.
func (c *checker) missing(v *value) {
	sent := &c.index.events[v.sender]
	where := c.index.logs[sent.partition].name
	switch {
	case v.polled != none:
		c.violation(Vanished, where, "%s, and the final reading has not got it", c.who(v.polled))
	case c.index.ops[sent.op].Outcome == OK:
		c.violation(Unseen, where, "%s, and the final reading has not got it", c.who(v.sender))
	case c.index.committed[sent.op]:
		c.violation(TornTransaction, where, "%s, and the final reading has not got it, but %s", c.who(v.sender), c.who(c.proof(sent.op)))
	}
}

// proof returns the event that shows that an operation committed.
func (c *checker) proof(op int32) int32 {
	for _, e := range c.index.of(op) {
		if given := c.index.values[e.value].given; !e.poll && given != none {
			return given
		}
	}
	return none
}

// bounds returns for each partition the highest of the first places of all values
// that an ok poll was given.
func (c *checker) bounds() []place {
	bounds := make([]place, len(c.index.logs))
	for i := range bounds {
		bounds[i] = place{-1, none}
	}
	for i := range c.index.values {
		v := &c.index.values[i]
		if v.given == none {
			continue
		}
		if b := &bounds[c.index.events[v.given].partition]; v.low > b.offset {
			*b = place{v.low, v.given}
		}
	}
	return bounds
}

// holes looks for offsets that the final reading of a dense log passes over.
func (c *checker) holes(l *log) {
	before := int64(-1)
	for i := range l.entries {
		n := &l.entries[i]
		if n.final == none {
			continue
		}
		if before >= 0 && n.offset != before+1 {
			c.violation(Gap, l.name, "the final reading goes from %d to %d: %s", before, n.offset, c.who(n.final))
		}
		before = n.offset
	}
}

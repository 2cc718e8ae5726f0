package check

// cameBack: what compaction removed stays away.
//
//   - came-back: of a compacted partition, a session was given a record that another one had passed over before it began.
func (c *checker) cameBack() {
	if len(c.h.Compacted) == 0 {
		return
	}
	lives := map[int32]Span{}
	for i := range c.index.ops {
		c.live(lives, int32(i))
	}
	passed := c.passedOver()
	for i := range c.index.events {
		e := &c.index.events[i]
		first, known := passed[spot{e.partition, e.offset}]
		life, timed := lives[c.index.session[e.op]]
		if e.poll && known && timed && c.index.ops[c.index.events[first].op].Return < life.Call {
			c.violation(CameBack, c.index.logs[e.partition].name, "%s, although %s without it before that began", c.who(int32(i)), c.who(first))
		}
	}
}

// spot is an offset of a partition.
type spot struct {
	partition int32
	offset    int64
}

// passedOver returns, of the places in compacted partitions that a session was not given, the event behind it of whoever passed
// over it first.
func (c *checker) passedOver() map[spot]int32 {
	passed := map[spot]int32{}
	compacted := newCompaction(c).compacted
	last := map[int64]int32{} // by session and partition
	for i := range c.index.events {
		e := &c.index.events[i]
		o := &c.index.ops[e.op]
		if !e.poll || e.offset < 0 || o.Uncommitted || !o.timed() || !compacted[e.partition] {
			continue
		}
		k := int64(c.index.session[e.op])<<32 | int64(e.partition)
		before, known := last[k]
		last[k] = int32(i)
		if !known {
			continue
		}
		l := &c.index.logs[e.partition]
		from, to := l.between(c.index.events[before].offset, e.offset)
		for _, n := range l.entries[from:to] {
			p := spot{e.partition, n.offset}
			if first, known := passed[p]; !known || o.Return < c.index.ops[c.index.events[first].op].Return {
				passed[p] = int32(i)
			}
		}
	}
	return passed
}

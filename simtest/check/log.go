package check

// offsets: an offset holds one value, a value has one offset, and every value
// was sent, to that partition, and not refused.
//
//   - inconsistent-offsets: an offset of a partition held two values, by what
//     producers were told and consumers were given.
//   - duplicate: a value is at more than one offset.
//   - G1a: a consumer was given a value whose send had failed.
//   - phantom: a consumer was given a value that nobody sent.
//   - wrong-partition: a value is in another partition than it was sent to.
func (c *checker) offsets() {
	for _, partition := range sortedKeys(c.index.logs) {
		l := c.index.logs[partition]
		for _, offset := range sortedKeys(l.values) {
			if v := l.values[offset]; len(v) > 1 {
				c.violation(InconsistentOffsets, partition, "offset %d held %q", offset, v)
			}
		}
	}
	for _, value := range sortedKeys(c.index.places) {
		places := c.index.places[value]
		if len(places) > 1 {
			c.violation(Duplicate, places[0].partition, "%q is at %v", value, places)
		}
		s := c.index.sent[value]
		if s == nil {
			c.violation(Phantom, places[0].partition, "%q at %d was never sent", value, places[0].offset)
			continue
		}
		if s.Outcome == Failed && c.index.read[value] {
			c.violation(AbortedRead, s.Partition, "%q at %d was read, but its send by %s failed", value, places[0].offset, s.Producer)
		}
		for _, p := range places {
			if p.partition != s.Partition {
				c.violation(WrongPartition, s.Partition, "%q is at %v", value, p)
			}
		}
	}
}

// lost: what was acknowledged, and retention has not deleted, is there.
//
//   - lost-write: a send was acknowledged, consumers were given records at or
//     beyond its offset, and nobody was given it.
//   - unseen: a send was acknowledged and the final reading of its partition has not
//     got it.
//   - gap: in a dense history, the final reading has a hole.
func (c *checker) lost() {
	drained := map[string]bool{}
	for _, p := range c.h.Drained {
		drained[p] = true
	}
	final := map[string]bool{}
	for _, partition := range sortedKeys(c.index.logs) {
		l := c.index.logs[partition]
		offsets := sortedKeys(l.final)
		for i, offset := range offsets {
			final[l.final[offset]] = true
			if c.h.Dense && i > 0 && offset != offsets[i-1]+1 {
				c.violation(Gap, partition, "the final reading goes from %d to %d", offsets[i-1], offset)
			}
		}
	}
	for i := range c.h.Sends {
		s := &c.h.Sends[i]
		if s.Outcome != OK {
			continue
		}
		if c.starts.deleted(s.Partition, s.Offset, forever) {
			continue
		}
		if drained[s.Partition] && !final[s.Value] {
			c.violation(Unseen, s.Partition, "%q, acknowledged to %s at offset %d, is not in the final reading", s.Value, s.Producer, s.Offset)
		}
		if l := c.index.logs[s.Partition]; s.Offset >= 0 && s.Offset <= l.bound && !c.index.read[s.Value] {
			c.violation(LostWrite, s.Partition, "%q, acknowledged to %s at offset %d, was read by nobody although %d was", s.Value, s.Producer, s.Offset, l.bound)
		}
	}
}

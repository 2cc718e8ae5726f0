package check

import (
	"cmp"
	"slices"
)

// fencing: who was replaced does nothing more.
//
//   - zombie-write: a transaction of an older epoch committed, though it began after
//     its transactional id was given a newer epoch, or after one of that had ended; or
//     its record lies behind one of a newer epoch in a partition.
//   - zombie-commit: a member's commit of an older generation was acknowledged, though
//     it began after a newer generation was told to a member, or a commit of one had
//     been acknowledged.
func (c *checker) fencing() {
	c.fenceEpochs()
	c.fenceOffsets()
	c.fenceGenerations()
}

// act is something done under a number that only rises, or a number that was given.
type act struct {
	span   Span
	number int64
	given  bool
	what   func() string
}

// fence finds the acts that began after a higher number was known.
func fence(acts []act, found func(zombie, newer *act)) {
	begun := slices.Clone(acts)
	slices.SortStableFunc(begun, func(a, b act) int { return cmp.Compare(a.span.Call, b.span.Call) })
	slices.SortStableFunc(acts, func(a, b act) int { return cmp.Compare(a.span.Return, b.span.Return) })
	var highest *act
	for i := range begun {
		a := &begun[i]
		for len(acts) > 0 && acts[0].span.Before(a.span) {
			if highest == nil || acts[0].number > highest.number {
				highest = &acts[0]
			}
			acts = acts[1:]
		}
		if !a.given && highest != nil && a.span.timed() && a.number < highest.number {
			found(a, highest)
		}
	}
}

// fenceEpochs judges transactions by time.
func (c *checker) fenceEpochs() {
	acts := map[string][]act{}
	for i := range c.h.Epochs {
		e := &c.h.Epochs[i]
		acts[e.TransactionalID] = append(acts[e.TransactionalID], act{e.Span, e.Epoch, true, func() string { return "a producer was given it" }})
	}
	for i := range c.h.Ops {
		o, op := &c.h.Ops[i], int32(i)
		if o.TransactionalID == "" || !c.index.committed[i] {
			continue
		}
		s := o.Span
		if o.Outcome == Unknown {
			s.Return = forever
		}
		acts[o.TransactionalID] = append(acts[o.TransactionalID], act{s, o.Epoch, false, func() string { return "committed by " + c.client(op) }})
	}
	for _, id := range sortedKeys(acts) {
		fence(acts[id], func(zombie, newer *act) {
			c.violation(ZombieWrite, id, "a transaction of epoch %d was %s, begun after epoch %d was in force: %s", zombie.number, zombie.what(), newer.number, newer.what())
		})
	}
}

// fenceOffsets judges transactions by the order of their records.
func (c *checker) fenceOffsets() {
	for i := range c.index.logs {
		l := &c.index.logs[i]
		newest := map[string]int32{} // of each transactional id, the event of the highest epoch
		for j := range l.entries {
			s := c.index.values[c.index.events[l.entries[j].event].value].sender
			if s == none {
				continue
			}
			o := &c.index.ops[c.index.events[s].op]
			if o.TransactionalID == "" || !l.entries[j].committed {
				continue
			}
			n, ok := newest[o.TransactionalID]
			if ok && o.Epoch < c.index.ops[c.index.events[n].op].Epoch {
				c.violation(ZombieWrite, l.name, "%s lies at %d, behind %s", c.who(s), l.entries[j].offset, c.who(n))
				continue
			}
			newest[o.TransactionalID] = s
		}
	}
}

// fenceGenerations judges commits by time.
func (c *checker) fenceGenerations() {
	acts := map[string][]act{}
	for i := range c.h.Assignments {
		a := &c.h.Assignments[i]
		acts[a.Group] = append(acts[a.Group], act{a.Span, int64(a.Generation), true, func() string { return "told to " + a.Member }})
	}
	for _, s := range c.commitList() {
		if s.Member == "" || s.Outcome != OK {
			continue
		}
		acts[s.Group] = append(acts[s.Group], act{s.Span, int64(s.Generation), false, func() string {
			return "named by " + s.Member + " in a commit of " + s.Partition
		}})
	}
	for _, group := range sortedKeys(acts) {
		fence(acts[group], func(zombie, newer *act) {
			c.violation(ZombieCommit, group, "generation %d, %s, was accepted after generation %d was %s", zombie.number, zombie.what(), newer.number, newer.what())
		})
	}
}

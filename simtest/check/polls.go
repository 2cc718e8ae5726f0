package check

import "slices"

// polls: a process is given a partition in order and without holes.
//
//   - nonmonotonic-poll: the first record that an operation is given of a partition
//     is not above the last that the process's last ok operation was.
//   - poll-skip: a record is known between those two. In a dense history, any offset is, unless its partition is compacted.
//   - int-nonmonotonic-poll, int-poll-skip: the same between two records of one
//     operation; partitions that it lost or got while it ran are exempt.
//
// A process that assigns or subscribes is compared afterwards only in the partitions
// that it names. One that subscribed may be moved at any time: of it, the first two
// are reported only. What retention or compaction may have removed is no skip.
func (c *checker) polls() {
	p := &poller{checker: c, last: newTrail(c.index), subscribed: make([]bool, c.index.sessions), compaction: newCompaction(c)}
	for i := range c.index.ops {
		op := int32(i)
		o := &c.index.ops[i]
		switch {
		case !o.Kind.moves():
			p.poll(op, o)
		case o.Outcome != Failed:
			p.last.keep(op, o.Partitions)
			p.subscribed[c.index.session[op]] = o.Kind == KindSubscribe
		}
	}
}

// poller is what the judge of polls remembers.
type poller struct {
	*checker
	last       *trail
	subscribed []bool // of each session
	compaction *compaction
}

// poll judges one operation.
func (p *poller) poll(op int32, o *Op) {
	x := p.index
	from, to := x.first[op], x.first[op+1]
	if to-from == 1 { // most have one record
		if e := &x.events[from]; e.poll {
			p.step(p.last.get(op, e.partition), from, o)
			if o.Outcome == OK {
				p.last.set(op, e.partition, from)
			}
		}
		return
	}
	inside := map[int32]int32{}
	for i := from; i < to; i++ {
		e := &x.events[i]
		if !e.poll {
			continue
		}
		before, ok := inside[e.partition]
		if !ok {
			before = p.last.get(op, e.partition)
		}
		p.step(before, i, o)
		inside[e.partition] = i
	}
	if o.Outcome != OK {
		return
	}
	for i := from; i < to; i++ {
		if e := &x.events[i]; e.poll {
			p.last.set(op, e.partition, i)
		}
	}
}

// step judges an event after the one before it in its partition, if there is one.
func (p *poller) step(before, after int32, o *Op) {
	if before == none {
		return
	}
	a, b := &p.index.events[before], &p.index.events[after]
	from, to := p.index.offset(a), p.index.offset(b)
	if from < 0 || to < 0 {
		return
	}
	nonmonotonic, skip, reported := NonmonotonicPoll, PollSkip, p.subscribed[p.index.session[b.op]]
	if a.op == b.op {
		nonmonotonic, skip, reported = IntNonmonotonicPoll, IntPollSkip, false
		if slices.Contains(o.Rebalanced, p.index.logs[b.partition].name) {
			return
		}
	}
	l := &p.index.logs[b.partition]
	if to <= from {
		p.note(nonmonotonic, l.name, reported, "%s was given %q at %d after %q at %d", p.client(b.op), p.text(b), to, p.text(a), from)
		return
	}
	if i := p.skipped(l, from, to, o); i >= 0 {
		p.note(skip, l.name, reported, "%s was given %q at %d after %q at %d, and not %s",
			p.client(b.op), p.text(b), to, p.text(a), from, p.who(l.entries[i].event))
	} else if p.dense(b.partition) && !p.compaction.compacted[b.partition] && to != from+1 && !p.starts.deleted(l.name, to-1, o.Return) {
		p.note(skip, l.name, reported, "%s was given %q at %d after %q at %d, and every offset holds a record", p.client(b.op), p.text(b), to, p.text(a), from)
	}
}

// dense says that every offset of a partition holds a record, as far as nothing is compacted.
func (c *checker) dense(partition int32) bool {
	return c.h.Dense && !slices.Contains(c.h.Marked, c.index.logs[partition].name)
}

// skipped returns the index of an entry between two offsets that must be there, -1
// when there is none.
func (p *poller) skipped(l *log, after, before int64, o *Op) int {
	from, to := l.between(after, before)
	if l.below[to] == l.below[from] {
		return -1
	}
	for i := from; i < to; i++ {
		n := &l.entries[i]
		if n.committed && !p.starts.deleted(l.name, n.offset, o.Return) && !p.compaction.gone(&p.index.values[p.index.events[n.event].value], o.by()) {
			return i
		}
	}
	return -1
}

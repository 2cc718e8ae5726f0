package check

// exactlyOnce: a group that reads, sends and commits its offsets in one transaction
// consumes each record once.
//
//   - consumed-twice: two operations of a group that must have committed were given
//     the same record, and committed offsets beyond it.
//   - consumed-never: the group committed an offset beyond a record in a transaction,
//     and no operation of the group that may have committed had been given it.
//   - consume-counts: an ok operation of a process that had subscribed was given a
//     record that one of that process was given before. Reported only, as in Jepsen.
//
// A group whose offsets were reset on purpose (Commit.Rewind) is not judged.
func (c *checker) exactlyOnce() {
	rewound := map[string]bool{}
	for i := range c.h.Commits {
		if c.h.Commits[i].Rewind {
			rewound[c.h.Commits[i].Group] = true
		}
	}
	w := &consumption{checker: c, by: map[consumed]int32{}, may: map[consumed]bool{}, reach: map[consumedLog]reach{}}
	for i := range c.h.Ops {
		if o := &c.h.Ops[i]; o.Group != "" && o.Outcome != Failed && len(o.Offsets) > 0 && !rewound[o.Group] {
			w.op(int32(i), o)
		}
	}
	w.never()
	c.consumeCounts()
}

// consumed is one record and who consumed it.
type consumed struct {
	group string
	value int32
}

// consumedLog is a partition and who consumes it.
type consumedLog struct {
	group     string
	partition int32
}

// reach is how far a group committed a partition, and from where it was given records.
type reach struct {
	first, end int64
	op         int32
}

// consumption is what groups have consumed.
type consumption struct {
	*checker
	by    map[consumed]int32 // the event by which it was consumed for certain
	may   map[consumed]bool  // it may have been
	order []consumedLog
	reach map[consumedLog]reach
}

// op adds one operation of a group.
func (w *consumption) op(op int32, o *Op) {
	for i := w.index.first[op]; i < w.index.first[op+1]; i++ {
		e := &w.index.events[i]
		end := offsetOf(o, w.index.logs[e.partition].name)
		if !e.poll || e.offset < 0 || e.offset >= end {
			continue
		}
		k := consumed{o.Group, e.value}
		w.may[k] = true
		if !w.index.committed[op] {
			continue
		}
		if before, ok := w.by[k]; ok && w.index.events[before].op != op {
			w.violation(ConsumedTwice, o.Group, "%s and %s, and both committed", w.who(before), w.who(i))
		}
		w.by[k] = i
		w.extend(consumedLog{o.Group, e.partition}, e.offset, end, op)
	}
}

// extend notes that a group was given an offset and committed end.
func (w *consumption) extend(k consumedLog, given, end int64, op int32) {
	r, ok := w.reach[k]
	if !ok {
		r = reach{given, end, op}
		w.order = append(w.order, k)
	}
	r.first = min(r.first, given)
	if end > r.end {
		r.end, r.op = end, op
	}
	w.reach[k] = r
}

// offsetOf returns what an operation committed of a partition, or 0.
func offsetOf(o *Op, partition string) int64 {
	for _, p := range o.Offsets {
		if p.Partition == partition {
			return p.Offset
		}
	}
	return 0
}

// never looks for records that a group passed over.
func (w *consumption) never() {
	compacted := newCompaction(w.checker)
	for _, k := range w.order {
		r := w.reach[k]
		l := &w.index.logs[k.partition]
		for i := l.at(r.first); i < l.at(r.end); i++ {
			n := &l.entries[i]
			v := w.index.events[n.event].value
			if !n.committed || w.may[consumed{k.group, v}] || w.starts.deleted(l.name, n.offset, w.index.ops[r.op].Return) || compacted.gone(&w.index.values[v], w.index.ops[r.op].by()) {
				continue
			}
			w.violation(ConsumedNever, k.group, "%s, and the group committed %d of %s by %s without it", w.who(n.event), r.end, l.name, w.client(r.op))
		}
	}
}

// consumeCounts reports records that a subscribed process was given more than once.
func (c *checker) consumeCounts() {
	type given struct{ session, value int32 }
	subscribed := map[int32]bool{}
	counts := map[given]int{}
	for i := range c.h.Ops {
		o, s := &c.h.Ops[i], c.index.session[i]
		if o.Outcome != OK {
			continue
		}
		if o.Kind == KindSubscribe {
			subscribed[s] = true
		}
		if !subscribed[s] {
			continue
		}
		for j := c.index.first[i]; j < c.index.first[i+1]; j++ {
			e := &c.index.events[j]
			if !e.poll {
				continue
			}
			k := given{s, e.value}
			if counts[k]++; counts[k] > 1 {
				c.report(ConsumeCounts, c.index.logs[e.partition].name, "%s for the %d. time", c.who(j), counts[k])
			}
		}
	}
}

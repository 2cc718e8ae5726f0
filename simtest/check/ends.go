package check

import (
	"cmp"
	"fmt"
	"slices"
)

// known is what somebody knew of an end from some moment on: that an offset is taken.
type known struct {
	since  Span
	offset int64
	why    func() string
}

// question is an operation that must find an offset free which was not taken
// before: an end that was asked for, or a record that was appended.
type question struct {
	span    Span
	offset  int64
	anomaly string
	who     func() string
}

// ends: the end of a partition is a register that only rises. Whoever asks is told its
// value of some moment while he waits, and a record is appended at its value of some
// moment while its producer waits. That is linearizability: since every operation names
// the end it saw, one order fits them all unless two are against real time.
//
//   - stale-end-offset: an end is at or below an offset that was known to be taken
//     before it was asked for: by an acknowledged send, a poll, or an end.
//   - append-went-back: a record is at or below such an offset, and was sent after that
//     was known.
//   - torn-transaction: the last stable offset of a partition is the place of a record
//     whose transaction a consumer had seen before in a partition of the same shard.
func (c *checker) ends() {
	n := len(c.index.logs)
	taken, stable := make([][]known, n+1), make([][]known, n+1)
	asked, committed := make([][]question, n+1), make([][]question, n+1)
	c.answers(taken, stable, asked, committed)
	c.records(taken, stable, asked)
	c.together()
	for i := range c.index.logs {
		c.rising(c.index.logs[i].name, taken[i], asked[i])
		c.rising(c.index.logs[i].name, stable[i], committed[i])
	}
}

// answers adds what the answers to questions for ends show, and what they must be.
// A last stable offset is an end that more is known of.
func (c *checker) answers(taken, stable [][]known, asked, committed [][]question) {
	for i := range c.h.Ends {
		e := &c.h.Ends[i]
		p, ok := c.index.numbers[e.Partition]
		if !ok {
			continue
		}
		k := known{e.Span, e.Offset - 1, func() string { return fmt.Sprintf("the end had been said to be %d", e.Offset) }}
		q := question{e.Span, e.Offset, StaleEnd, func() string { return fmt.Sprintf("the end was said to be %d", e.Offset) }}
		taken[p] = append(taken[p], k)
		if !e.Stable {
			asked[p] = append(asked[p], q)
			continue
		}
		stable[p] = append(stable[p], k)
		committed[p] = append(committed[p], q)
	}
}

// records adds what sends and polls show, and where records may be.
func (c *checker) records(taken, stable [][]known, asked [][]question) {
	for i := range c.index.events {
		e := &c.index.events[i]
		o := &c.index.ops[e.op]
		if !o.timed() {
			continue
		}
		event := int32(i)
		k := known{o.Span, e.offset, func() string { return c.who(event) }}
		switch {
		case e.poll && e.offset >= 0:
			taken[e.partition] = append(taken[e.partition], k)
			if !o.Uncommitted {
				stable[e.partition] = append(stable[e.partition], k)
			}
		case !e.poll && c.index.values[e.value].places == 1:
			at := c.index.values[e.value].low
			if c.index.committed[e.op] && e.offset >= 0 {
				taken[e.partition] = append(taken[e.partition], k)
			}
			asked[e.partition] = append(asked[e.partition], question{o.Span, at, AppendWentBack, func() string { return fmt.Sprintf("%s lies at %d", c.who(event), at) }})
		}
	}
}

// together judges last stable offsets by what transactions they are held back for: one
// that becomes visible at once in all partitions of a shard holds none of them back
// after a consumer was given a value of it.
func (c *checker) together() {
	for i := range c.h.Ends {
		e := &c.h.Ends[i]
		p, ok := c.index.numbers[e.Partition]
		shard, known := c.h.Shards[e.Partition]
		if !ok || !known || !e.Stable {
			continue
		}
		l := &c.index.logs[p]
		j := l.at(e.Offset)
		if j == len(l.entries) || l.entries[j].offset != e.Offset {
			continue
		}
		held := c.writer(&l.entries[j])
		if held == none || c.index.ops[held].TransactionalID == "" {
			continue
		}
		if seen := c.seenIn(held, shard); seen != nil && seen.seen < e.Call {
			c.violation(TornTransaction, l.name, "the last stable offset was said to be %d, for %s, after %s of the same transaction",
				e.Offset, c.who(c.index.values[c.index.events[l.entries[j].event].value].sender), c.who(seen.polled))
		}
	}
}

// seenIn returns the value of an operation that a consumer of a shard was first
// given, or nil.
func (c *checker) seenIn(op int32, shard string) *value {
	var first *value
	for _, e := range c.index.of(op) {
		if v := &c.index.values[e.value]; !e.poll && c.h.Shards[c.index.logs[e.partition].name] == shard && v.polled != none && (first == nil || v.seen < first.seen) {
			first = v
		}
	}
	return first
}

// rising walks the questions by when they were asked, and beside them what was known
// by then.
func (c *checker) rising(partition string, told []known, asked []question) {
	slices.SortStableFunc(asked, func(a, b question) int { return cmp.Compare(a.span.Call, b.span.Call) })
	slices.SortStableFunc(told, func(a, b known) int { return cmp.Compare(a.since.Return, b.since.Return) })
	highest := known{offset: -1}
	for i := range asked {
		q := &asked[i]
		for len(told) > 0 && told[0].since.Return < q.span.Call {
			if told[0].offset > highest.offset {
				highest = told[0]
			}
			told = told[1:]
		}
		if q.offset < 0 || q.offset > highest.offset {
			continue
		}
		c.violation(q.anomaly, partition, "%s, after offset %d was known to be taken: %s", q.who(), highest.offset, highest.why())
	}
}

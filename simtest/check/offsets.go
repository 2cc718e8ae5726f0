package check

import (
	"fmt"
	"strings"
)

// sound: the history is one that can be judged.
//
//   - invalid-history: a value was sent twice, so nobody can say which was seen.
func (c *checker) sound() {
	for i := range c.index.events {
		e := &c.index.events[i]
		if s := c.index.values[e.value].sender; !e.poll && s != int32(i) {
			c.violation(InvalidHistory, c.index.logs[e.partition].name, "%s and %s: values must be unique", c.who(s), c.who(int32(i)))
		}
	}
}

// offsets: an offset holds one value, a value has one offset, and every value that
// is seen was sent, to that partition, and not refused or aborted.
//
//   - inconsistent-offsets: an offset of a partition holds two values, by what
//     producers that must have committed were told and consumers were given.
//   - duplicate: a value is at more than one offset.
//   - G1a: a consumer was given a value whose send had failed.
//   - precommitted-read: an operation was given a value that it sent itself.
//   - phantom: a consumer was given a value that nobody sent.
//   - wrong-partition: a value is in another partition than it was sent to.
func (c *checker) offsets() {
	for i := range c.index.logs {
		l := &c.index.logs[i]
		for j := range l.entries {
			if n := &l.entries[j]; len(n.others) > 0 {
				c.violation(InconsistentOffsets, l.name, "offset %d holds %s", n.offset, c.all(n.event, n.others))
			}
		}
	}
	for i := range c.index.values {
		c.valued(int32(i), &c.index.values[i])
	}
	c.given()
}

// valued judges one value.
func (c *checker) valued(i int32, v *value) {
	if v.places > 1 {
		c.duplicate(i, v)
	}
	if v.sender == none {
		c.violation(Phantom, c.index.logs[c.index.events[v.any].partition].name, "nobody sent %s", c.who(v.any))
		return
	}
	sent := &c.index.events[v.sender]
	where := c.index.logs[sent.partition].name
	if c.index.ops[sent.op].Outcome == Failed && v.polled != none {
		c.violation(AbortedRead, where, "%s, but %s", c.who(v.polled), c.who(v.sender))
	}
}

// duplicate tells where all a value is. It is slow, so only for those that are listed.
func (c *checker) duplicate(v int32, of *value) {
	var places []string
	if c.counts[Duplicate] >= violationsMax {
		c.violation(Duplicate, "", "")
		return
	}
	for i := range c.index.logs {
		l := &c.index.logs[i]
		for j := range l.entries {
			n := &l.entries[j]
			for _, e := range append([]int32{n.event}, n.others...) {
				if c.index.events[e].value == v {
					places = append(places, fmt.Sprintf("%d of %s (%s)", n.offset, l.name, c.who(e)))
				}
			}
		}
	}
	e := of.sender
	if e == none {
		e = of.any
	}
	c.violation(Duplicate, c.index.logs[c.index.events[e].partition].name, "%q is at %s", of.text, strings.Join(places, " and "))
}

// given judges what was given against who sent it.
func (c *checker) given() {
	for i := range c.index.events {
		e := &c.index.events[i]
		s := c.index.values[e.value].sender
		if !e.poll || s == none {
			continue
		}
		where := c.index.logs[e.partition].name
		if sent := &c.index.events[s]; sent.partition != e.partition {
			c.violation(WrongPartition, where, "%s, but %s", c.who(int32(i)), c.who(s))
		} else if sent.op == e.op && !c.index.ops[e.op].Uncommitted {
			c.violation(PrecommittedRead, where, "%s, which sent it in the same operation", c.who(int32(i)))
		}
	}
}

// all tells of several events.
func (c *checker) all(first int32, others []int32) string {
	told := []string{c.who(first)}
	for _, e := range others {
		told = append(told, c.who(e))
	}
	return strings.Join(told, " and ")
}

package check

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// Lag is how long a process at least was behind the end of a partition in a poll:
// since the first record that it had not been given by its return was known to be
// there, until the call. Jepsen's realtime-lag; it fails nothing.
type Lag struct {
	Process, Partition string
	At                 time.Duration // the call
	Lag                time.Duration
}

// String is one line.
func (l Lag) String() string {
	return fmt.Sprintf("%s was %v behind %s at %v", l.Process, l.Lag, l.Partition, l.At)
}

// appeared is when an offset of a partition, and so all below, was first known.
type appeared struct {
	offset int64
	at     time.Duration
}

// worstLag returns the worst lag of the history's Ops.
func (c *checker) worstLag() Lag {
	known := c.appearances()
	var worst Lag
	reading := map[int32]map[int32]int64{} // of each session, the highest offset of each partition
	for i := range c.h.Ops {
		o, s := &c.h.Ops[i], c.index.session[i]
		if o.Outcome != OK {
			continue
		}
		if o.Kind.moves() {
			reading[s] = c.reassign(o, reading[s])
			continue
		}
		if !o.Kind.polls() || !o.timed() {
			continue
		}
		if reading[s] == nil {
			reading[s] = map[int32]int64{}
		}
		for _, e := range c.index.of(int32(i)) {
			if before, ok := reading[s][e.partition]; e.offset >= 0 && (!ok || e.offset > before) {
				reading[s][e.partition] = e.offset
			}
		}
		for _, p := range sortedKeys(reading[s]) {
			if l := c.lag(known[p], reading[s][p], o.Call); l > worst.Lag {
				worst = Lag{o.Process, c.index.logs[p].name, o.Call, l}
			}
		}
	}
	return worst
}

// reassign returns where a process reads after it assigned or subscribed. After the
// latter it is not known what it reads before it was given something.
func (c *checker) reassign(o *Op, before map[int32]int64) map[int32]int64 {
	after := map[int32]int64{}
	if o.Kind == KindSubscribe {
		return after
	}
	for _, name := range o.Partitions {
		if p, ok := c.index.numbers[name]; ok {
			after[p] = -1
			if b, ok := before[p]; ok {
				after[p] = b
			}
		}
	}
	return after
}

// appearances returns for each partition when its offsets were first known, both rising.
func (c *checker) appearances() [][]appeared {
	known := make([][]appeared, len(c.index.logs))
	for i := range c.index.events {
		e := &c.index.events[i]
		if o := &c.index.ops[e.op]; e.offset >= 0 && o.Outcome != Failed && o.timed() {
			known[e.partition] = append(known[e.partition], appeared{e.offset, o.Return})
		}
	}
	for i, list := range known {
		slices.SortStableFunc(list, func(a, b appeared) int { return cmp.Compare(a.at, b.at) })
		rising := list[:0]
		for _, a := range list {
			if len(rising) == 0 || a.offset > rising[len(rising)-1].offset {
				rising = append(rising, a)
			}
		}
		known[i] = rising
	}
	return known
}

// lag returns how long before a time an offset above the given one was known.
func (c *checker) lag(known []appeared, offset int64, at time.Duration) time.Duration {
	i := sort.Search(len(known), func(i int) bool { return known[i].offset > offset })
	if i == len(known) {
		return 0
	}
	return max(0, at-known[i].at)
}

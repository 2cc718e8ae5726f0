package check

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

// compaction knows of compacted partitions at which offset each key was last
// written. A record below may be gone, once the later one was sent, and so may one that deletes its key.
type compaction struct {
	c         *checker
	last      map[keyed]int64
	writes    map[keyed][]write // by offset
	compacted map[int32]bool
}

// write is a record of a key.
type write struct {
	offset int64
	// sent is when the first of it and those behind it can have been appended.
	sent time.Duration
}

// keyed is a key of a partition.
type keyed struct {
	partition int32
	key       string
}

func newCompaction(c *checker) *compaction {
	if len(c.h.Compacted) == 0 {
		return &compaction{c: c}
	}
	compacted := map[int32]bool{}
	k := &compaction{c, map[keyed]int64{}, map[keyed][]write{}, compacted}
	for _, name := range c.h.Compacted {
		if n, ok := c.index.numbers[name]; ok {
			compacted[n] = true
		}
	}
	for i := range c.index.values {
		v := &c.index.values[i]
		if v.sender == none || !compacted[c.index.events[v.sender].partition] {
			continue
		}
		at := k.of(v)
		o := &c.index.ops[c.index.events[v.sender].op]
		switch {
		case v.high >= 0:
			k.last[at] = max(k.last[at], v.high)
			k.writes[at] = append(k.writes[at], write{v.high, o.Call})
		case o.Outcome != Failed:
			// It may have been anywhere, and be gone, since another took its place. One that deletes its key may have
			// been behind all that is known, and be gone like what it deleted.
			k.writes[at] = append(k.writes[at], write{math.MaxInt64, o.Call})
			if c.index.mop(v.sender).Tombstone {
				k.last[at] = math.MaxInt64
			}
		}
	}
	for _, ws := range k.writes {
		slices.SortFunc(ws, func(a, b write) int { return cmp.Compare(a.offset, b.offset) })
		for i := len(ws) - 2; i >= 0; i-- {
			ws[i].sent = min(ws[i].sent, ws[i+1].sent)
		}
	}
	return k
}

// of returns a value's key.
func (k *compaction) of(v *value) keyed {
	return keyed{k.c.index.events[v.sender].partition, k.c.index.mop(v.sender).Key}
}

// gone says whether compaction may have removed a value by a time.
func (k *compaction) gone(v *value, by time.Duration) bool {
	if len(k.last) == 0 || v.sender == none {
		return false
	}
	at := k.of(v)
	last, ok := k.last[at]
	if !ok || k.c.index.mop(v.sender).Tombstone || by == forever {
		return ok && (k.c.index.mop(v.sender).Tombstone || last > v.high)
	}
	ws := k.writes[at]
	i := sort.Search(len(ws), func(i int) bool { return ws[i].offset > v.high })
	return i < len(ws) && ws[i].sent <= by
}

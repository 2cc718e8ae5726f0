package check

import "math"

// compaction knows of compacted partitions at which offset each key was last
// written. A record below may be gone, and so may one that deletes its key.
type compaction struct {
	c         *checker
	last      map[keyed]int64
	compacted map[int32]bool
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
	k := &compaction{c, map[keyed]int64{}, compacted}
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
		if v.high < 0 {
			// One that deletes its key may have been there, behind all that is known, and be gone like what it deleted.
			if s := c.index.events[v.sender].op; c.index.mop(v.sender).Tombstone && c.index.ops[s].Outcome == Unknown {
				k.last[at] = math.MaxInt64
			}
			continue
		}
		if last, ok := k.last[at]; !ok || v.high > last {
			k.last[at] = v.high
		}
	}
	return k
}

// of returns a value's key.
func (k *compaction) of(v *value) keyed {
	return keyed{k.c.index.events[v.sender].partition, k.c.index.mop(v.sender).Key}
}

// gone says whether compaction may have removed a value.
func (k *compaction) gone(v *value) bool {
	if len(k.last) == 0 || v.sender == none {
		return false
	}
	last, ok := k.last[k.of(v)]
	return ok && (k.c.index.mop(v.sender).Tombstone || last > v.high)
}

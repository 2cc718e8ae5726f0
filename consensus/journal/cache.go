package journal

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// aligned gives zeroed memory that direct writes accept. Heap objects do not move.
func aligned(n int64) []byte {
	b := make([]byte, n+alignBytes)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (alignBytes - 1))
	return b[skip : int64(skip)+n : int64(skip)+n]
}

// block is memory in which batches are put together one behind the other, just as they go to disk. After the write it
// is the cache: nothing is copied into it.
type block struct {
	mem  []byte
	refs atomic.Int32 // readers
}

// span says that a range of a segment lies in a block.
type span struct {
	segment uint64
	offset  int64
	length  int64
	block   *block
	at      int
}

// cache holds the most recently written blocks, oldest first. The block being filled counts too.
type cache struct {
	mu     sync.Mutex
	max    int64
	bytes  int64
	blocks []*block
	spans  []span // ascending by position, for the log is written so
	free   []*block
	hits   atomic.Uint64
	misses atomic.Uint64
}

// block gives memory for new batches. Old blocks that nobody reads are used again.
func (c *cache) block(need int64) *block {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.bytes+max(need, blockBytes) > c.max && len(c.blocks) > 2 {
		c.evictLocked()
	}
	var b *block
	if need <= blockBytes && len(c.free) > 0 {
		b = c.free[len(c.free)-1]
		c.free = c.free[:len(c.free)-1]
	} else {
		// A small cache needs no large blocks.
		b = &block{mem: aligned(align(max(need, min(blockBytes, c.max/4))))}
	}
	c.blocks = append(c.blocks, b)
	c.bytes += int64(len(b.mem))
	return b
}

func (c *cache) evictLocked() {
	atBlockEvicted.Hit()
	old := c.blocks[0]
	c.blocks = slices.Delete(c.blocks, 0, 1)
	c.bytes -= int64(len(old.mem))
	keep := 0
	for keep < len(c.spans) && c.spans[keep].block == old {
		keep++
	}
	c.spans = slices.Delete(c.spans, 0, keep)
	if old.refs.Load() == 0 && len(old.mem) == blockBytes && len(c.free) < 2 {
		c.free = append(c.free, old)
	}
}

// add makes a written batch readable. Spans of one block follow each other.
func (c *cache) add(s span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, s)
}

// view gives the bytes of a range, if all of it is cached, until release is called.
func (c *cache) view(segment uint64, offset, length int64) (b []byte, release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, found := slices.BinarySearchFunc(c.spans, position{segment, offset}, func(s span, p position) int {
		switch {
		case p.less(position{s.segment, s.offset}):
			return 1
		case p.segment > s.segment || p.offset >= s.offset+s.length:
			return -1
		}
		return 0
	})
	if !found || offset+length > c.spans[at].offset+c.spans[at].length || actCacheMisses.Now() {
		c.misses.Add(1)
		return nil, nil
	}
	c.hits.Add(1)
	s := c.spans[at]
	s.block.refs.Add(1)
	from := s.at + int(offset-s.offset)
	return s.block.mem[from : from+int(length)], func() { s.block.refs.Add(-1) }
}

// indexCache holds footer blocks, the least recently used going first.
type indexCache struct {
	mu           sync.Mutex
	max          int
	clock        uint64
	blocks       map[position]*indexBlock
	hits, misses atomic.Uint64
}

type indexBlock struct {
	rows []row
	used uint64
}

func (c *indexCache) get(p position) []row {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.blocks[p]
	if b == nil || actIndexMisses.Now() {
		c.misses.Add(1)
		return nil
	}
	c.hits.Add(1)
	c.clock++
	b.used = c.clock
	return b.rows
}

func (c *indexCache) put(p position, rows []row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if len(c.blocks) >= c.max {
		c.halveLocked()
	}
	c.blocks[p] = &indexBlock{rows, c.clock}
}

// halveLocked drops the older half at once: a sort now and then instead of a list touched at every read.
func (c *indexCache) halveLocked() {
	atIndexEvicted.Hit()
	used := make([]uint64, 0, len(c.blocks))
	for _, b := range c.blocks {
		used = append(used, b.used)
	}
	slices.Sort(used)
	median := used[len(used)/2]
	for p, b := range c.blocks {
		if b.used <= median {
			delete(c.blocks, p)
		}
	}
}

// drop forgets the blocks of a segment whose footer is written anew.
func (c *indexCache) drop(segment uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.blocks {
		if p.segment == segment {
			delete(c.blocks, p)
		}
	}
}

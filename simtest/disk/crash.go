package disk

import (
	"maps"
	"slices"

	"github.com/tallymq/tallymq/simtest/trace"
)

// PowerLoss makes the disk what a machine finds after its power failed now, and
// ends the incarnation that used it. How much of what was not synced survives, and
// in what pieces, is drawn.
func (d *Disk) PowerLoss() {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &crash{d: d, seen: map[*inode]*inode{}, keep: d.rng.Float64()}
	switch d.rng.IntN(4) {
	case 0:
		c.keep = 0 // exactly what was synced
	case 1:
		c.keep = 1 // everything: as if only the process had died
	}
	c.unit = sectorBytes
	if d.rng.IntN(2) == 0 {
		c.unit = pageBytes
	}
	d.root = c.dir(d.root)
	d.mount++
	clear(d.locked)
	d.used = 0
	d.walkLocked(d.root, "", func(_ string, f *inode) { d.used += int64(len(f.data)) })
	d.log.Event(trace.Fault, d.name, "power lost: kept %d and lost %d pieces of %d bytes, kept %d and lost %d changes of directories",
		c.kept, c.lost, c.unit, c.keptChanges, c.lostChanges)
}

// crash is one loss of power in the making.
type crash struct {
	d           *Disk
	seen        map[*inode]*inode // a file with two names stays one
	keep        float64           // chance of what was not synced
	unit        int64
	kept, lost  int
	keptChanges int
	lostChanges int
}

func (c *crash) dir(old *inode) *inode {
	names := maps.Clone(old.durable)
	prefix := c.d.rng.IntN(2) == 0
	ended := false
	for _, step := range old.changes {
		if survives := c.d.rng.Float64() < c.keep; ended || !survives {
			ended = ended || prefix
			c.lostChanges++
			continue
		}
		c.keptChanges++
		step.apply(names)
	}
	n := newDir()
	for _, name := range sortedNames(names) {
		n.names[name] = c.node(names[name])
	}
	n.durable = maps.Clone(n.names)
	return n
}

func (c *crash) node(old *inode) *inode {
	if n := c.seen[old]; n != nil {
		return n
	}
	var n *inode
	if old.dir {
		n = c.dir(old)
	} else {
		n = c.file(old)
	}
	c.seen[old] = n
	return n
}

func (c *crash) file(old *inode) *inode {
	n := newFile()
	n.modified = old.modified
	size := c.size(old)
	n.data = make([]byte, size)
	copy(n.data, old.data)
	for _, s := range slices.Sorted(maps.Keys(old.dropped)) {
		n.restore(s, old.dropped[s])
		c.lost++
	}
	unit, keep := int64(-1), false
	for _, s := range slices.Sorted(maps.Keys(old.dirty)) {
		if u := s * sectorBytes / c.unit; u != unit {
			unit, keep = u, c.d.rng.Float64() < c.keep
			if keep {
				c.kept++
			} else {
				c.lost++
			}
		}
		if !keep {
			n.restore(s, old.dirty[s])
		}
	}
	n.durableSize = size
	return n
}

// size draws how long the file is found: between what is durable and what was
// written. Where bytes were lost inside it reads as zeros.
func (c *crash) size(old *inode) int64 {
	grown := int64(len(old.data)) - old.durableSize
	if grown <= 0 || c.d.rng.Float64() < c.keep {
		return int64(len(old.data))
	}
	sectors := grown / sectorBytes
	return old.durableSize + c.d.rng.Int64N(sectors+1)*sectorBytes
}

// restore puts a sector back to what was durable.
func (n *inode) restore(s int64, old []byte) {
	lo, hi := s*sectorBytes, min((s+1)*sectorBytes, int64(len(n.data)))
	if lo >= hi {
		return
	}
	clear(n.data[lo:hi])
	copy(n.data[lo:hi], old)
}

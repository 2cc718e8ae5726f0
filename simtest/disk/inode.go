package disk

import (
	"maps"
	"slices"
	"time"
)

// inode is a file or a directory. The disk's lock guards it.
type inode struct {
	dir      bool
	modified time.Time

	// Files. dirty holds, for each sector written since the last sync, what is
	// durable there (nil: nothing, it lies beyond durableSize). dropped is the same for
	// sectors whose sync failed: they read as written but no later sync saves them.
	data        []byte
	durableSize int64
	dirty       map[int64][]byte
	dropped     map[int64][]byte

	// Directories. changes lead from durable to names.
	names   map[string]*inode
	durable map[string]*inode
	changes []change
}

// change is one step of a directory that is not durable yet.
type change struct {
	add    string // this name now means node
	node   *inode
	remove string // this name is gone; both set is a rename
}

func newDir() *inode {
	return &inode{dir: true, modified: time.Now(), names: map[string]*inode{}, durable: map[string]*inode{}}
}

func newFile() *inode { return &inode{modified: time.Now(), dirty: map[int64][]byte{}} }

// change applies a step to the directory.
func (d *inode) change(c change) {
	c.apply(d.names)
	d.changes = append(d.changes, c)
	d.modified = time.Now()
}

func (c change) apply(names map[string]*inode) {
	if c.remove != "" {
		if c.node != nil && names[c.remove] != c.node {
			return // a rename whose source never came to be
		}
		delete(names, c.remove)
	}
	if c.add != "" {
		names[c.add] = c.node
	}
}

// write puts b at off, growing the file.
func (f *inode) write(b []byte, off int64) {
	end := off + int64(len(b))
	if len(b) == 0 {
		return
	}
	first := off / sectorBytes
	if size := int64(len(f.data)); size < off {
		first = size / sectorBytes // the hole is written too
	}
	for s := first; s*sectorBytes < end; s++ {
		f.touch(s)
	}
	if grow := end - int64(len(f.data)); grow > 0 {
		f.data = slices.Grow(f.data, int(grow))
		tail := f.data[len(f.data):end]
		clear(tail)
		f.data = f.data[:end]
	}
	copy(f.data[off:end], b)
	f.modified = time.Now()
}

// touch remembers the durable content of a sector that is about to change.
func (f *inode) touch(s int64) {
	if _, ok := f.dirty[s]; ok {
		return
	}
	if old, ok := f.dropped[s]; ok {
		f.dirty[s] = old
		delete(f.dropped, s)
		return
	}
	lo, hi := s*sectorBytes, min((s+1)*sectorBytes, f.durableSize)
	if lo >= hi {
		f.dirty[s] = nil
		return
	}
	f.dirty[s] = slices.Clone(f.data[lo:hi])
}

// sync makes everything durable but what an earlier failed sync dropped.
func (f *inode) sync() {
	if f.dir {
		f.durable, f.changes = maps.Clone(f.names), nil
		return
	}
	clear(f.dirty)
	f.durableSize = int64(len(f.data))
}

// drop is what a failed sync leaves: the pages count as clean and are not durable.
func (f *inode) drop() {
	if f.dir {
		return
	}
	if f.dropped == nil {
		f.dropped = map[int64][]byte{}
	}
	for s, old := range f.dirty {
		f.dropped[s] = old
	}
	clear(f.dirty)
}

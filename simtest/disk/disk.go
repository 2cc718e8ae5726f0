package disk

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/tallymq/tallymq/simtest/trace"
)

// A Disk outlives the processes that use it. Its methods may be called by any
// goroutine of the world.
type Disk struct {
	mu       sync.Mutex
	name     string
	log      *trace.Log
	rng      *rand.Rand
	root     *inode
	mount    uint64          // the incarnation whose files work
	locked   map[string]bool // locks of that incarnation
	faults   Faults
	hits     map[string]int
	capacity int64
	used     int64 // an upper bound of the bytes that files hold
}

// New returns an empty disk. The name stands in the trace.
func New(name string, log *trace.Log, rng *rand.Rand) *Disk {
	return &Disk{
		name: name, log: log, rng: rng, root: newDir(),
		locked: map[string]bool{}, hits: map[string]int{}, capacity: capacityDefault,
	}
}

// Name returns the disk's name.
func (d *Disk) Name() string { return d.name }

// A Mount is the disk as one incarnation of a process sees it. FS and Dragonboat
// give it the shapes that libraries want.
type Mount struct {
	d  *Disk
	id uint64
}

// Mount begins a new incarnation: locks are free, files of older ones are dead.
func (d *Disk) Mount() *Mount {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mount++
	clear(d.locked)
	return &Mount{d: d, id: d.mount}
}

// Wipe loses everything, as when the drive is replaced by an empty one.
func (d *Disk) Wipe() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root, d.used = newDir(), 0
	d.mount++
	d.log.Event(trace.Fault, d.name, "disk wiped")
}

// Swap exchanges the content of two disks, as when drives are put back wrongly.
func Swap(a, b *Disk) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	a.root, b.root = b.root, a.root
	a.used, b.used = b.used, a.used
	a.mount++
	b.mount++
	a.log.Event(trace.Fault, a.name+"-"+b.name, "disks swapped")
}

// Used returns the bytes that files with a name hold.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	used := int64(0)
	d.walkLocked(d.root, "", func(_ string, f *inode) { used += int64(len(f.data)) })
	return used
}

func split(name string) []string {
	var parts []string
	for _, p := range strings.Split(name, "/") {
		if p != "" && p != "." {
			parts = append(parts, p)
		}
	}
	return parts
}

// aliveLocked fails for a mount of an earlier incarnation.
func (m *Mount) aliveLocked(op, name string) error {
	if m.id != m.d.mount {
		return &fs.PathError{Op: op, Path: name, Err: syscall.EIO}
	}
	return nil
}

// parentLocked finds the directory of a name and its last element.
func (m *Mount) parentLocked(op, name string) (dir *inode, last string, err error) {
	if err := m.aliveLocked(op, name); err != nil {
		return nil, "", err
	}
	parts := split(name)
	if len(parts) == 0 {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: os.ErrInvalid}
	}
	dir = m.d.root
	for _, p := range parts[:len(parts)-1] {
		next := dir.names[p]
		if next == nil {
			return nil, "", &fs.PathError{Op: op, Path: name, Err: os.ErrNotExist}
		}
		if !next.dir {
			return nil, "", &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		dir = next
	}
	return dir, parts[len(parts)-1], nil
}

// findLocked finds the inode of a name.
func (m *Mount) findLocked(op, name string) (*inode, error) {
	if err := m.aliveLocked(op, name); err != nil {
		return nil, err
	}
	if len(split(name)) == 0 {
		return m.d.root, nil
	}
	dir, last, err := m.parentLocked(op, name)
	if err != nil {
		return nil, err
	}
	if n := dir.names[last]; n != nil {
		return n, nil
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: os.ErrNotExist}
}

package disk

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tallymq/tallymq/simtest/trace"
)

// Faults says what goes wrong while it is set. Shares are chances per operation.
type Faults struct {
	Only string // faults hit only paths that contain it

	ReadError  float64 // EIO
	WriteError float64 // EIO, nothing written
	SyncError  float64 // EIO, and what was to be synced is dropped
	FlipOnRead float64 // one bit of what is read, once
	MisWrite   float64 // the bytes land elsewhere in a file, the target keeps what it had
	MisRead    float64 // the bytes come from elsewhere in the file

	WriteDelay time.Duration // mean, exponential
	SyncDelay  time.Duration // mean, exponential
	SyncStuck  bool          // syncs wait until this is false again
	SyncLies   bool          // syncs say yes and do nothing
	Full       bool          // writes that need room get ENOSPC
}

// String names what is on.
func (f Faults) String() string {
	var on []string
	share := func(name string, v float64) {
		if v > 0 {
			on = append(on, fmt.Sprintf("%s %.4f", name, v))
		}
	}
	share("read error", f.ReadError)
	share("write error", f.WriteError)
	share("sync error", f.SyncError)
	share("flip on read", f.FlipOnRead)
	share("misdirected write", f.MisWrite)
	share("misdirected read", f.MisRead)
	if f.WriteDelay > 0 {
		on = append(on, "write delay "+f.WriteDelay.String())
	}
	if f.SyncDelay > 0 {
		on = append(on, "sync delay "+f.SyncDelay.String())
	}
	for _, b := range []struct {
		on   bool
		name string
	}{{f.SyncStuck, "sync stuck"}, {f.SyncLies, "sync lies"}, {f.Full, "full"}} {
		if b.on {
			on = append(on, b.name)
		}
	}
	if len(on) == 0 {
		return "none"
	}
	if f.Only != "" {
		on = append(on, "only on *"+f.Only+"*")
	}
	return strings.Join(on, ", ")
}

// SetFaults replaces the faults that are on.
func (d *Disk) SetFaults(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
	d.log.Event(trace.Fault, d.name, "disk %v", f)
}

// Faults returns the faults that are on.
func (d *Disk) Faults() Faults { d.mu.Lock(); defer d.mu.Unlock(); return d.faults }

// Hits returns how often each kind of fault came to pass.
func (d *Disk) Hits() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	hits := make(map[string]int, len(d.hits))
	for k, v := range d.hits {
		hits[k] = v
	}
	return hits
}

// drawLocked decides whether a fault of this chance hits the path now.
func (d *Disk) drawLocked(kind string, chance float64, path string) bool {
	if chance <= 0 || !strings.Contains(path, d.faults.Only) || d.rng.Float64() >= chance {
		return false
	}
	d.hitLocked(kind, path)
	return true
}

func (d *Disk) hitLocked(kind, path string) {
	d.hits[kind]++
	d.log.Event(trace.Fault, d.name, "disk %s: %s", kind, path)
}

func (d *Disk) delayLocked(mean time.Duration, path string) time.Duration {
	if mean <= 0 || !strings.Contains(path, d.faults.Only) {
		return 0
	}
	return time.Duration(d.rng.ExpFloat64() * float64(mean))
}

// Rot flips one bit of durable content in up to n places, of files whose path
// contains only. It returns the paths it hit.
func (d *Disk) Rot(n int, only string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var files []string
	byPath := map[string]*inode{}
	d.walkLocked(d.root, "", func(path string, f *inode) {
		if !f.dir && f.durableSize > 0 && strings.Contains(path, only) {
			files = append(files, path)
			byPath[path] = f
		}
	})
	var hit []string
	for range n {
		if len(files) == 0 {
			break
		}
		path := files[d.rng.IntN(len(files))]
		f := byPath[path]
		at := d.rng.Int64N(f.durableSize)
		if _, dirty := f.dirty[at/sectorBytes]; dirty {
			continue
		}
		bit := byte(1) << d.rng.IntN(8)
		f.data[at] ^= bit
		d.hits["bit rot"]++
		d.log.Event(trace.Fault, d.name, "disk bit rot: %s byte %d bit %#02x", path, at, bit)
		hit = append(hit, path)
	}
	return hit
}

// SetCapacity bounds how many bytes the files may hold together.
func (d *Disk) SetCapacity(bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = bytes
	d.log.Event(trace.Fault, d.name, "disk capacity %d bytes", bytes)
}

// roomLocked says whether a file may grow.
func (d *Disk) roomLocked(grow int64, path string) error {
	if grow <= 0 {
		return nil
	}
	if d.faults.Full && strings.Contains(path, d.faults.Only) {
		d.hitLocked("full", path)
		return syscall.ENOSPC
	}
	if d.used+grow <= d.capacity {
		return nil
	}
	d.used = 0
	d.walkLocked(d.root, "", func(_ string, f *inode) { d.used += int64(len(f.data)) })
	if d.used+grow > d.capacity {
		d.hitLocked("full", path)
		return syscall.ENOSPC
	}
	return nil
}

// elsewhereLocked draws another place of the same file for bytes that get lost.
func (d *Disk) elsewhereLocked(f *inode, off int64, n int) (int64, bool) {
	sectors := (int64(len(f.data)) - int64(n)) / sectorBytes
	if sectors < 1 {
		return 0, false
	}
	at := d.rng.Int64N(sectors+1) * sectorBytes
	return at, at != off/sectorBytes*sectorBytes
}

func sortedNames(m map[string]*inode) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// walkLocked visits every inode that has a name, in order.
func (d *Disk) walkLocked(dir *inode, path string, visit func(path string, f *inode)) {
	for _, name := range sortedNames(dir.names) {
		child := dir.names[name]
		visit(path+"/"+name, child)
		if child.dir {
			d.walkLocked(child, path+"/"+name, visit)
		}
	}
}

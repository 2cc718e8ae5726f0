package hook

import (
	"runtime"
	"sync"
	"unsafe"
)

// knock is the rate the patched runtime answers with its table.
const knock = 0x7a11e

// tableVersion changes with the table below.
const tableVersion = 3

// table mirrors simTable of sim.go.txt field by field.
type table struct {
	version  uint64
	begin    func(seed uint64)
	end      func()
	node     func() uint32
	setNode  func(node uint32) uint32
	setState func(node uint32, state uint8) int
	setSkew  func(node uint32, ns int64)
	steps    func() (uint64, uint64)
	onPanic  func(f func(node uint32, v any))
	share    func(mutex unsafe.Pointer)
}

// A State says what a node's goroutines may do.
type State uint8

// The states of a node. Killed is final for that number.
const (
	Running State = iota
	Paused
	Killed
)

// NodesMax is how many node numbers one world may use, incarnations counted.
const NodesMax = 1 << 14

var door = open()

func open() *table {
	v := uintptr(runtime.SetMutexProfileFraction(-knock))
	if v < 1<<16 {
		return nil // a profiling rate, no address
	}
	t := *(**table)(unsafe.Pointer(&v))
	if t.version != tableVersion {
		return nil
	}
	return t
}

// Active says whether the binary was built with the overlay.
func Active() bool { return door != nil }

// Begin starts a world: seeds the runtime's streams and forgets all nodes.
func Begin(seed uint64) { door.begin(seed) }

// End gives the runtime back its own dice and its monitor thread.
func End() { door.end() }

// Node returns the node number of the calling goroutine.
func Node() uint32 {
	if door == nil {
		return 0
	}
	return door.node()
}

// As runs f as a goroutine of the given node: what f starts belongs to it. When
// the node is killed in the middle f never returns.
func As(node uint32, f func()) {
	if door == nil {
		f()
		return
	}
	old := door.setNode(node)
	defer door.setNode(old)
	f()
}

// SetState pauses, resumes or kills a node; it returns how many goroutines were
// concerned at once.
func SetState(node uint32, s State) int {
	if door == nil {
		return 0
	}
	return door.setState(node, uint8(s))
}

// SetSkew sets by how many nanoseconds a node's wall clock is ahead.
func SetSkew(node uint32, ns int64) {
	if door != nil {
		door.setSkew(node, ns)
	}
}

// Steps returns how many turns goroutines of the world have taken and a hash of
// which ones and in which order.
func Steps() (steps, hash uint64) {
	if door == nil {
		return 0, 0
	}
	return door.steps()
}

// OnPanic sets what happens when a goroutine of a node panics and nobody recovers:
// f is called by that goroutine, as part of the node, and must not return.
func OnPanic(f func(node uint32, v any)) { door.onPanic(f) }

// Share names a mutex that a library has once for all nodes of the process: in a world each incarnation of a node gets
// one of its own. A node that is killed while it holds such a lock, or waits for it, then stops no other.
func Share(mutex *sync.Mutex) {
	if door != nil {
		door.share(unsafe.Pointer(mutex))
	}
}

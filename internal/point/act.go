package point

import (
	"slices"
	"sync/atomic"
	"time"
)

// An Act is a place where the simulator may choose another behaviour that the
// contract allows. It is a point too: each time it acts is a hit. The zero value is
// of no use; see NewAct.
type Act struct{ point Point }

// A Director decides in a simulated world which places act, and how.
type Director interface {
	// Acts says whether the place acts now.
	Acts(name string) bool
	// Draw gives a number in [0, n), n > 0, out of the place's own stream of chance.
	Draw(name string, n int64) int64
}

// director is nil in production.
var director atomic.Pointer[Director]

// NewAct declares a place that may act. It panics as New does.
func NewAct(name string) Act {
	a := Act{New(name)}
	declared.Lock()
	defer declared.Unlock()
	declared.acts = append(declared.acts, name)
	return a
}

// DeclaredActs returns the names of all places of the packages in this binary that may act, sorted.
func DeclaredActs() []string {
	declared.Lock()
	defer declared.Unlock()
	return slices.Sorted(slices.Values(declared.acts))
}

// Direct lets d decide until the function it returns is called. There is one director
// at a time; it is called by the goroutine that may act, which may hold locks.
func Direct(d Director) (stop func()) {
	if !director.CompareAndSwap(nil, &d) {
		panic("BUG: acts are directed already")
	}
	return func() { director.CompareAndSwap(&d, nil) }
}

// Now says whether to act. It is false in production.
func (a Act) Now() bool {
	d := director.Load()
	return d != nil && a.acts(*d)
}

// Most gives how many of up to n to take at once: n in production, else now and then
// fewer, at least one.
func (a Act) Most(n int) int {
	if d := director.Load(); d != nil && n > 1 && a.acts(*d) {
		return 1 + int((*d).Draw(a.point.name, int64(n-1)))
	}
	return n
}

// Pause sleeps for less than most, now and then; never in production. Nobody may be
// kept waiting by it longer than they bear.
func (a Act) Pause(most time.Duration) {
	if d := director.Load(); d != nil && a.acts(*d) {
		time.Sleep(time.Duration((*d).Draw(a.point.name, int64(most))))
	}
}

func (a Act) acts(d Director) bool {
	if !d.Acts(a.point.name) {
		return false
	}
	a.point.Hit()
	return true
}

// String returns the name.
func (a Act) String() string { return a.point.name }

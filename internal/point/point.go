package point

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Point is one rare place. The zero value is of no use; see New.
type Point struct{ name string }

// recorder is nil in production.
var recorder atomic.Pointer[func(name string)]

var declared struct {
	sync.Mutex
	names []string
	acts  []string // those that may act
}

// New declares a point. It panics when the name is not "package/what" or is
// declared twice: two places with one name cannot be told apart.
func New(name string) Point {
	if pkg, what, ok := strings.Cut(name, "/"); !ok || pkg == "" || what == "" {
		panic(fmt.Sprintf("BUG: point %q: want package/what", name))
	}
	declared.Lock()
	defer declared.Unlock()
	if slices.Contains(declared.names, name) {
		panic(fmt.Sprintf("BUG: point %q is declared twice", name))
	}
	declared.names = append(declared.names, name)
	return Point{name}
}

// Hit says that the place is reached now.
func (p Point) Hit() {
	if f := recorder.Load(); f != nil {
		(*f)(p.name)
	}
}

// String returns the name.
func (p Point) String() string { return p.name }

// Declared returns the names of all points of the packages in this binary, sorted.
func Declared() []string {
	declared.Lock()
	defer declared.Unlock()
	return slices.Sorted(slices.Values(declared.names))
}

// Record lets f see every Hit until the function it returns is called. There is
// one recorder at a time; it is called by the goroutine that hits.
func Record(f func(name string)) (stop func()) {
	if !recorder.CompareAndSwap(nil, &f) {
		panic("BUG: points are recorded already")
	}
	return func() { recorder.CompareAndSwap(&f, nil) }
}

// Package hook is the way from the simulator to the patched runtime.
//
// It promises: (1) Active is false, and every call harmless, in a binary that was
// built without the overlay; (2) no linkname, no build tag: such a binary links.
// It asks of the caller: (a) one world at a time; (b) SetState never names the
// calling goroutine's own node.
//
// The door is runtime.SetMutexProfileFraction: a negative rate only reads, so an
// unpatched runtime answers with a rate; the patched one answers one certain
// negative rate with the address of its table of functions.
//
// Read ../../overlay/sim.go.txt for the other side.
package hook

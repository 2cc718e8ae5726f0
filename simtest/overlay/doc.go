// Package overlay writes the build overlay that makes a Go test binary a
// function of one seed: the order in which goroutines run, select choices,
// timers of one instant, semaphore hand-off, map order (also of keys that are
// addresses) and math/rand.
//
// It promises: (1) every patch is found by its text exactly the number of times
// it names, else Write fails and says which patch, in which file; (2) a toolchain
// it was not proven on is refused by version; (3) the same toolchain gives the
// same folder, named by its content, and a second call writes nothing; (4) a
// binary built with the overlay behaves as usual until a world begins, but on one
// processor: blocking system calls, preemption and the scheduler's dice are untouched.
//
// It asks of the caller: (a) the root of the toolchain that will build the binary;
// (b) a folder it may keep files in.
//
// It changes nothing in the toolchain's own tree: cmd/go reads the replaced files
// from the folder (go help build, -overlay).
//
//	goroot/src/runtime/proc.go ──patches──▶ DIR/<hash>/runtime_proc.go
//	                  sim.go.txt ─────────▶ DIR/<hash>/runtime_sim_world.go   (new files of package runtime
//	                  address.go.txt ─────▶ DIR/<hash>/runtime_sim_address.go
//	                  maps.go.txt ────────▶ DIR/<hash>/internal_runtime_maps_sim.go   and of its maps)
//	                                        DIR/<hash>/overlay.json     → go test -overlay=...
//
// Read patches.go first: each patch says why it is there. Then sim.go.txt.
package overlay

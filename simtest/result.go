package simtest

import (
	"fmt"
	"maps"
	"time"

	"github.com/tallymq/tallymq/simtest/point"
	"github.com/tallymq/tallymq/simtest/result"
)

// A Result is what one world came to, see package result.
type Result = result.Result

// violationsMax bounds how many violations a world keeps: one broken promise may
// show in every record.
const violationsMax = 1000

// Count adds to how often clients did something: "sends", "acknowledged", "reads",
// "commits". The totals stand in the world's result.
func (w *World) Count(name string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.operations[name] += n
}

// countFault adds a fault that happened to the result.
func (w *World) countFault(verb Verb) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[string(verb)]++
}

// result describes the world after its end.
func (w *World) result(reached *point.Coverage, real time.Duration) *Result {
	r := &Result{
		World: w.name, Seed: w.Seed, Hash: fmt.Sprintf("%016x", w.Trace.Hash()), Events: w.Trace.Count(),
		SimulatedNS: int64(w.lasted), RealNS: int64(real), Failed: w.T.Failed(), Points: reached,
		Faults: maps.Clone(w.faults), Operations: maps.Clone(w.operations), Violations: w.violations,
		Plan: w.planText(),
	}
	for kind, n := range w.Net.Hits() {
		r.Faults["net "+kind] += n
	}
	for _, p := range w.order {
		for kind, n := range p.Disk.Hits() {
			r.Faults["disk "+kind] += n
		}
	}
	return r
}

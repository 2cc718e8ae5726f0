// Package point marks rare places in production code: the roll of a segment, the
// second of two ways to recover, the retry that finds its work done; and those where
// the simulator may have the code do what its contract allows at any time.
//
// It promises: (1) Hit, and every method of an Act, costs one atomic load and allocates
// nothing while nobody records or directs; (2) a recorder sees every Hit of every
// goroutine, in the order in which they happen; (3) Declared lists every point that was
// declared, hit or not, acts included; (4) without a director no Act ever acts.
//
// It asks of the caller: (a) declare a point once, as a package-level variable, with
// a name of the form "package/what"; (b) call Hit where it happens, not where it is
// decided; (c) let an Act only do what may happen anyway: wait, take less at once, try
// again, give up what may be lost. It may never change a result. So the pure packages
// have points and no acts (internal/lint): replicas would draw differently.
//
// It has no effect in production. The simulator counts how many seeds reach each
// point; a point that none reaches is a finding: either the place is dead or the
// faults are too tame.
//
//	var rolled = point.New("journal/roll")
//	var rollsEarly = point.NewAct("journal/roll-early")
//	...
//	if full || rollsEarly.Now() {
//		rolled.Hit()
//
// Read point.go, then act.go.
package point

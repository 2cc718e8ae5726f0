// Package point marks rare places in production code: the roll of a segment, the
// second of two ways to recover, the retry that finds its work done.
//
// It promises: (1) Hit costs one atomic load and allocates nothing while nobody
// records; (2) a recorder sees every Hit of every goroutine, in the order in which
// they happen; (3) Declared lists every point that was declared, hit or not.
//
// It asks of the caller: (a) declare a point once, as a package-level variable, with
// a name of the form "package/what"; (b) call Hit where it happens, not where it is
// decided.
//
// It has no effect in production. The simulator counts how many seeds reach each
// point; a point that none reaches is a finding: either the place is dead or the
// faults are too tame.
//
//	var rolled = point.New("journal/roll")
//	...
//	rolled.Hit()
//
// Read point.go.
package point

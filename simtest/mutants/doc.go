// Package mutants plants bugs in the production code, to show that the simulator's
// worlds and checkers find what they claim to find. A checker that never caught a
// planted bug is not trusted.
//
// Each mutant is a file in testdata: a header that says what is broken, which promise
// that violates, which anomalies are expected and which world finds them, and a unified
// diff of production code as a real programmer might have got it wrong.
//
// It promises: (1) the working tree is never written: patched copies go into the build
// overlay of the world's test binary, beside the simulator's own; (2) a patch that no
// longer fits, fits in two places, or does not type-check is an error, never a mutant
// that survives; (3) a seed counts as a kill only if the same seed passes on unmutated
// code, and every seed tried before it does too, so a kill is not noise.
//
// It asks of the caller: (a) to run inside the source tree, with a Go toolchain that
// the simulator's overlay is proven on; (b) worlds that keep simtest's contract: one
// seed per process, from the environment.
//
// Two mistakes were planted once and have made room for others, since no client could see
// them. A log that keeps what lay behind an overwritten entry misleads nobody in three
// nodes: Raft compares terms, and the sender of a suffix that was lost has lost it too
// (overwritten_entry_stays is in its place). A vote that is stored only with a new term is
// missed only by two candidates of one term neither of whom was the first to tell of it
// (vote_not_stored is).
//
// It does not draw mutations by itself, and says nothing of code that no mutant touches.
//
//	testdata/NAME.patch ─ Parse ─→ Mutant ─ Overlay ─→ patched copies ─ go test -c ─→ world's binary
//	                                     seeds 1, 2, 3 … of it until a violation ─ the same seeds, unmutated ─→ Report
//
// Read mutant.go and patch.go, then hunt.go; `make sim-mutants` runs them all.
package mutants

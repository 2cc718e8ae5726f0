// Package runner runs many simulated worlds, each in a process of its own: it builds
// their test binaries with the overlay, gives every process its seed or plan, reads
// what it came to, adds it up, and makes a failing one small.
//
// It promises: (1) a world that ends without a result, takes too long or needs too
// much memory is a failure, never a pass; (2) of the worlds that it runs twice, one
// whose two hashes differ is a failure, with the first event that differs; (3) every
// failure comes with the one command that repeats it; (4) when the context ends its
// processes end too, and what was seen until then is still reported.
//
// It asks of the caller: (a) tests that follow the contract of simtest.Run: the seed
// from TALLYMQ_SIM_SEED, one world per test.
//
// It does not depend on a test framework, and knows nothing of what a world is about.
//
//	Build ──▶ Binary ──▶ Campaign (seeds, processes in parallel) ──▶ Outcome ──▶ Totals, JUnit
//	                  └▶ Shrinker (plans of one seed)                      └──▶ Report
//
// Read binary.go, process.go, campaign.go, then report.go and shrink.go.
package runner

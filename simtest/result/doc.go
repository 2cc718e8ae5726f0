// Package result is what the process of one simulated world says of it when it
// ends: a small JSON document that a person, a runner of many worlds or a shrinker
// reads.
//
// It promises: (1) Read gives back what Write wrote; (2) it depends on no test
// framework, so that programs which run worlds can use it.
//
// It asks of the caller: (a) one world per file.
//
// It does not judge: a process that writes no result has died, which is its
// reader's business.
//
// Read result.go.
package result

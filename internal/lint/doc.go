// Package lint holds the rules of the code base that a compiler does not know: which package may import which, who owns
// a dependency, what a pure package may not touch, that packages are documented, and who may open files and sockets.
//
// It promises: (1) Check is a function of the sources alone: it parses and type-checks in-process and runs no command, so
// a cached test result is never stale; (2) a package, an arrow or a dependency that is not in the tables is a finding;
// (3) each finding names file, line, rule and what to do instead; (4) each rule has a planted violation in the tests that
// it catches. It asks the caller: (a) give all files of the module, or those of the packages to be judged.
//
// It does not replace go vet and staticcheck, and it does not prove purity: it refuses the known ways out of it.
//
//	sources ─► parse ─► layers   (layers.go)   imports of ours point down
//	                    owners   (owners.go)   a dependency has one owner
//	                    purity   (purity.go)   no clock, chance, goroutine or map order in state machines
//	                    docs     (docs.go)     doc.go, attached; nothing runs at init
//	                    effects  (effects.go)  files and sockets are opened in ops, and handed down
//	                    size     (size.go)     a file has at most 600 lines
//
// To run it: go test ./internal/lint. A line that is right although a rule refuses it carries, on it or above it,
// //lint:sorted REASON (a range whose order does not matter) or //lint:init REASON (an init function without effects).
//
// Read layers.go first: it is the architecture.
package lint

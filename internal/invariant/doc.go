// Package invariant stops the process when a belief of the code about itself is wrong.
//
// It promises: (1) a violated Check panics with a *Violation and nothing else; (2) the text begins with "BUG: " and
// carries the numbers that broke; (3) a Check that holds does not format and, for up to a few arguments that are
// already interfaces or constants, does not allocate. It asks the caller: (a) check beliefs, never input: bytes from a
// peer, a client or a disk are refused or reported as corrupt, they are not a bug; (b) never recover a *Violation and
// go on: only the simulator and a process's last word may look at one.
//
// It does not log, count or decide what happens next.
package invariant

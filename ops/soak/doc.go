// Command soak shows that a node's memory stays bounded where it is easy to lose: with
// ten thousand partitions, with ten thousand idle connections, and with a backlog ten
// times the memory limit that slow and fast consumers read while producing goes on.
//
//	go run ./ops/soak -bin bin/tallymq                    everything, about six minutes
//	go run ./ops/soak -bin bin/tallymq -work connections  partitions1 partitions3 backlog1 backlog3 work likewise
//
// Nodes are real processes. Figures are the kernel's (resident set), the Go runtime's
// (heap after a collection, stacks, goroutines) and differences between two states, per
// partition or connection. Each figure that has a bound is printed beside it; the bounds
// are in bounds.go, with their reasons. It exits with 1 when one is exceeded.
//
// Times are printed and never judged.
package main

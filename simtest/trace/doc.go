// Package trace is the record of one simulated world: every frame on the
// network, every write and sync of a disk, every result a client saw, every fault,
// in the order in which they happened, with a hash over all of it.
//
// It promises: (1) two logs with the same events in the same order have the same
// hash, and two with one difference have different ones (64 bits, no adversary);
// (2) memory is bounded: the last events are kept, all of them only on request;
// (3) Diff of two written traces finds the first event that differs and shows what
// came before it in both.
//
// It asks of the caller: (a) one goroutine at a time, which holds by itself where
// only one goroutine runs; elsewhere the lock inside serves; (b) no pointer, no real
// time and nothing else in an event that differs between equal runs.
//
// An event is one line:
//
//	1042  3.017204s  net  n1>n3  raft 312 bytes 9f86d081884c7d65  schedule 88123:5f3c...
//	│     │          │    │      └ what happened, with a hash of the bytes concerned
//	│     │          │    └ where (node, link, client)
//	│     │          └ kind: net, disk, client, fault, world
//	│     └ simulated time since the world began
//	└ number of the event
package trace

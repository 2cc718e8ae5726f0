// Package disk is the disk of one simulated machine: a file system in memory that
// knows what is durable, and that can lose, tear, rot, refuse, stall and lie.
//
// It promises: (1) without a fault it behaves as pebble's and dragonboat's file
// systems do on Linux; (2) after a loss of power what was synced is there, and of what was
// not any subset at the granularity of a sector, of directory changes any prefix or
// any subset, a rename within one directory whole or not at all; (3) a death of the
// process alone loses nothing that was written; (4) every write, sync and fault is in
// the trace; (5) faults are drawn from the stream of random numbers handed in.
//
// It asks of the caller: (a) to run inside a bubble; (b) to take a new Mount for
// every incarnation of the process: files of an older one fail with EIO.
//
// It does not order durability between files, as most file systems do not, and does
// not remember versions of a sector between two syncs but the last.
//
//	write ─▶ data (what reads see) ── Sync ──▶ durable
//	             │ power loss: each dirty sector is the old one or the new one
//	             │ failed sync: dirty sectors are dropped, and no later sync saves them
//
// Read inode.go for what is durable, faults.go for what can go wrong, crash.go for
// the loss of power.
package disk

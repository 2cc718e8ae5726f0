// Command recovery measures how a node that was away comes back to a large shard while
// producers go on: three real nodes on the real disk, one data shard of -size bytes,
// records at a steady -rate all along.
//
//	go run ./ops/recovery -bin bin/tallymq                          4 GiB: about ten minutes, 25 GiB of disk
//	go run ./ops/recovery -bin bin/tallymq -size 256MiB -away 10s   a small one: two minutes
//
// Three recoveries, one after the other, each of a node that leads nothing:
//
//  1. by log: killed with SIGKILL, away for -away; the others keep more log than that;
//  2. by snapshot: the same, and the others keep an eighth of it: the node gets the rows
//     whole and pulls the payloads that it lacks;
//  3. a lost disk: its data-dir is removed; the node is rebuilt under new replica ids, pulls
//     everything, and is killed with SIGKILL half-way.
//
// It judges bytes, never times: what the node writes to its journal follows the gap (1, 2), a
// rebuild that was killed goes on where it was (3), no acknowledged record is missing or
// doubled at the end. The producers' rate and latency before, while the node is away,
// and while it recovers are printed beside each other. It exits with 1 when a bound is
// exceeded, and leaves data and logs in the folder it names then.
package main

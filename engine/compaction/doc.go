// Package compaction decides, for the leader of a partition, which records of a compacted log survive.
//
// It promises: (1) of every key below the end of a pass the newest record survives, and of those behind the end all;
// what has no key survives; (2) a record keeps its offset and its bytes; (3) a tombstone survives until the time that was
// fixed when everything it deletes was gone; (4) a record of an aborted transaction supersedes nothing and goes; the marker behind it
// stays, so that readers who are told of it still find its end; (5) nothing at or above the last stable offset, not the last batch below it, and
// nothing younger than the lag is changed; (6) a pass may end after any of its commands, or lose one: what was applied
// until then is right by itself; (7) memory is bounded by Limits and one batch. It asks the caller: (a) rows at least as
// new as the head; (b) propose the commands in order, each after the one before was applied, and give the pass up when
// one is refused; (c) times that do not jump: replicated time for tombstones, a sane wall clock for lags.
//
// It does not propose, wait or read files: rows and payloads are handed in.
//
//	        log start      cleaned                         bound      end
//	            │  one record  │  dirty: any number of a key │ untouched │
//	Begin       │  of a key    ├──► newest offset of each key (until the map is full)
//	Next, Next… ├──► what is older, and tombstones whose time has come, goes: rewritten batches, holes
//
// Read docs/COMPACTION.md, then pass.go.
package compaction

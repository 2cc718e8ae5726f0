// Package narrow has worlds that each press on one promise: some simulated seconds of
// whole nodes, real clients, and just the faults that a breach of the promise needs.
//
// It promises: (1) each test is a world by simtest's contract, one seed from the
// environment; (2) what is drawn from the seed is when and whom the faults hit, and
// which acting points act, so another seed is another try at the same promise; (3) no
// world knows how the product works: each judges what clients were told, and what every
// operator may see (digests of replicas, who leads in which term).
//
// It asks of the caller: (a) an overlay build, see package simtest.
//
// It does not replace the wide worlds of simtest/cluster: those find what nobody
// thought of, these find again what somebody did (simtest/mutants).
//
//	power_test.go      all nodes lose power at once: what was acknowledged is there
//	elections_test.go  nodes die while they vote, and votes come late: a term has one leader
//	stale_test.go      a leader that was replaced tells nothing old
//	retries_test.go    a batch that comes again, whenever, is answered as the first time
//	groups_test.go     generations, assignments and offsets of a consumer group
//	catalog_test.go    topics and producer ids, asked for everywhere over a bad network; nobody forgets a topic
//	disk_test.go       rot, and drives that are replaced by empty ones
//	install_test.go    a replica that comes back by snapshot
//	compaction_test.go a log that is compacted
//	order_test.go      requests that follow each other on one connection
//
// Read world_test.go first, then power_test.go.
package narrow

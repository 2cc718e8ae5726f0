// Package cluster runs whole nodes of ops/node as processes of a simulated world.
//
// It promises: (1) each node is the assembly that the real command starts, with the
// process's disk, listeners, dialer and Raft transport in place of the machine's; (2) a
// node that reports a fatal error is a crashed process, and is started again.
//
// It asks of the caller: (a) an overlay build, see package simtest.
//
// It does not know what clients do; the tests beside it do. Their one world is wide:
// clients of every kind, limits and numbers drawn from the seed, any fault of a plan.
//
//	settings_test.go   what is drawn beside the faults
//	producer_test.go   idempotent producers, plain ones, ones that want no answer
//	reader_test.go     readers, and the reading of everything at the end
//	group_test.go      members of a consumer group that come, go, die and commit
//	teller_test.go     clients that read, write and commit in transactions, and are killed in them
//	probe_test.go      questions to every node: ends, starts, epochs, committed offsets
//	admin_test.go      topics that come, change and go; records deleted on request
//	replicas_test.go   what each replica holds
//
// Read cluster.go, then kafka_test.go, then workload_test.go.
package cluster

// Package cluster runs whole nodes of ops/node as processes of a simulated world.
//
// It promises: (1) each node is the assembly that the real command starts, with the
// process's disk, listeners, dialer and Raft transport in place of the machine's; (2) a
// node that reports a fatal error is a crashed process, and is started again.
//
// It asks of the caller: (a) an overlay build, see package simtest.
//
// It does not know what clients do; the tests beside it show that.
//
// Read cluster.go, then kafka_test.go.
package cluster

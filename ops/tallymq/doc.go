// Command tallymq is the broker and everything around it in one binary.
//
//	tallymq serve                      start a node
//	tallymq topic|group|produce|consume  work with any Kafka-speaking cluster
//	tallymq cluster status             nodes, shards, replicas, leaders
//	tallymq bench                      measure a cluster through Kafka's protocol
//	tallymq sim overlay|run|shrink|timeline  the deterministic simulator
//
// Every command has --help; every result has --json. Exit codes: 0 done, 1 it failed
// (the reason is on standard error), 80 the command line is wrong.
package main

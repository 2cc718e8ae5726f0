// Command crash runs three real nodes under load and kills them with SIGKILL: the
// leader of most shards in turn, now and then all three at once. Idempotent producers,
// a consumer group and a consumer at the log's end work all along. At the end every
// partition is read whole, and the history of all clients is judged by simtest/check:
// nothing acknowledged is missing, nothing is doubled, order is kept, no consumer was
// reset. Every node is asked all along, leader or not, where partitions end and what the
// group has committed: ends never fall, committed offsets never go back.
//
//	go run ./ops/crash -bin bin/tallymq -duration 60s
//
// It exits with 1 and the violations when there are any, and leaves data and logs in
// the folder it names then.
package main

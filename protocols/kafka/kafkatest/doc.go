// Package kafkatest is a broker.Broker in memory, good enough that real Kafka clients work against it, and with handles
// by which a test makes it late, unwilling or wrong.
//
// It promises: (1) what a partition was given in order is read in that order, once per (producer, sequence); (2) groups go
// through the classic states, one generation at a time; (3) every method can be made to fail by Refuse, and Appends to be held by Hold.
// It asks the caller: (a) set what it wants set before clients connect.
//
// It persists, replicates and expires nothing, and it checks batches as far as a client could notice. It is for tests.
//
// Read broker.go first.
package kafkatest

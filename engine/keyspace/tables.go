package keyspace

// Table is the first byte of a key.
type Table = byte

// The tables. Numbers are never reused.
const (
	// Of the replica, whatever it holds.
	TableMachine Table = 0x01 // one row per machine of the replica: counters, digest

	// Of package partition.
	TablePartition Table = 0x10 // slot → head of a partition
	TableEpoch     Table = 0x11 // slot, leader epoch → where it began
	TableBatch     Table = 0x12 // slot, last offset → name and header of a record batch
	TableTime      Table = 0x13 // slot, level, last offset → greatest timestamp of a run of batches
	TableWindow    Table = 0x14 // slot, producer id → what is remembered of a producer
	TableReverse   Table = 0x15 // entry index, position → the batches appended by that entry
	TableDoomed    Table = 0x16 // slot → a deleted partition whose rows are not freed yet
	TableHold      Table = 0x17 // slot, producer id → what a partition knows of a producer's transactions
	TableAborted   Table = 0x18 // slot, offset of the marker → an aborted transaction

	// Of package group.
	TableGroup     Table = 0x20 // group → its stored state
	TableOffset    Table = 0x21 // group, topic id, topic, partition → a committed position
	TableGroupSlot Table = 0x22 // coordinator slot → is it ours, since which version
	TableGroupHold Table = 0x23 // group, producer id → what a group knows of a producer's transactions

	// Of package transaction.
	TableTransaction Table = 0x28 // transactional id → its producer, its transaction, the decisions it owes

	// Of package queueing.
	TableQueue       Table = 0x40 // queue → its head
	TableChunk       Table = 0x41 // queue, number → the messages of some consecutive sequences
	TableQueueDelta  Table = 0x42 // entry index, position → commands applied since heads and chunks were written
	TableQueueNames  Table = 0x43 // entry index → the payloads of that entry that messages name
	TableQueueHolder Table = 0x44 // producer id → what the queues know of its transactions, and what the open one covers
	TableQueueSeen   Table = 0x45 // queue, number → consecutive message ids that publishers gave it

	// Of package catalog.
	TableCluster Table = 0x30 // one row: identity, version, counters
	TableNode    Table = 0x31 // node
	TableTopic   Table = 0x32 // topic id
	TableName    Table = 0x33 // topic name → topic id
	TableShard   Table = 0x34 // shard → its replicas
	TableSlot    Table = 0x35 // coordinator slot → shard
	TableChange  Table = 0x36 // catalog version → what changed

	// Also of package catalog: virtual hosts.
	TableExchange  Table = 0x37 // host, name → exchange
	TableQueueName Table = 0x38 // host, name → queue and where it lives
	TableBinding   Table = 0x39 // host, all of a binding → nothing more

	// Also of package catalog.
	TableQuota Table = 0x3A // user, client id, either of which may be any or the default → what they may move
)

// Machine names a machine's own row under TableMachine.
type Machine byte

// The machines.
const (
	MachineEngine    Machine = 1
	MachinePartition Machine = 2
	MachineGroup     Machine = 3
	MachineCatalog   Machine = 4
	MachineQueueing  Machine = 5
)

// MachineKey is the key of a machine's own row.
func MachineKey(m Machine) []byte { return []byte{TableMachine, byte(m)} }

// TableRange is where a table's keys lie: lo ≤ key < hi.
func TableRange(t Table) (lo, hi []byte) { return []byte{t}, []byte{t + 1} }

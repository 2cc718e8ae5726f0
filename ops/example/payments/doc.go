// Command payments is an example of exactly-once payments on plain Kafka transactions: any Kafka client can do what it does.
//
//	transfers ──▶ validators ──▶ validated      one record per transfer
//	              (a group, one transaction     ledger         a debit and a credit, each keyed by its account
//	               per poll)                    notifications  one record per transfer
//
// Validators read transfers, and write all that follows from them, and move their group's positions, in one transaction.
// They are killed in the middle of transactions; with -bin the three nodes that the example starts are killed as well.
//
// It promises its reader: at the end every transfer is in each output exactly once, and the sum of all balances is what it
// was, or it says what is wrong and exits with 1. While it goes on, an auditor that reads read_committed checks that nothing
// appears twice; how many transfers it has seen by halves is printed, since a reader of two partitions has no common
// moment of both (docs/TRANSACTIONS.md).
//
// It does not create accounts, refuse overdrafts or keep balances: the ledger is the truth.
//
// Read transfer.go, validate.go, audit.go, then main.go.
package main

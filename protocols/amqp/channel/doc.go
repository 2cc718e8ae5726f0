// Package channel is the state of one open AMQP 0-9-1 channel: which publishes await a confirm, which deliveries an
// acknowledgement, which consumers it has, and what a transaction has staged.
//
// It promises: (1) it is a function of the calls it was given: it reads no clock and asks nobody; (2) every publish of a channel in
// confirm mode is confirmed exactly once, and an ack with multiple never spans a publish that was refused: clients exist that would take it
// for stored; (3) delivery tags rise by one and never name two deliveries; a tag is settled at most once, anything else is PRECONDITION_FAILED;
// (4) what a transaction staged stays unacknowledged until it is committed, and is as before after a rollback; (5) confirm and
// transaction exclude each other; (6) a consumer tag names one consumer; what is delivered to it before consume-ok left is kept, in order.
//
// It asks its caller: (a) give the settlements that it returns to the engine, in order; (b) call Confirms after Resolve; (c) call
// Commit, and then Committed or nothing at all: a commit that failed ends the channel; (d) bound what it publishes and holds unconfirmed.
//
// It does not read or write frames, know queues, or limit prefetch: the engine counts credit.
//
//	delivered ─► unacknowledged ─► settled          published ─► awaits ─► ack | nack
//	                  │   ▲
//	           staged ▼   │ rollback
//	                held by the transaction ─► settled (commit)
//
// Read channel.go first, then delivery.go and confirm.go; testdata has the conversations.
package channel

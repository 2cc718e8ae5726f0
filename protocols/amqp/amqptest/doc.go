// Package amqptest is a broker.Queues in memory, good enough that real AMQP clients work against it, and with handles by which
// a test makes it late or unwilling.
//
// It promises: (1) messages go where engine/routing says, and each queue gives them in the order in which they came, returned ones at
// their original position; (2) a delivery is settled at most once, by the session that has it; (3) a commit is all or nothing;
// (4) Refuse makes any method fail, Hold keeps publishes unanswered.
//
// It persists, expires and dead-letters nothing, and has one virtual host. It calls back with its mutex held: front ends must not
// call it from Done, Deliver or Ended, as broker.Queues asks. It is for tests.
//
// Read broker.go first.
package amqptest

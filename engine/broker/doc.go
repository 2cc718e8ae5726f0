// Package broker is the vocabulary of tallymq: the ids, the errors and the one
// interface, Broker, through which every front end reaches the engine.
//
// It promises: (1) every refusal is an *Error with a Code of one closed list, so
// that a front end maps it exhaustively; (2) an outcome that nobody can know is
// CodeOutcomeUnknown and nothing else; (3) what a successful call returned was
// fsynced by a majority and applied before the call returned.
//
// It asks of implementers and callers: (a) byte slices passed to Append are
// borrowed until Done was called; (b) byte slices returned by Read are borrowed
// until Release; (c) Append is called in the order in which a connection sent
// its batches, and that is the order in which they are proposed.
//
// It does not decide, persist, or know any wire protocol. It imports nothing of
// ours: the engine implements it, protocols/kafka and protocols/amqp translate to it.
//
//	Kafka client ─ protocols/kafka ─┐
//	                                ├─ broker.Broker ─ engine ─ consensus ─ disks
//	AMQP client  ─ protocols/amqp  ─┘
//
// Read broker.go first, then queue.go and error.go.
package broker

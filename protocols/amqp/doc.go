// Package amqp is the AMQP 0-9-1 front end: RabbitMQ's clients, over sockets, in front of broker.Queues.
//
// It promises: (1) a publish is confirmed only after the engine said that every queue it goes to has it, and refused (basic.nack)
// only when the engine is certain that it did not store it in all of them; where it cannot know, the connection ends with INTERNAL_ERROR and
// the publish stays unconfirmed; (2) messages published on one channel reach the engine in their order; (3) a delivery without
// acknowledgement is settled only after its bytes were given to the operating system; (4) tx.commit is one decision of the engine, or
// none; (5) an error of one channel leaves the others alone, a bad peer harms no other connection; (6) connections, channels, unfinished
// messages, publishes in flight and staged transactions are bounded by Limits; deliveries that wait for a socket by their consumers' credit, in messages.
//
// It asks its caller: (a) give listeners to Serve; (b) call Shutdown or Close once.
//
// It does not decide where messages go or who gets them, and it has no users of its own (Access). Methods of all channels of a connection are handled one
// after the other: a declaration that waits makes the other channels of that connection wait. Prefetch with global is applied
// to each consumer. Direct reply-to, x-delayed-message and streams are not offered.
//
//	socket ─► conn.read ─► connection.Connection ─► method, publish ─► broker.QueueSession
//	socket ◄─ conn.write ◄─ connection.Connection ◄─ channel.Channel ◄─ Done, Deliver
//
// A connection has two goroutines. Its state is under one mutex that is never held in a call of the engine.
//
// Read server.go first, then conn.go, publish.go and consume.go; packages connection and channel have the rules.
package amqp

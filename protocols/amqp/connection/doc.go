// Package connection is the state machine of one AMQP 0-9-1 connection as a server sees it: bytes of the client go in,
// events for the front end and bytes for the client come out.
//
// It promises: (1) it is a function of the bytes, calls and times it was given: it reads no clock and opens nothing;
// (2) a client gets nothing through that is illegal in the state it is in, and is answered with the reply code that
// RabbitMQ gives for it, naming class and method; (3) an error of a channel costs only that channel: what the client sent on it before
// it knew is ignored until its close-ok, other channels go on; (4) after a close was sent, nothing else is sent there; (5)
// memory is taken as bytes arrive, never for what a header claims, and the unfinished messages of one connection are bounded by
// Limits.PartialBytesMax together; (6) a body that came in one frame is not copied; (7) every connection ends in exactly one EventEnd.
//
// It asks its caller: (a) call Next until it takes no bytes and gives no event, and again after every other call; (b) not keep what an event
// points to after the following Next; (c) answer EventAuthenticate, EventOpen, EventUpdateSecret, EventChannelClose and EventClose with
// the call named there; (d) write Output to the client in order, and call Received, Sent and Tick with
// times of one clock that does not go back; (e) after EventEnd write what is left and close the socket, after a pause
// if the event asks for one.
//
// It does not authenticate, authorise, know queues or exchanges, confirm publishes or hold transactions: methods of
// open channels are handed on as they came. Nothing listens with it yet.
//
//	greeting ─ starting ─ authenticating ─ tuning ─ opening ─ granting ─ running ─┬─ closing ─ ended   (the client closed)
//	    └─ any of them, on an error ────────────────────────────────────────────┴─ closed ─ ended    (we did)
//
// Read connection.go first, then handshake.go and channel.go; testdata/scenarios has the conversations.
package connection

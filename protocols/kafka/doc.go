// Package kafka is the front end for Kafka's clients: it reads requests from connections, translates them to calls of one
// broker.Broker, and translates what comes back. It decides nothing about topics, logs or groups.
//
// It promises: (1) responses leave a connection in the order of its requests, whatever completes first; (2) batches are
// handed to Append in the order in which they arrived; (3) exactly the requests and versions that ApiVersions lists are
// served, and any other ends the connection with a line in the log; (4) an unknown outcome of a write is
// REQUEST_TIMED_OUT, which stands for nothing else, and a refusal is never reported as one; (5) memory for a request is taken as its bytes
// arrive, all memory for requests is bounded by Limits, and what a peer claims costs nothing; (6) the bytes of a batch are not
// copied on their way to Append or from Read to the socket; (7) after Close returns no goroutine of this package runs.
//
// It asks of its caller: (a) listeners are handed in; (b) the Broker calls Done once for every Append, also after a
// context ended.
//
// It does not authenticate, authorise, decompress or validate records, nor decide anything about transactions.
//
//	           one goroutine per connection            one per request that is not a Produce
//	socket ─► reader ─► frame ─► Produce: Append ... Done ─┐   ┌─ handler (Fetch, JoinGroup, ...)
//	             │                                         ▼   ▼
//	             └── a slot per request, in order ──► [ slot | slot | slot ] ─► writer, while the first slot is ready
//
// A reader handles a Produce itself and reads on; it waits for any other request before it takes the next one, as
// Kafka does. Read conn.go first, then slot.go, 00_produce.go and 01_fetch.go. What each request does and in which versions
// is at the head of its file; errors.go has the tables of error codes.
package kafka

// Package queueing is the state machine of all queues of one shard, of the consumers that they serve, and of the leases by
// which nodes have consumers here.
//
// It promises: (1) Apply is a function of the machine, the Context and the command alone; which consumer gets a message is
// decided in it; (2) a message of a queue is ready, acquired by one consumer, held by one transaction, parked, dying (it waits to be sent on), or gone: published = ready +
// acquired + held + parked + dying + gone, whatever is applied; (3) a delivery is settled at most once, by the session it was made to; (4) what a consumer held when
// its channel or session ended, or its node lost the lease, is ready again, at its old place and marked redelivered; (5) a
// payload is named by the rows as long as a message of it is not gone; (6) Load gives a machine equal to the one that wrote
// the rows; (7) the work of one command is bounded by its own length and by what
// the consumers that it ends had unsettled, or its transaction covers: what is more is left to QueueTick; (8) a QueueTransact does
// all that it says or nothing; what a transaction over several shards covers here waits for its decision, whatever becomes of
// sessions, consumers and leases, and is then done, or undone, in one command; (9) a lease lasts from the first command on that
// brings the time.
//
// In a queue that keeps the order of keys (Ordered), let L(k) be the messages of key k that are not gone, dying or purged, by sequence. After each command:
// (O1) at most one message of k is acquired, held or parked; (O2) it is the first of L(k); (O3) so when a message is delivered, every earlier one of
// its key is settled, expired, dropped, or has died; (O4) if the first of L(k) is ready, its time is not over, some consumer has credit, and no parked
// message stops the queue, it is delivered, whatever other keys wait for. A delivery's Fence is greater than that of every earlier delivery of its key.
//
// It asks its caller: (a) apply in log order, and Flush into the same atomic batch as the applied index; (b) give Flush a
// Reader of what was committed before; (c) propose QueueTick while Due says so; (d) route, and deliver what the Effects say.
//
// A queue with a de-duplication window adds a message with an id once within it: whatever is published, prepared or committed, by whom and how often.
//
// It does not know exchanges, read payloads, or wait. What CheckConfig names it does not offer.
//
//	publish → ready → acquired → gone (acknowledged, rejected)
//	            ↑        └──► ready (requeued; channel, session or lease ended)
//	            └─ gone (expired, over the greatest length, purged, deleted)
//	acquired → held (prepared) → gone | ready (decided)
//	acquired → parked (failed too often, where the order of keys is kept) → ready (released) | dying | gone (discarded)
//	ready, acquired → dying (where dead letters are sent on) → gone (sent on, or dropped)
//
// State lies in rows as of some moment (heads and chunks) and the commands since (deltas), which Load applies again; Flush
// folds the deltas into the rows when there are many.
//
// Read machine.go first, then line.go and assign.go; order.go has the order of keys, seen.go de-duplication, flush.go the rows,
// transact.go transactions.
package queueing

// Package coordinator is the state machine of transactional ids: which producer id and epoch each has now, which
// transaction is open with which participants, how it ended, and who has not been told yet.
//
// Its rules, which the tests name:
//
//	T1  An id has at most one open transaction. Numbers rise by one and are never used again.
//	T2  A grant names a participant that is recorded in the open transaction, so its decision will reach it.
//	T3  A transaction is decided once, by one of: its producer's EndTxn, a new InitProducerId, its time-out, an operator's or a
//	    foreign marker's abort. What is decided never changes.
//	T4  A decision is kept until each of its participants acknowledged it, or is gone. Nobody ever presumes an outcome.
//	T5  A pair (producer id, epoch) that was fenced is never given or accepted again. Everything but a commit or abort of the
//	    first protocol version fences. Epochs given to clients end at EpochClientMax: the last one only fences, and the
//	    producer goes on under a new id.
//	T6  A retried request gets the first one's answer while its answer is still the last thing that happened; later it is
//	    refused. It never ends, opens or fences anything that came after it.
//	T7  What an id must remember is bounded (ParticipantsMax, DecisionsMax), and expires only when nothing is open or owed.
//
// Under the second version of Kafka's protocol (KIP-890) each end raises the epoch, which is enough for T6. Under the first
// the epoch stays, and requests are told apart by the connection they came over: only the leader takes them, only over
// connections accepted in its own term, and one that is older than the newest used is refused (txn.Generation). The check
// comes after the epoch's, so that a fenced producer on a new connection cannot fence the right one's.
//
// It promises: (1) every method is a function of state and arguments; (2) a refusal changes nothing; (3) LoadRow of every
// AppendRow gives an equal machine; (4) work per call is bounded by the limits; Names, Due, Undelivered and NextDeadline
// look at all ids, and are for the leader, not for apply. It asks the caller: (a) apply in log order, with replicated time;
// (b) give the leader's term of the command; (c) give a producer id that nobody else was given wherever NeedProducerID
// asks; (d) deliver Undelivered until it is acknowledged; (e) install an Add's grants before it answers a client of the
// first version (see Add).
//
// It does not send, wait, know shards, check authorisation, or hold records.
//
//	        Init            Add              End, Expire, Abort, Init
//	  ─────────► Empty ─────────► Ongoing ─────────────────────────────► CompleteCommit | CompleteAbort
//	                                 ▲        decision into the outbox          │
//	                                 └────────────── Add: the next number ──────┘
//
//	outbox: decision ──► each participant, its oldest first ──► Acknowledge ──► forgotten when all have
//
// Read producer.go first, then testdata/two_transactions.txt.
package coordinator

package txn

import "fmt"

// Code is why a request is refused. Kafka's error is in brackets; where it depends on the request's version, the front
// end chooses by the code and the version, and by nothing else.
type Code uint8

// What a window refuses.
const (
	// None: it is not refused.
	None Code = iota
	// OutOfOrderSequence (45): a gap, an overlap, an epoch that does not begin at 0, or known sequences with other records.
	OutOfOrderSequence
	// DuplicateSequence (46): appended in this epoch, but nobody remembers any more where, nor with which records.
	// Clients take 46 for success without an offset, so it is never said of sequences that were not appended.
	DuplicateSequence
	// InvalidProducerEpoch (47): a later incarnation of the producer was here. What participants say.
	InvalidProducerEpoch
)

// What a coordinator refuses.
const (
	// ProducerFenced (90; 47 before InitProducerId 4 and EndTxn, AddPartitionsToTxn, AddOffsetsToTxn 2): as
	// InvalidProducerEpoch, said by the coordinator.
	ProducerFenced Code = iota + 16
	// UnknownMapping (49, INVALID_PRODUCER_ID_MAPPING): the transactional id is not known, or has another producer id.
	UnknownMapping
	// InvalidState (48, INVALID_TXN_STATE): an end that contradicts the one before, a commit of nothing, an operator's abort of
	// what is decided.
	InvalidState
	// Concurrent (51, CONCURRENT_TRANSACTIONS): too many decided transactions of this id wait for participants. Retriable.
	Concurrent
	// InvalidTimeout (50, INVALID_TRANSACTION_TIMEOUT): not positive, or above the cluster's maximum.
	InvalidTimeout
	// NotParticipant (120, TRANSACTION_ABORTABLE, at Produce 11 and later; 48 before): the partition or group was not added to
	// the open transaction, or none is open.
	NotParticipant
	// TooManyParticipants (120 where the version knows it, else 44, POLICY_VIOLATION): a transaction beyond ParticipantsMax.
	TooManyParticipants
	// Throttled (89, THROTTLING_QUOTA_EXCEEDED; the client retries): too many transactional ids. None is dropped for a new one.
	Throttled
	// InvalidRequest (42): the numbers contradict themselves.
	InvalidRequest
	// StaleConnection: a request of the first protocol version that came over an older connection than the client's newest,
	// or over one of another leader's term. It gets no answer: the connection is closed, and the client asks again.
	StaleConnection
	// NeedProducerID never leaves the broker: the request needs a new producer id, and comes again with one.
	NeedProducerID
)

// What a participant refuses.
const (
	// NoHold never leaves the broker: the coordinator must be asked for a grant first.
	NoHold Code = iota + 64
	// Closed (48): a grant or a write of a transaction that has ended here.
	Closed
	// EarlierOpen never leaves the broker: an earlier transaction of the producer is open here, and its decision is to come
	// first. The sender tries again.
	EarlierOpen
	// Contradiction never leaves the broker: two outcomes for one number, which is a bug or damage.
	Contradiction
	// IllegalGeneration (22): offsets of one transaction over two connections, under the first protocol version.
	IllegalGeneration
)

var codeNames = map[Code]string{
	None: "none", OutOfOrderSequence: "out-of-order-sequence", DuplicateSequence: "duplicate-sequence",
	InvalidProducerEpoch: "invalid-producer-epoch", ProducerFenced: "producer-fenced", UnknownMapping: "unknown-mapping",
	InvalidState: "invalid-state", Concurrent: "concurrent-transactions", InvalidTimeout: "invalid-timeout",
	NotParticipant: "not-participant", TooManyParticipants: "too-many-participants", Throttled: "throttled",
	InvalidRequest: "invalid-request", StaleConnection: "stale-connection", NeedProducerID: "need-producer-id",
	NoHold: "no-hold", Closed: "closed", EarlierOpen: "earlier-open", Contradiction: "contradiction",
	IllegalGeneration: "illegal-generation",
}

// String names the code.
func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("code(%d)", uint8(c))
}

// Codes lists every code but None, rising, for tests that prove a mapping whole.
func Codes() []Code {
	var all []Code
	for c := None + 1; c != None; c++ { // until it wraps
		if _, ok := codeNames[c]; ok {
			all = append(all, c)
		}
	}
	return all
}

// Refusal is why a request changed nothing. A nil one is consent.
type Refusal struct {
	Code   Code
	Reason string // for people, with the numbers
}

// Refusef makes a refusal.
func Refusef(code Code, format string, args ...any) *Refusal {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// String is one line; "ok" for nil.
func (r *Refusal) String() string {
	if r == nil {
		return "ok"
	}
	return fmt.Sprintf("refuse %v: %s", r.Code, r.Reason)
}

package broker

import "time"

// PriorityMax is the greatest priority of a message: it is an octet on the wire.
const PriorityMax = 255

// Message is what a client published. The slices are borrowed until Done of the call that they were given to.
type Message struct {
	Exchange string // as published: deliveries show it
	Key      string // routing key
	CC, BCC  []string
	// Headers are the message's headers as far as exchanges of type headers, hashes and ordering keys read them.
	Headers []Argument
	// Properties are opaque here: the front end's bytes of the properties, returned with each delivery. BCC is not in them.
	Properties []byte
	Body       []byte

	Persistent    bool
	Priority      uint8
	Expiration    time.Duration // at least 0 where HasExpiration
	HasExpiration bool
	Timestamp     int64 // ms since 1970; 0: none, the broker's clock counts for Kafka's readers
	MessageID     string
	CorrelationID string

	// Deaths are where it was dead-lettered before, the latest first; clients' have none.
	Deaths []Death
}

// Publish is one message for one exchange.
type Publish struct {
	Message Message
	// Deadline bounds the wait for a result; then Done gets CodeOutcomeUnknown. Zero: the engine's own bound.
	Deadline time.Time
	// Done is called exactly once, from any goroutine, and must not block.
	Done func(PublishResult, error)
}

// PublishResult says what became of a message. Without an error every queue that it was routed to has it, durably.
type PublishResult struct {
	Queues int // that it was routed to; 0: unroutable, and nothing was stored
}

// DeliveryID names one delivery of a message to a consumer (or a getter): it is given once and is never another's.
type DeliveryID struct {
	Queue  QueueID
	Number uint64 // grows with each delivery of the queue
}

// Delivery is a message on its way to a consumer. All slices are the receiver's.
type Delivery struct {
	ID       DeliveryID
	Consumer ConsumerID // 0 for what Get gave
	Queue    string     // name
	Exchange string
	Key      string

	Properties []byte
	Body       []byte

	Redelivered bool
	// Returned counts the returns that count against the delivery limit (x-delivery-count).
	Returned uint32
	// Fence grows with each delivery of one key of an ordered queue (x-tally-fence); 0 on other queues.
	Fence uint64
	// Deaths are where the message was dead-lettered before, the latest first (x-death).
	Deaths []Death
}

// Death is one entry of x-death.
type Death struct {
	Queue    string
	Reason   string // "rejected", "expired", "maxlen", "delivery_limit"
	Exchange string
	Keys     []string
	Count    uint64
	Time     int64 // ms since 1970, of the first
}

// Outcome is what a consumer says of a delivery.
type Outcome uint8

// The outcomes.
const (
	Acknowledge Outcome = iota // basic.ack
	Requeue                    // basic.nack with requeue, basic.recover: does not count against the delivery limit
	RejectAgain                // basic.reject with requeue: counts against it
	Reject                     // basic.nack or basic.reject without requeue: dead-lettered, parked or dropped
)

// Settlement is a delivery with its outcome.
type Settlement struct {
	ID      DeliveryID
	Outcome Outcome
}

package broker

import (
	"context"
	"time"
)

// QueueID names a queue for ever: another queue of the same name has another id.
type QueueID uint64

// ConsumerID names one consumer of one session; it is never given twice.
type ConsumerID uint64

// DefaultHost is the virtual host that is there from the start.
const DefaultHost = "/"

// Queues is what a front end of queues sees of the engine, beside Broker. Virtual hosts are namespaces of exchanges,
// queues and bindings; what a client does to them it does through the session of its connection.
type Queues interface {
	// OpenSession begins a session on a virtual host (CodeUnknownHost). lost is called at most once, from any goroutine,
	// when the engine had to end the session: this node was cut off for longer than a lease, or a shard gave the session
	// up. What its consumers held has gone or is going back to the queues, marked redelivered: the connection is to be
	// closed, and nothing delivered before is to be settled. It must not block.
	OpenSession(ctx context.Context, c Client, host string, lost func(error)) (QueueSession, error)
	// QueueHosts lists the virtual hosts by name.
	QueueHosts(ctx context.Context) ([]string, error)
}

// QueueSession is one connection's. Its methods may be called concurrently; each shows what the ones before it did. An error is an
// *Error; its cause has the text for the client, in RabbitMQ's words where it has any. A declaration is answered when it is
// durable and every live node routes by it.
type QueueSession interface {
	Exchanges
	QueueDeclarations
	Consumption

	// Publish routes a message and stores it in every queue it goes to. It returns once the message is queued (or refused, by
	// calling Done before it returns); it waits only for room in the node's bound on bytes in flight. Messages published by
	// calls made one after the other have that order in every queue. CodeUnknownExchange, CodeForbidden (an internal
	// exchange), CodeQueueRefused (a queue is full, or has another message of this id: some queue refused it, others may have it),
	// CodeBatchTooLarge, CodeStorageFull, CodeOutcomeUnknown: some queues may have it.
	Publish(ctx context.Context, p *Publish)
	// Commit stores messages and settles deliveries as one durable decision, whatever queues they are of: all or
	// nothing, for ever. CodeQueueRefused when a queue refuses a message, CodeUnknownDelivery when a delivery is not the session's any more;
	// then nothing happened. CodeOutcomeUnknown: it is or will be one or the other.
	Commit(ctx context.Context, t *QueueTransaction) ([]PublishResult, error)
	// Close ends the session: what it settled comes into force first, if that does not take long; its consumers go, what they
	// hold returns, exclusive queues are deleted. It returns when that is proposed; lost is not called any more. Calls after it are refused with CodeSessionLost.
	Close(ctx context.Context)
}

// Exchanges declares exchanges and bindings of the session's host.
type Exchanges interface {
	// DeclareExchange makes an exchange, or agrees that an equivalent one is there (CodeInequivalent otherwise). CodeForbidden for
	// reserved names, CodeUnknownExchangeType, CodeInvalidArgument, CodeTooMany.
	DeclareExchange(ctx context.Context, x Exchange) error
	// FindExchange is the passive declaration: CodeUnknownExchange.
	FindExchange(ctx context.Context, name string) (Exchange, error)
	// DeleteExchange deletes an exchange with all its bindings; one that is not there is no error. CodeInUse where
	// ifUnused and it has bindings, CodeForbidden for predeclared ones.
	DeleteExchange(ctx context.Context, name string, ifUnused bool) error
	// Bind adds a binding, if it is not there: CodeUnknownExchange, CodeUnknownQueue, CodeForbidden, CodeInvalidArgument,
	// CodeQueueLocked, CodeTooMany.
	Bind(ctx context.Context, b Binding) error
	// Unbind removes a binding; one that is not there is no error.
	Unbind(ctx context.Context, b Binding) error
}

// QueueSpec is a queue as a client declares it (queue.declare).
type QueueSpec struct {
	Name       string // empty: the engine names it, "amq.gen-…"
	Durable    bool
	Exclusive  bool // of the session, and deleted with it
	AutoDelete bool // it goes with its last consumer, if it ever had one
	Arguments  []Argument
}

// QueueStatus is a queue as it is now.
type QueueStatus struct {
	ID        QueueID
	Spec      QueueSpec
	Messages  uint64 // ready
	Consumers uint32
	// Ignored are arguments that mean nothing here and were accepted for clients' sake.
	Ignored []string
}

// QueueDeclarations declares queues of the session's host. CodeQueueLocked for any use of another session's exclusive queue but
// publishing to it.
type QueueDeclarations interface {
	// DeclareQueue makes a queue, or agrees that an equivalent one is there (CodeInequivalent otherwise). CodeForbidden for
	// reserved names, CodeInvalidArgument, CodeTooMany.
	DeclareQueue(ctx context.Context, q QueueSpec) (QueueStatus, error)
	// FindQueue is the passive declaration: CodeUnknownQueue.
	FindQueue(ctx context.Context, name string) (QueueStatus, error)
	// DeleteQueue deletes a queue with all it has and tells how many messages were ready; one that is not there is no
	// error. CodeInUse, CodeQueueNotEmpty.
	DeleteQueue(ctx context.Context, name string, ifUnused, ifEmpty bool) (uint64, error)
	// PurgeQueue removes all ready messages and tells how many there were.
	PurgeQueue(ctx context.Context, name string) (uint64, error)
}

// Consume asks for a consumer.
type Consume struct {
	Queue     string
	Channel   uint16 // it belongs to this channel of the connection
	Tag       string // for those who look at the queue
	Exclusive bool   // no other consumer may be there
	Priority  int32  // x-priority: higher ones are served first
	// Messages is how many deliveries may be unsettled at once; 0: no limit of the client's, and the engine's counts.
	Messages uint32
	// Deliver is called for each delivery, in the order of their assignment, never concurrently for one consumer. It must
	// not block long: credit bounds what can come.
	Deliver func(*Delivery)
	// Ended is called at most once when the consumer ends without Cancel, after its last Deliver: its queue was deleted
	// (CodeUnknownQueue) or it took too long to settle (CodeConsumerTimeout).
	Ended func(error)
}

// Consumption is consumers, deliveries and what becomes of them. A consumer without acknowledgements (no-ack) is one whose front
// end acknowledges what it has written to the socket.
type Consumption interface {
	// Consume adds a consumer. Deliveries may come before it returns. CodeUnknownQueue, CodeQueueLocked, CodeConsumerExclusive,
	// CodeTooMany.
	Consume(ctx context.Context, c *Consume) (ConsumerID, error)
	// Cancel ends a consumer; what it holds stays with its channel. No Deliver is called for it after it returned.
	Cancel(ctx context.Context, id ConsumerID) error
	// SetCredit changes Consume.Messages of a consumer.
	SetCredit(ctx context.Context, id ConsumerID, messages uint32) error
	// Get takes one ready message (basic.get); nil: there is none. left is how many are ready after it. It is the channel's.
	Get(ctx context.Context, queue string, channel uint16) (d *Delivery, left uint64, err error)
	// Settle says what became of deliveries. Those that are not the session's any more are passed over. done (may be nil) is called
	// when all of it is durable and applied, or CodeOutcomeUnknown. Calls made one after the other are applied in that order.
	Settle(ctx context.Context, s []Settlement, done func(error))
	// CloseChannel ends a channel: its consumers go, all it holds returns to the queues and counts as a failed delivery.
	CloseChannel(ctx context.Context, channel uint16) error
}

// QueueTransaction is what tx.commit decides. The publishes' Done and Deadline are not used.
type QueueTransaction struct {
	Publishes   []*Publish
	Settlements []Settlement
	Timeout     time.Duration // 0: the engine's own bound
}

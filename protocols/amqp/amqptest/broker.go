package amqptest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/routing"
)

// Broker is the fake. The zero value is not ready: use New.
type Broker struct {
	mu        sync.Mutex
	topology  *routing.Topology
	walk      routing.Walk
	queues    map[string]*queue
	last      uint64 // id of a queue, consumer or made-up name
	refusals  map[string]error
	holding   bool
	held      []func() // publishes that are not answered
	sessions  map[*session]struct{}
	Committed int // transactions, for tests that read it when all is quiet
}

// New makes a broker with the predeclared exchanges and no queue.
func New() *Broker {
	return &Broker{topology: routing.New(), queues: map[string]*queue{}, refusals: map[string]error{}, sessions: map[*session]struct{}{}}
}

// Refuse makes an operation ("publish", "commit", "consume", "declare queue") fail from now on; nil ends it.
func (b *Broker) Refuse(op string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusals[op] = err
}

// Hold keeps publishes unanswered until Release.
func (b *Broker) Hold() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holding = true
}

// Release answers what was held, the latest first: results come in any order.
func (b *Broker) Release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, answer := range slices.Backward(b.held) {
		answer()
	}
	b.held, b.holding = nil, false
}

// LoseSessions ends all sessions as a cut-off node does.
func (b *Broker) LoseSessions() {
	b.mu.Lock()
	var all []*session
	for s := range b.sessions {
		b.endLocked(s)
		all = append(all, s)
	}
	b.mu.Unlock()
	for _, s := range all {
		s.lost(broker.Refuse(broker.CodeSessionLost, "session", ""))
	}
}

// Sessions is how many there are.
func (b *Broker) Sessions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions)
}

// OpenSession opens a session on the one host.
func (b *Broker) OpenSession(_ context.Context, c broker.Client, host string, lost func(error)) (broker.QueueSession, error) {
	if host != broker.DefaultHost {
		return nil, broker.Errorf(broker.CodeUnknownHost, "open session", "host "+host, "vhost %s not found", host)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &session{b: b, client: c, lost: lost}
	b.sessions[s] = struct{}{}
	return s, nil
}

// QueueHosts lists the one host.
func (b *Broker) QueueHosts(context.Context) ([]string, error) {
	return []string{broker.DefaultHost}, nil
}

func (b *Broker) nextLocked() uint64 {
	b.last++
	return b.last
}

func (b *Broker) routeLocked(m *broker.Message) []*queue {
	r := routing.Message{Key: m.Key, CC: slices.Concat(m.CC, m.BCC), Headers: routingArguments(m.Headers), CorrelationID: m.CorrelationID, MessageID: m.MessageID}
	var to []*queue
	for _, name := range b.topology.Route(&b.walk, m.Exchange, &r) {
		to = append(to, b.queues[name])
	}
	return to
}

func routingArguments(list []broker.Argument) []routing.Argument {
	out := make([]routing.Argument, len(list))
	for i, a := range list {
		out[i] = routing.Argument{Name: a.Name, Value: routing.Value{Kind: routing.Kind(a.Value.Kind), Int: a.Value.Int, Float: a.Value.Float, Text: a.Value.Text}}
	}
	return out
}

func brokerArguments(list []routing.Argument) []broker.Argument {
	out := make([]broker.Argument, len(list))
	for i, a := range list {
		out[i] = broker.Argument{Name: a.Name, Value: broker.ArgumentValue{Kind: broker.ArgumentKind(a.Value.Kind), Int: a.Value.Int, Float: a.Value.Float, Text: a.Value.Text}}
	}
	return out
}

var reasons = map[routing.Reason]broker.Code{
	routing.UnknownExchange: broker.CodeUnknownExchange, routing.UnknownQueue: broker.CodeUnknownQueue, routing.Forbidden: broker.CodeForbidden,
	routing.Inequivalent: broker.CodeInequivalent, routing.InUse: broker.CodeInUse, routing.InvalidArgument: broker.CodeInvalidArgument,
	routing.UnknownType: broker.CodeUnknownExchangeType, routing.TooMany: broker.CodeTooMany,
}

func refused(op, resource string, err error) error {
	if err == nil {
		return nil
	}
	e := err.(*routing.Error)
	return broker.Errorf(reasons[e.Reason], op, resource, "%s", e.Text)
}

func (b *Broker) dropQueueLocked(q *queue, why error) {
	delete(b.queues, q.spec.Name)
	b.topology.RemoveQueue(q.spec.Name)
	for _, k := range q.consumers {
		if why != nil && k.request.Ended != nil {
			k.request.Ended(why)
		}
	}
	q.consumers = nil
}

func (b *Broker) findLocked(op, name string, s *session) (*queue, error) {
	q := b.queues[name]
	switch {
	case q == nil:
		return nil, broker.Errorf(broker.CodeUnknownQueue, op, "queue "+name, "no queue '%s' in vhost '/'", name)
	case q.owner != nil && q.owner != s:
		return nil, broker.Errorf(broker.CodeQueueLocked, op, "queue "+name, "cannot obtain exclusive access to locked queue '%s' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", name)
	}
	return q, nil
}

// queue is one queue: ready messages by position, and what is with consumers.
type queue struct {
	id        broker.QueueID
	spec      broker.QueueSpec
	owner     *session // of an exclusive queue
	ready     []*message
	out       map[uint64]*outstanding
	consumers []*consumer
	position  uint64
	number    uint64
	served    int
}

type message struct {
	position       uint64
	exchange, key  string
	properties     []byte
	body           []byte
	redelivered    bool
	returnedCounts uint32
}

type outstanding struct {
	message  *message
	session  *session
	channel  uint16
	consumer *consumer
}

type consumer struct {
	id      broker.ConsumerID
	session *session
	queue   *queue
	request *broker.Consume
	holds   uint32
}

func (q *queue) full(more int) bool {
	most, reject := int64(-1), false
	for _, a := range q.spec.Arguments {
		switch a.Name {
		case "x-max-length":
			most = a.Value.Int
		case "x-overflow":
			reject = a.Value.Text == "reject-publish"
		}
	}
	return reject && most >= 0 && int64(len(q.ready)+more) > most
}

func (q *queue) add(m *broker.Message) {
	q.position++
	q.ready = append(q.ready, &message{
		position: q.position, exchange: m.Exchange, key: m.Key, properties: slices.Clone(m.Properties), body: slices.Clone(m.Body),
	})
}

// dispatch gives ready messages to consumers that have credit, in turn.
func (q *queue) dispatch() {
	for len(q.ready) > 0 {
		k := q.nextConsumer()
		if k == nil {
			return
		}
		d := q.take(k.session, k.request.Channel, k)
		k.request.Deliver(d)
	}
}

func (q *queue) nextConsumer() *consumer {
	var best *consumer
	for i := range q.consumers {
		k := q.consumers[(q.served+i)%len(q.consumers)]
		if free := k.request.Messages == 0 || k.holds < k.request.Messages; free && (best == nil || k.request.Priority > best.request.Priority) {
			best = k
		}
	}
	q.served++
	return best
}

func (q *queue) take(s *session, channel uint16, k *consumer) *broker.Delivery {
	m := q.ready[0]
	q.ready = q.ready[1:]
	q.number++
	q.out[q.number] = &outstanding{message: m, session: s, channel: channel, consumer: k}
	d := &broker.Delivery{
		ID: broker.DeliveryID{Queue: q.id, Number: q.number}, Queue: q.spec.Name, Exchange: m.exchange, Key: m.key,
		Properties: slices.Clone(m.properties), Body: slices.Clone(m.body), Redelivered: m.redelivered, Returned: m.returnedCounts,
	}
	if k != nil {
		k.holds++
		d.Consumer = k.id
	}
	return d
}

// settle ends a delivery.
func (q *queue) settle(number uint64, o broker.Outcome) {
	out := q.out[number]
	delete(q.out, number)
	if out.consumer != nil {
		out.consumer.holds--
	}
	if o == broker.Acknowledge || o == broker.Reject {
		return
	}
	m := out.message
	m.redelivered = true
	if o == broker.RejectAgain {
		m.returnedCounts++
	}
	at, _ := slices.BinarySearchFunc(q.ready, m, func(a, b *message) int { return cmp.Compare(a.position, b.position) })
	q.ready = slices.Insert(q.ready, at, m)
}

// String is the queue on one line.
func (q *queue) String() string {
	return fmt.Sprintf("queue %q: %d ready, %d out, %d consumers", q.spec.Name, len(q.ready), len(q.out), len(q.consumers))
}

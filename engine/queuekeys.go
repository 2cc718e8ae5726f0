package engine

import (
	"context"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/engine/command"
	"github.com/tallymq/tallymq/engine/queueing"
)

// queueKeysMax is how many keys of a queue are listed at once.
const queueKeysMax = 10_000

// QueueInfo is a queue as its shard has it.
type QueueInfo struct {
	Host      string         `json:"vhost"`
	Name      string         `json:"name"`
	Shard     broker.ShardID `json:"shard"`
	Ordered   bool           `json:"ordered"` // it keeps the order of keys
	Here      bool           `json:"here"`    // this node has a replica of the shard: the counts are as of what that applied
	Ready     int            `json:"ready"`
	Unsettled int            `json:"unsettled"` // delivered, or held by transactions
	Parked    int            `json:"parked"`    // failed too often, and wait for an operator
	Dying     int            `json:"dying"`     // wait to be sent on to where dead letters go
	Consumers int            `json:"consumers"`
}

// Queues lists the queues of the catalog, by virtual host and name, as this node knows them.
func (e *Engine) Queues() []QueueInfo {
	out := []QueueInfo{}
	v := e.view.Load()
	for _, s := range v.Shards() {
		r, here := e.replica(s.ID)
		for _, q := range v.QueuesOf(s.ID) {
			i := QueueInfo{Host: q.Host, Name: q.Spec.Name, Shard: s.ID, Here: here}
			if here {
				r.mu.RLock()
				c, ok := r.lines.Count(q.ID)
				r.mu.RUnlock()
				i.Here = ok
				i.Ordered, i.Ready, i.Unsettled, i.Parked, i.Dying, i.Consumers = c.Ordered, c.Ready, c.Unsettled, c.Parked, c.Dying, c.Consumers
			}
			out = append(out, i)
		}
	}
	return out
}

// QueueKey is a key of a queue that keeps the order of keys, with the message of it that is not settled: what comes behind waits for that.
type QueueKey struct {
	Key     string        `json:"key"`
	Message uint64        `json:"message"` // its number in the queue
	State   string        `json:"state"`   // acquired: a consumer has it; held: a transaction is to decide; parked: it failed too often
	Failed  uint32        `json:"failed_deliveries"`
	Node    broker.NodeID `json:"node,omitempty"` // of the consumer that has it
	Session uint64        `json:"session,omitempty"`
	Channel uint16        `json:"channel,omitempty"`
	Tag     string        `json:"consumer_tag,omitempty"`
	Waiting int           `json:"waiting"` // messages of the key behind it
}

// QueueKeys says why keys of an ordered queue do not go on, the longest-waiting first: each has a message that is not settled. parked: only those whose message
// failed too often. CodeUnknownQueue; CodeInvalidRequest if it does not keep the order of keys; CodeUnavailable on a node without a
// replica of the queue's shard.
func (e *Engine) QueueKeys(ctx context.Context, host, name string, parked bool) ([]QueueKey, error) {
	_, keys, err := e.queueKeys(ctx, host, name, parked)
	if err != nil {
		return nil, err
	}
	out := []QueueKey{}
	for _, k := range keys {
		out = append(out, QueueKey{Key: k.Text, Message: k.Number, State: k.State, Failed: k.Failed, Node: k.Session.Node, Session: k.Session.Number, Channel: k.Channel,
			Tag: k.Tag, Waiting: k.Waiting})
	}
	return out, nil
}

func (e *Engine) queueKeys(ctx context.Context, host, name string, parked bool) (*catalog.Queue, []queueing.Key, error) {
	const op = "list keys"
	resource := "queue " + name
	q, ok := e.view.Load().Queue(host, name)
	if !ok {
		return nil, nil, broker.Errorf(broker.CodeUnknownQueue, op, resource, "no queue '%s' in vhost '%s'", name, host)
	}
	r, here := e.replica(q.Shard)
	if !here {
		return nil, nil, broker.Errorf(broker.CodeUnavailable, op, resource, "node %d has no replica of shard %d; ask another", e.opt.Node, q.Shard)
	}
	if err := e.barrier(ctx, q.Shard, op, resource); err != nil {
		return nil, nil, err
	}
	r.mu.RLock()
	keys, ordered := r.lines.Keys(q.ID, queueKeysMax, parked)
	r.mu.RUnlock()
	if !ordered {
		return nil, nil, broker.Errorf(broker.CodeInvalidRequest, op, resource, "it does not keep the order of keys: it was declared without x-ordering-key")
	}
	return q, keys, nil
}

// ReleaseKey lets a key go on whose message was parked, or all of them: the message is delivered again, or with discard leaves the queue as if a consumer
// had rejected it. It gives how many messages were released; besides the codes of QueueKeys, CodeOutcomeUnknown.
func (e *Engine) ReleaseKey(ctx context.Context, host, name, key string, all, discard bool) (int, error) {
	const op = "release"
	resource := "queue " + name
	q, keys, err := e.queueKeys(ctx, host, name, true)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, k := range keys {
		if !all && k.Text != key {
			continue
		}
		c := command.QueueRelease{Queue: uint64(q.ID), Number: k.Number, Discard: discard}
		out, err := e.propose(ctx, q.Shard, 0, c.AppendTo(nil))
		if err != nil {
			return n, asBroker(err, op, resource)
		}
		var r command.QueueResult
		if err := r.Decode(out); err != nil {
			return n, broker.Errorf(broker.CodeInternal, op, resource, "result: %w", err)
		}
		if r.Code != broker.CodeNone {
			return n, broker.Refuse(r.Code, op, resource)
		}
		n += int(r.Messages)
	}
	return n, nil
}

package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tallymq/tallymq/consensus/journal"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/queueing"
)

// dispatch brings what was assigned in apply to the consumers of this node.
type dispatch struct {
	mu        sync.Mutex
	consumers map[broker.ConsumerID]*consumer
}

// consumer is a consumer of a connection of this node.
type consumer struct {
	s       *session
	id      broker.ConsumerID
	queue   broker.QueueID
	name    string // of the queue
	shard   broker.ShardID
	channel uint16
	lease   *lease
	deliver func(*broker.Delivery)
	ended   func(error)

	mu      sync.Mutex
	idle    *sync.Cond
	last    uint64 // number of the last delivery that was taken
	pending []queueing.Delivery
	running bool
	gone    bool  // no more deliveries
	over    error // the queue ended it: to be told after the last delivery
}

func newDispatch() *dispatch { return &dispatch{consumers: map[broker.ConsumerID]*consumer{}} }

func (d *dispatch) add(c *consumer) {
	c.idle = sync.NewCond(&c.mu)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.consumers[c.id] = c
}

// remove ends the deliveries of a consumer. One may just be under way.
func (d *dispatch) remove(c *consumer) {
	d.mu.Lock()
	delete(d.consumers, c.id)
	d.mu.Unlock()
	c.mu.Lock()
	c.gone, c.pending = true, nil
	c.idle.Broadcast()
	c.mu.Unlock()
}

// offer hands on deliveries; those of consumers that are not here, or that a consumer has had, are passed over.
func (e *Engine) offer(ds []queueing.Delivery) {
	for len(ds) > 0 {
		n := 1
		for n < len(ds) && ds[n].Consumer == ds[0].Consumer {
			n++
		}
		e.dispatch.mu.Lock()
		c := e.dispatch.consumers[ds[0].Consumer]
		e.dispatch.mu.Unlock()
		if c != nil {
			c.take(ds[:n])
		}
		ds = ds[n:]
	}
}

func (c *consumer) take(ds []queueing.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range ds {
		if !c.gone && ds[i].Number > c.last {
			c.last = ds[i].Number
			c.pending = append(c.pending, ds[i])
		}
	}
	c.startLocked()
}

// startLocked sees to it that what is pending is delivered.
func (c *consumer) startLocked() {
	if c.running || c.gone || len(c.pending) == 0 && c.over == nil {
		return
	}
	c.running = true
	if !c.s.e.spawn(c.run) {
		c.running = false
	}
}

// finish tells a consumer that its queue ended it.
func (e *Engine) finish(id broker.ConsumerID, why error) {
	e.dispatch.mu.Lock()
	c := e.dispatch.consumers[id]
	e.dispatch.mu.Unlock()
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = why
	c.startLocked()
}

// run delivers what is pending, in order, until nothing is.
func (c *consumer) run(ctx context.Context) {
	for {
		c.mu.Lock()
		batch, over := c.pending, c.over
		c.pending = nil
		if c.gone || len(batch) == 0 {
			c.running = false
			if over != nil && !c.gone {
				c.gone = true
			} else {
				over = nil
			}
			c.idle.Broadcast()
			c.mu.Unlock()
			if over != nil {
				c.s.forget(c)
				c.ended(over)
			}
			return
		}
		c.mu.Unlock()
		for i := range batch {
			if !c.one(ctx, &batch[i]) {
				break
			}
		}
	}
}

// one delivers one message; false if the consumer is gone.
func (c *consumer) one(ctx context.Context, x *queueing.Delivery) bool {
	d := c.s.e.delivery(x, c.name)
	for {
		err := c.s.e.fill(ctx, c.shard, x, d)
		c.mu.Lock()
		gone := c.gone
		c.mu.Unlock()
		switch {
		case gone || !c.lease.valid() || ctx.Err() != nil:
			return false
		case err == nil:
			c.deliver(d)
			return true
		}
		c.s.e.log.Warn("message not readable yet", "queue", c.name, "shard", c.shard, "number", x.Number, "err", err)
		sleep(ctx, payloadAgain)
	}
}

// drain waits until everything that was assigned is delivered.
func (c *consumer) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.running && !c.gone {
		c.idle.Wait()
	}
}

// delivery is what is told of a delivery, without the message.
func (e *Engine) delivery(x *queueing.Delivery, queue string) *broker.Delivery {
	return &broker.Delivery{ID: broker.DeliveryID{Queue: x.Queue, Number: x.Number}, Consumer: x.Consumer, Queue: queue, Redelivered: x.Redelivered,
		Returned: x.Returned, Fence: x.Fence}
}

var errNoReplica = errors.New("the shard has no replica on this node")

// fill reads a delivery's message from this node's journal.
func (e *Engine) fill(_ context.Context, shard broker.ShardID, x *queueing.Delivery, d *broker.Delivery) error {
	r, ok := e.replica(shard)
	if !ok {
		return errNoReplica
	}
	stored, err := e.opt.Journal.ReadPayload(uint64(shard), r.id, journal.Name(x.Name), make([]byte, 0, x.Name.Length))
	if err != nil {
		return err
	}
	return readMessage(stored, d)
}

// payloadAgain is the pause before a message is looked for again that is being pulled from a peer, or repaired.
const payloadAgain = 50 * time.Millisecond

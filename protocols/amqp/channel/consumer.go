package channel

import (
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// Consumer is one consumer of the channel.
type Consumer struct {
	Tag   string
	Queue string
	NoAck bool // what it is delivered is settled by having been written
	ID    broker.ConsumerID

	state consumerState
	early []*broker.Delivery // that came before consume-ok left
}

type consumerState uint8

const (
	consumerStarting consumerState = iota // the engine was asked
	consumerActive
	consumerGone // cancelled, or it never came to be
)

var consumerStateNames = [...]string{"starting", "active", "gone"}

func (s consumerState) String() string { return consumerStateNames[s] }

func (k *Consumer) String() string {
	mode := "ack"
	if k.NoAck {
		mode = "no-ack"
	}
	return fmt.Sprintf("%q of queue %q: %v, %s, %d early deliveries", k.Tag, k.Queue, k.state, mode, len(k.early))
}

// AddConsumer begins a consumer; an empty tag is made up. It is not there for the client before StartConsumer.
func (c *Channel) AddConsumer(tag, queue string, noAck bool) (*Consumer, *wire.Error) {
	if tag == "" {
		tag = c.nameConsumer()
	}
	if c.Consumer(tag) != nil {
		return nil, wire.Errorf(wire.NotAllowed, wire.MethodBasicConsume, "attempt to reuse consumer tag '%s'", tag)
	}
	k := &Consumer{Tag: tag, Queue: queue, NoAck: noAck}
	c.consumers = append(c.consumers, k)
	return k, nil
}

func (c *Channel) nameConsumer() string {
	for {
		c.named++
		if tag := fmt.Sprintf("amq.ctag-%d", c.named); c.Consumer(tag) == nil {
			return tag
		}
	}
}

// Consumer finds a consumer by its tag; nil: there is none.
func (c *Channel) Consumer(tag string) *Consumer {
	for _, k := range c.consumers {
		if k.Tag == tag {
			return k
		}
	}
	return nil
}

// Accepts says whether a delivery to the consumer is to be written now. One that comes before the consumer started is kept; one that
// comes after it went is to be forgotten: it is the channel's, or back in its queue.
func (k *Consumer) Accepts(d *broker.Delivery) bool {
	if k.state == consumerStarting {
		k.early = append(k.early, d)
	}
	return k.state == consumerActive
}

// Starting says that consume-ok was not sent yet.
func (k *Consumer) Starting() bool { return k.state == consumerStarting }

// Start says that consume-ok was sent, and returns what is to follow it.
func (k *Consumer) Start(id broker.ConsumerID) []*broker.Delivery {
	early := k.early
	k.ID, k.state, k.early = id, consumerActive, nil
	return early
}

// RemoveConsumer ends a consumer: cancelled, refused or gone with its queue. It says whether it was there.
func (c *Channel) RemoveConsumer(k *Consumer) bool {
	at := slices.Index(c.consumers, k)
	if at < 0 {
		return false
	}
	c.consumers = slices.Delete(c.consumers, at, at+1)
	k.state, k.early = consumerGone, nil
	return true
}

// Prefetch is how many deliveries a new consumer may have unsettled; 0: as many as the engine allows.
func (c *Channel) Prefetch() uint32 { return c.prefetch }

// Qos is basic.qos. Without global it is for consumers to come; with it, it is for those that there are as well, each by itself: they are
// returned, their credit is to be changed.
func (c *Channel) Qos(m *wire.BasicQos) ([]*Consumer, *wire.Error) {
	if m.PrefetchSize != 0 {
		return nil, wire.Errorf(wire.NotImplemented, m.ID(), "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	c.prefetch = uint32(m.PrefetchCount)
	if !m.Global {
		return nil, nil
	}
	return slices.Clone(c.consumers), nil
}

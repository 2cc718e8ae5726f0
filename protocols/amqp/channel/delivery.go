package channel

import (
	"slices"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

type deliveryState uint8

const (
	deliveryUnacked deliveryState = iota
	deliveryStaged                // settled in a transaction that is not committed
	deliveryGone
)

var deliveryStateNames = [...]string{"unacknowledged", "staged", "gone"}

func (s deliveryState) String() string { return deliveryStateNames[s] }

type delivery struct {
	tag   uint64
	id    broker.DeliveryID
	state deliveryState
}

// unacked are deliveries by their tags. Those that went stay until half of the list is gone.
type unacked struct {
	all  []delivery
	live int // that are not gone
}

func (u *unacked) find(tag uint64) *delivery {
	at, ok := slices.BinarySearchFunc(u.all, tag, func(d delivery, tag uint64) int {
		if d.tag < tag {
			return -1
		}
		if d.tag > tag {
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &u.all[at]
}

func (u *unacked) sweep() {
	if len(u.all) < 2*u.live+sweepAfter {
		return
	}
	u.all = slices.DeleteFunc(u.all, func(d delivery) bool { return d.state == deliveryGone })
	invariant.Check(len(u.all) == u.live, "BUG: %d deliveries counted, %d are there", u.live, len(u.all))
}

// Deliver gives a delivery its tag. One without acknowledgement has a tag, too, that cannot be settled.
func (c *Channel) Deliver(id broker.DeliveryID, noAck bool) uint64 {
	c.lastTag++
	if !noAck {
		c.unacked.all = append(c.unacked.all, delivery{tag: c.lastTag, id: id})
		c.unacked.live++
	}
	return c.lastTag
}

// Settle is basic.ack, nack and reject: of the tag, or with multiple of all up to it; 0 is all there are. It returns what the engine is to be
// told at once: nothing in a transaction.
func (c *Channel) Settle(method wire.MethodID, tag uint64, multiple bool, o broker.Outcome) ([]broker.Settlement, *wire.Error) {
	all := multiple && tag == 0
	if d := c.unacked.find(tag); !all && (d == nil || d.state != deliveryUnacked) {
		return nil, wire.Errorf(wire.PreconditionFailed, method, "unknown delivery tag %d", tag)
	} else if !multiple {
		return c.settle([]*delivery{d}, o), nil
	}
	var chosen []*delivery
	for i := range c.unacked.all {
		d := &c.unacked.all[i]
		if !all && d.tag > tag {
			break
		}
		if d.state == deliveryUnacked {
			chosen = append(chosen, d)
		}
	}
	return c.settle(chosen, o), nil
}

func (c *Channel) settle(chosen []*delivery, o broker.Outcome) []broker.Settlement {
	settlements := make([]broker.Settlement, len(chosen))
	for i, d := range chosen {
		settlements[i] = broker.Settlement{ID: d.id, Outcome: o}
		d.state = deliveryStaged
		if c.mode != Transactions {
			c.gone(d)
		}
	}
	if c.mode == Transactions {
		c.staged.settlements = append(c.staged.settlements, settlements...)
		return nil
	}
	c.unacked.sweep()
	return settlements
}

func (c *Channel) gone(d *delivery) {
	d.state = deliveryGone
	c.unacked.live--
}

// Recover is basic.recover: all that is unacknowledged returns to the queues, at once even in a transaction; what that
// staged stays.
func (c *Channel) Recover() []broker.Settlement {
	var settlements []broker.Settlement
	for i := range c.unacked.all {
		if d := &c.unacked.all[i]; d.state == deliveryUnacked {
			settlements = append(settlements, broker.Settlement{ID: d.id, Outcome: broker.Requeue})
			c.gone(d)
		}
	}
	c.unacked.sweep()
	return settlements
}

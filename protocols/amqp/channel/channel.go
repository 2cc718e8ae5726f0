package channel

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// Mode is what a client selected for its publishes.
type Mode uint8

// The modes.
const (
	Plain        Mode = iota // nothing was selected: publishes are not answered
	Confirming               // confirm.select
	Transactions             // tx.select
)

var modeNames = [...]string{"plain", "confirm", "tx"}

func (m Mode) String() string { return modeNames[m] }

// Channel is one open channel. It is not for concurrent use. The zero value is one that was just opened.
type Channel struct {
	mode      Mode
	confirms  confirms
	unacked   unacked
	lastTag   uint64
	consumers []*Consumer // in the order in which they came
	named     uint64      // consumer tags that were made up
	prefetch  uint32      // of consumers to come
	queue     string      // that was declared last
	staged    staged
}

// Mode is what was selected.
func (c *Channel) Mode() Mode { return c.mode }

// Select changes the mode. It cannot be left again.
func (c *Channel) Select(m Mode, method wire.MethodID) *wire.Error {
	if c.mode != Plain && c.mode != m {
		return wire.Errorf(wire.PreconditionFailed, method, "cannot switch from %v to %v mode", c.mode, m)
	}
	c.mode = m
	return nil
}

// Declared notes the queue that an empty name stands for from now on.
func (c *Channel) Declared(queue string) { c.queue = queue }

// Queue is the queue that a method names; an empty name is the queue that was declared last.
func (c *Channel) Queue(name string, method wire.MethodID) (string, *wire.Error) {
	if name != "" {
		return name, nil
	}
	if c.queue == "" {
		return "", wire.Errorf(wire.NotFound, method, "no previously declared queue")
	}
	return c.queue, nil
}

// String is the channel in one line.
func (c *Channel) String() string {
	return fmt.Sprintf("%v: %d unconfirmed, %d unacknowledged, %d staged publishes, %d staged settlements, %d consumers",
		c.mode, c.confirms.awaited(), c.unacked.live, len(c.staged.publishes), len(c.staged.settlements), len(c.consumers))
}

// Describe is the channel in lines.
func (c *Channel) Describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n", c)
	for _, d := range c.unacked.all {
		if d.state != deliveryGone {
			fmt.Fprintf(&b, "  delivery %d of queue %d, number %d: %v\n", d.tag, d.id.Queue, d.id.Number, d.state)
		}
	}
	for _, k := range c.consumers {
		fmt.Fprintf(&b, "  consumer %v\n", k)
	}
	return b.String()
}

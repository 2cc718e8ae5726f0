package channel

import (
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// StagedPublish is a publish that waits for its transaction.
type StagedPublish struct {
	Publish   *broker.Publish
	Mandatory bool
}

// staged is what a transaction has so far.
type staged struct {
	publishes   []StagedPublish
	settlements []broker.Settlement
	bytes       int64 // of the publishes
}

// Stage adds a publish of so many bytes to the transaction.
func (c *Channel) Stage(p StagedPublish, bytes int64) {
	c.staged.publishes = append(c.staged.publishes, p)
	c.staged.bytes += bytes
}

// StagedBytes are those of the publishes that wait for a commit.
func (c *Channel) StagedBytes() int64 { return c.staged.bytes }

// StagedCount is how many publishes and settlements wait for a commit.
func (c *Channel) StagedCount() int { return len(c.staged.publishes) + len(c.staged.settlements) }

// Commit is what a tx.commit decides. Call Committed when it is; it stays staged until then.
func (c *Channel) Commit() ([]StagedPublish, []broker.Settlement, *wire.Error) {
	if c.mode != Transactions {
		return nil, nil, wire.Errorf(wire.PreconditionFailed, wire.MethodTxCommit, "channel is not transactional")
	}
	return c.staged.publishes, c.staged.settlements, nil
}

// Committed says that what was staged is decided: the deliveries are settled, and the next transaction has begun.
func (c *Channel) Committed() {
	for i := range c.unacked.all {
		if d := &c.unacked.all[i]; d.state == deliveryStaged {
			c.gone(d)
		}
	}
	c.unacked.sweep()
	c.staged = staged{}
}

// Rollback forgets what was staged: the publishes never were, the deliveries are unacknowledged as before.
func (c *Channel) Rollback() *wire.Error {
	if c.mode != Transactions {
		return wire.Errorf(wire.PreconditionFailed, wire.MethodTxRollback, "channel is not transactional")
	}
	for i := range c.unacked.all {
		if d := &c.unacked.all[i]; d.state == deliveryStaged {
			d.state = deliveryUnacked
		}
	}
	c.staged = staged{}
	return nil
}

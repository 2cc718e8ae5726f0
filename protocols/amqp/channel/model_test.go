package channel_test

import (
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/channel"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
	"pgregory.net/rapid"
)

// A client like amqp091-go counts up: an ack or nack with multiple decides everything up to it that is open, whatever it was told out of turn.
type confirmClient struct {
	expecting uint64
	early     map[uint64]bool
	decided   map[uint64]bool
}

func (c *confirmClient) hear(t *rapid.T, m wire.Method) {
	tag, stored, multiple := uint64(0), false, false
	switch m := m.(type) {
	case *wire.BasicAck:
		tag, stored, multiple = m.DeliveryTag, true, m.Multiple
	case *wire.BasicNack:
		tag, multiple = m.DeliveryTag, m.Multiple
	}
	if tag < c.expecting {
		t.Fatalf("%v: the client expects %d", m, c.expecting)
	}
	if _, twice := c.early[tag]; twice {
		t.Fatalf("%v: told twice", m)
	}
	for multiple && c.expecting <= tag {
		c.decided[c.expecting] = stored
		delete(c.early, c.expecting)
		c.expecting++
	}
	if !multiple {
		c.early[tag] = stored
	}
	for {
		stored, ok := c.early[c.expecting]
		if !ok {
			return
		}
		c.decided[c.expecting] = stored
		delete(c.early, c.expecting)
		c.expecting++
	}
}

func TestEveryPublishIsConfirmedOnceAndAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c channel.Channel
		if err := c.Select(channel.Confirming, wire.MethodConfirmSelect); err != nil {
			t.Fatal(err)
		}
		client := &confirmClient{expecting: 1, early: map[uint64]bool{}, decided: map[uint64]bool{}}
		var open []uint64
		truth := map[uint64]bool{}
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			if len(open) == 0 || rapid.Bool().Draw(t, "publish") {
				open = append(open, c.Published())
				continue
			}
			for range rapid.IntRange(1, len(open)).Draw(t, "resolved") {
				at := rapid.IntRange(0, len(open)-1).Draw(t, "which")
				truth[open[at]] = rapid.IntRange(0, 3).Draw(t, "stored") > 0
				c.Resolve(open[at], truth[open[at]])
				open = append(open[:at], open[at+1:]...)
			}
			c.Confirms(func(m wire.Method) { client.hear(t, m) })
		}
		for _, sequence := range open {
			truth[sequence] = true
			c.Resolve(sequence, true)
		}
		c.Confirms(func(m wire.Method) { client.hear(t, m) })
		if len(client.decided) != len(truth) {
			t.Fatalf("%d of %d publishes were confirmed", len(client.decided), len(truth))
		}
		for sequence, stored := range truth {
			if client.decided[sequence] != stored {
				t.Fatalf("publish %d: stored is %v, the client heard %v", sequence, stored, client.decided[sequence])
			}
		}
	})
}

// Whatever the client settles, every delivery goes to the engine at most once, in the order of the settling calls, and a rollback
// gives all of a transaction back.
func TestDeliveriesAreSettledOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c channel.Channel
		transactional := rapid.Bool().Draw(t, "tx")
		if transactional {
			if err := c.Select(channel.Transactions, wire.MethodTxSelect); err != nil {
				t.Fatal(err)
			}
		}
		last := uint64(0)
		unacked, staged := map[uint64]bool{}, map[uint64]bool{}
		told := func(list []broker.Settlement) {
			for _, s := range list {
				if !unacked[s.ID.Number] {
					t.Fatalf("delivery %d settled, it is not unacknowledged", s.ID.Number)
				}
				delete(unacked, s.ID.Number)
			}
		}
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				last++
				if tag := c.Deliver(broker.DeliveryID{Queue: 1, Number: last}, false); tag != last {
					t.Fatalf("tag %d, want %d", tag, last)
				}
				unacked[last] = true
			case 2:
				tag, multiple := rapid.Uint64Range(0, last+1).Draw(t, "tag"), rapid.Bool().Draw(t, "multiple")
				list, err := c.Settle(wire.MethodBasicAck, tag, multiple, broker.Acknowledge)
				if legal := unacked[tag] || multiple && tag == 0; legal != (err == nil) {
					t.Fatalf("settle %d, multiple %v: %v", tag, multiple, err)
				}
				if !transactional {
					told(list)
				}
				for n := range unacked {
					if err == nil && transactional && (n == tag || multiple && (tag == 0 || n < tag)) {
						delete(unacked, n)
						staged[n] = true
					}
				}
				if err == nil && !transactional && (unacked[tag] || multiple && tag == 0 && len(unacked) > 0) {
					t.Fatalf("settle %d, multiple %v left %v", tag, multiple, unacked)
				}
			case 3:
				told(c.Recover())
				if len(unacked) > 0 {
					t.Fatalf("recover left %v", unacked)
				}
			case 4:
				_, list, err := c.Commit()
				if (err == nil) != transactional || len(list) != len(staged) {
					t.Fatalf("commit of %d settlements, want %d: %v", len(list), len(staged), err)
				}
				if rapid.Bool().Draw(t, "rollback") {
					c.Rollback()
					for n := range staged {
						unacked[n] = true
					}
				} else {
					c.Committed()
				}
				clear(staged)
			}
		}
	})
}

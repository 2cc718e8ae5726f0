package channel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/channel"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// Each file of testdata is a conversation: verbs are what the client, or the engine, does.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &scenario{}
		datadriven.RunTest(t, path, s.run)
	})
}

type scenario struct {
	channel   channel.Channel
	delivered uint64
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	var b strings.Builder
	err := s.do(t, d, &b)
	if err != nil {
		fmt.Fprintf(&b, "%v\n", err)
	}
	if d.Cmd == "describe" {
		return s.channel.Describe()
	}
	if b.Len() == 0 {
		return "ok"
	}
	return b.String()
}

func (s *scenario) do(t *testing.T, d *datadriven.TestData, b *strings.Builder) *wire.Error {
	c := &s.channel
	var tag, count uint64
	var text string
	d.MaybeScanArgs(t, "tag", &tag)
	d.MaybeScanArgs(t, "count", &count)
	d.MaybeScanArgs(t, "name", &text)
	send := func(m wire.Method) { fmt.Fprintln(b, m) }
	settle := func(m wire.MethodID, o broker.Outcome) *wire.Error {
		list, err := c.Settle(m, tag, d.HasArg("multiple"), o)
		print(b, list)
		return err
	}
	switch d.Cmd {
	case "confirm-select":
		return c.Select(channel.Confirming, wire.MethodConfirmSelect)
	case "tx-select":
		return c.Select(channel.Transactions, wire.MethodTxSelect)
	case "publish":
		for range max(count, 1) {
			fmt.Fprintf(b, "number %d\n", c.Published())
		}
	case "stored", "refused":
		var tags []uint64
		d.ScanArgs(t, "tags", &tags)
		for _, n := range tags {
			c.Resolve(n, d.Cmd == "stored")
		}
		c.Confirms(send)
	case "deliver":
		for range max(count, 1) {
			s.delivered++
			n := c.Deliver(broker.DeliveryID{Queue: 1, Number: 100 + s.delivered}, d.HasArg("no-ack"))
			fmt.Fprintf(b, "tag %d\n", n)
		}
	case "ack":
		return settle(wire.MethodBasicAck, broker.Acknowledge)
	case "nack":
		return settle(wire.MethodBasicNack, broker.Requeue)
	case "reject":
		return settle(wire.MethodBasicReject, broker.Reject)
	case "recover":
		print(b, c.Recover())
	case "stage":
		c.Stage(channel.StagedPublish{}, 10)
	case "commit":
		publishes, list, err := c.Commit()
		fmt.Fprintf(b, "%d publishes\n", len(publishes))
		print(b, list)
		return err
	case "committed":
		c.Committed()
	case "rollback":
		return c.Rollback()
	case "consume":
		k, err := c.AddConsumer(text, "q", false)
		if k != nil {
			fmt.Fprintln(b, k)
		}
		return err
	case "delivered":
		fmt.Fprintln(b, c.Consumer(text).Accepts(&broker.Delivery{}))
	case "start":
		fmt.Fprintf(b, "%d early deliveries\n", len(c.Consumer(text).Start(1)))
	case "cancel":
		fmt.Fprintln(b, c.RemoveConsumer(c.Consumer(text)))
	case "qos":
		m := &wire.BasicQos{PrefetchCount: uint16(count), Global: d.HasArg("global")}
		if d.HasArg("size") {
			m.PrefetchSize = 1
		}
		changed, err := c.Qos(m)
		fmt.Fprintf(b, "prefetch %d, %d consumers change\n", c.Prefetch(), len(changed))
		return err
	case "declared":
		c.Declared(text)
	case "queue":
		name, err := c.Queue(text, wire.MethodQueuePurge)
		fmt.Fprintf(b, "%q\n", name)
		return err
	case "describe":
	default:
		t.Fatalf("no verb %q", d.Cmd)
	}
	return nil
}

func print(b *strings.Builder, list []broker.Settlement) {
	for _, s := range list {
		fmt.Fprintf(b, "settle %d as %d\n", s.ID.Number, s.Outcome)
	}
}

package amqp

import (
	"testing"

	client "github.com/rabbitmq/amqp091-go"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

func TestRefusalsAreNotConfirmed(t *testing.T) {
	w := start(t, Limits{})
	ch := w.channel(w.dial())
	w.queue(ch, "full", client.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
	w.queue(ch, "q", nil)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirms := ch.NotifyPublish(make(chan client.Confirmation, 10))
	w.publish(ch, "full", "x")
	if c := next(t, confirms); c.Ack {
		t.Fatal("a full queue took a message")
	}
	w.broker.Refuse("publish", broker.Refuse(broker.CodeUnavailable, "publish", "q"))
	w.publish(ch, "q", "x")
	if c := next(t, confirms); c.Ack {
		t.Fatal("a publish that was certainly not done was confirmed")
	}
	w.broker.Refuse("publish", nil)
	w.publish(ch, "q", "x")
	if c := next(t, confirms); !c.Ack || c.DeliveryTag != 3 {
		t.Fatalf("%+v", c)
	}
}

// Neither ack nor nack would be true: the connection ends, so that the publisher knows that it does not know.
func TestAnUnknownOutcomeIsNeitherAckNorNack(t *testing.T) {
	w := start(t, Limits{})
	c := w.dial()
	ch := w.channel(c)
	w.queue(ch, "q", nil)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirms, closed := ch.NotifyPublish(make(chan client.Confirmation, 10)), c.NotifyClose(make(chan *client.Error, 1))
	w.broker.Refuse("publish", broker.Refuse(broker.CodeOutcomeUnknown, "publish", "q"))
	w.publish(ch, "q", "x")
	wantCode(t, next(t, closed), 541)
	if c, ok := <-confirms; ok {
		t.Fatalf("%+v", c)
	}
}

// Without confirms there is nobody to nack: a message that is not stored ends the connection, but for a queue that is full.
func TestUnconfirmedPublishesAreNotLostSilently(t *testing.T) {
	w := start(t, Limits{})
	c := w.dial()
	ch := w.channel(c)
	w.queue(ch, "full", client.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
	w.publish(ch, "full", "dropped, as the queue says")
	w.queue(ch, "q", nil)
	closed := c.NotifyClose(make(chan *client.Error, 1))
	w.broker.Refuse("publish", broker.Refuse(broker.CodeUnavailable, "publish", "q"))
	w.publish(ch, "q", "x")
	wantCode(t, next(t, closed), 541)
}

func TestConfirmsThatComeInAnyOrder(t *testing.T) {
	w := start(t, Limits{})
	ch := w.channel(w.dial())
	w.queue(ch, "q", nil)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirms := ch.NotifyPublish(make(chan client.Confirmation, 50))
	w.broker.Hold()
	for range 50 {
		w.publish(ch, "q", "x")
	}
	if _, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	w.broker.Release()
	for i := range 50 {
		if c := next(t, confirms); !c.Ack || c.DeliveryTag != uint64(i+1) {
			t.Fatalf("%+v", c)
		}
	}
}

func TestClientsAreToldThatTheNodeIsFull(t *testing.T) {
	w := start(t, Limits{NodeBytesMax: 1 << 20, ConnectionBytesMax: 1 << 20, TransactionBytesMax: 1 << 20})
	c := w.dial()
	ch := w.channel(c)
	w.queue(ch, "q", nil)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirms, blocked := ch.NotifyPublish(make(chan client.Confirmation, 2)), c.NotifyBlocked(make(chan client.Blocking, 2))
	other := w.channel(w.dial())
	w.broker.Hold()
	w.publish(other, "q", string(make([]byte, 900<<10)))
	if _, err := other.QueueDeclarePassive("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	w.publish(ch, "q", "the first is always taken")
	w.publish(ch, "q", string(make([]byte, 200<<10)))
	if b := next(t, blocked); !b.Active {
		t.Fatalf("%+v", b)
	}
	w.broker.Release()
	if b := next(t, blocked); b.Active {
		t.Fatalf("%+v", b)
	}
	for range 2 {
		if c := next(t, confirms); !c.Ack {
			t.Fatalf("%+v", c)
		}
	}
}

func TestTransactions(t *testing.T) {
	w := start(t, Limits{})
	c := w.dial()
	ch, look := w.channel(c), w.channel(c)
	w.queue(ch, "from", nil)
	w.queue(ch, "to", nil)
	w.publish(ch, "from", "order")
	if err := ch.Tx(); err != nil {
		t.Fatal(err)
	}
	d, ok, err := ch.Get("from", false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	transfer := func() {
		w.publish(ch, "to", "transfer")
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(queue string, want int) {
		t.Helper()
		if q, err := look.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil || q.Messages != want {
			t.Fatalf("%+v, %v, want %d messages", q, err, want)
		}
	}
	transfer()
	if err := ch.TxRollback(); err != nil {
		t.Fatal(err)
	}
	ready("to", 0)
	transfer()
	if err := ch.TxCommit(); err != nil {
		t.Fatal(err)
	}
	ready("to", 1)
	// A queue that is full refuses all of it.
	w.queue(look, "full", client.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
	w.publish(ch, "to", "second")
	w.publish(ch, "full", "third")
	wantCode(t, ch.TxCommit(), 406)
	ready("to", 1)
	// Nobody knows: that is no refusal, and no commit either.
	ch = w.channel(c)
	if err := ch.Tx(); err != nil {
		t.Fatal(err)
	}
	w.publish(ch, "to", "fourth")
	w.broker.Refuse("commit", broker.Refuse(broker.CodeOutcomeUnknown, "commit", ""))
	wantCode(t, ch.TxCommit(), 541)
}

// Every code has a reply, and what nobody knows is never a reply that leaves the channel open for another try.
func TestEveryCodeHasAReply(t *testing.T) {
	for _, code := range broker.Codes() {
		e := refusal(broker.Refuse(code, "op", "thing"), wire.MethodQueueBind)
		if e.Code < 300 || e.Method != wire.MethodQueueBind {
			t.Errorf("%v: %v", code, e)
		}
	}
	for _, code := range []broker.Code{broker.CodeOutcomeUnknown, broker.CodeInternal, broker.CodeCorrupt, broker.CodeUnavailable, broker.CodeSessionLost} {
		if reply := replyCode(code); !reply.Hard() {
			t.Errorf("%v is %v, which leaves the connection open", code, reply)
		}
	}
}

// What is confirmed when a client closes its channel it is told before close-ok, and a new secret changes nothing.
func TestConfirmsBeforeTheEndOfAChannel(t *testing.T) {
	w := start(t, Limits{})
	c := w.dial()
	if err := c.UpdateSecret("another", "why not"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ch := w.channel(c)
		w.queue(ch, "q", nil)
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		var all []*client.DeferredConfirmation
		for range 10 {
			d, err := ch.PublishWithDeferredConfirm("", "q", false, false, client.Publishing{Body: []byte("x")})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, d)
		}
		if _, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); err != nil { // what was published before is there by then
			t.Fatal(err)
		}
		if err := ch.Close(); err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if !d.Acked() {
				t.Fatal("the channel was closed before a confirm was told")
			}
		}
	}
}

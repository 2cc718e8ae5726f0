package amqp

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
	"github.com/tallymq/tallymq/internal/freeport"
	"github.com/tallymq/tallymq/protocols/amqp/amqptest"
)

// patience bounds waits for what is sure to come: a test that reaches it has failed.
const patience = 30 * time.Second

// world is a server in front of a broker in memory.
type world struct {
	t       *testing.T
	broker  *amqptest.Broker
	server  *Server
	address string
}

func start(t *testing.T, limits Limits) *world {
	t.Helper()
	addresses, err := freeport.Addresses(1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	b := amqptest.New()
	s, err := NewServer(Options{Queues: b, Version: "test", Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve ended with %v", err)
		}
		if got := s.Stats(); got.Connections != 0 || got.Handshakes != 0 || got.BytesInFlight != 0 {
			t.Errorf("after all connections ended: %v", s)
		}
		if n := b.Sessions(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
	return &world{t, b, s, l.Addr().String()}
}

func (w *world) dial() *client.Connection {
	w.t.Helper()
	c, err := client.Dial("amqp://guest:guest@" + w.address + "/")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

func (w *world) channel(c *client.Connection) *client.Channel {
	w.t.Helper()
	ch, err := c.Channel()
	if err != nil {
		w.t.Fatal(err)
	}
	return ch
}

func (w *world) queue(ch *client.Channel, name string, arguments client.Table) {
	w.t.Helper()
	if _, err := ch.QueueDeclare(name, true, false, false, false, arguments); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) publish(ch *client.Channel, key, body string) {
	w.t.Helper()
	if err := ch.PublishWithContext(context.Background(), "", key, false, false, client.Publishing{Body: []byte(body)}); err != nil {
		w.t.Fatal(err)
	}
}

// next waits for what a channel brings.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatal("the channel was closed")
		}
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("unreachable")
}

func wantCode(t *testing.T, err error, code int) {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v, want code %d", err, code)
	}
}

func TestWhatIsPublishedIsConsumedInOrder(t *testing.T) {
	w := start(t, Limits{})
	ch := w.channel(w.dial())
	w.queue(ch, "orders", nil)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirms := ch.NotifyPublish(make(chan client.Confirmation, 100))
	big := make([]byte, 1<<20)
	for i := range 100 {
		p := client.Publishing{Body: []byte{byte(i)}, Headers: client.Table{"n": int32(i)}, MessageId: "m"}
		if i == 50 {
			p.Body = append(p.Body, big...)
		}
		if err := ch.PublishWithContext(context.Background(), "amq.direct", "key", false, false, p); err != nil {
			t.Fatal(err)
		}
		p.Body[0] = byte(i)
		if err := ch.PublishWithContext(context.Background(), "", "orders", false, false, p); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if c := next(t, confirms); !c.Ack {
				t.Fatalf("%+v", c)
			}
		}
	}
	if err := ch.Qos(7, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("orders", "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		d := next(t, deliveries)
		if d.Body[0] != byte(i) || d.Headers["n"] != int32(i) || d.MessageId != "m" || d.Redelivered || (i == 50) != (len(d.Body) > 1) {
			t.Fatalf("delivery %d: %d bytes, %v", i, len(d.Body), d.Headers)
		}
		if i%3 == 2 || i == 99 {
			if err := d.Ack(true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if q, err := ch.QueueDeclarePassive("orders", true, false, false, false, nil); err != nil || q.Messages != 0 || q.Consumers != 1 {
		t.Fatalf("%+v, %v", q, err)
	}
}

func TestDeliveriesWithoutAcknowledgementAreSettledWhenWritten(t *testing.T) {
	w := start(t, Limits{})
	ch := w.channel(w.dial())
	w.queue(ch, "q", nil)
	deliveries, err := ch.Consume("q", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 * creditNoAck {
		w.publish(ch, "q", "x")
	}
	for range 3 * creditNoAck {
		next(t, deliveries)
	}
	w.publish(ch, "q", "y")
	next(t, deliveries)
	if err := ch.Cancel("", false); err != nil {
		t.Fatal(err)
	}
}

func TestUnroutableMessagesReturnBeforeTheirConfirm(t *testing.T) {
	w := start(t, Limits{})
	ch := w.channel(w.dial())
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	returns, confirms := ch.NotifyReturn(make(chan client.Return, 1)), ch.NotifyPublish(make(chan client.Confirmation, 1))
	p := client.Publishing{Body: []byte("nowhere"), Headers: client.Table{"BCC": []any{"hidden"}, "a": "b"}}
	if err := ch.PublishWithContext(context.Background(), "", "missing", true, false, p); err != nil {
		t.Fatal(err)
	}
	if c := next(t, confirms); !c.Ack || len(returns) != 1 {
		t.Fatalf("%+v, %d returns came before it", c, len(returns))
	}
	if r := next(t, returns); r.ReplyCode != 312 || string(r.Body) != "nowhere" || r.Headers["a"] != "b" || r.Headers["BCC"] != nil {
		t.Fatalf("%+v", r)
	}
}

func TestAChannelsErrorIsItsOwn(t *testing.T) {
	w := start(t, Limits{})
	c := w.dial()
	good, bad := w.channel(c), w.channel(c)
	w.queue(good, "q", nil)
	closed := bad.NotifyClose(make(chan *client.Error, 1))
	if err := bad.PublishWithContext(context.Background(), "no such exchange", "", false, false, client.Publishing{}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, next(t, closed), 404)
	if _, err := w.channel(c).QueueDeclarePassive("missing", false, false, false, false, nil); err == nil {
		t.Fatal("a queue that nobody declared was found")
	} else {
		wantCode(t, err, 404)
	}
	w.publish(good, "q", "still here")
	if d, ok, err := good.Get("q", false); err != nil || !ok || string(d.Body) != "still here" {
		t.Fatalf("%+v, %v, %v", d, ok, err)
	}
	wantCode(t, func() error {
		closed := good.NotifyClose(make(chan *client.Error, 1))
		if err := good.Ack(99, false); err != nil {
			t.Fatal(err)
		}
		return next(t, closed)
	}(), 406)
	// What the closed channel held is back, and marked.
	if d, ok, err := w.channel(c).Get("q", true); err != nil || !ok || !d.Redelivered {
		t.Fatalf("%+v, %v, %v", d, ok, err)
	}
}

func TestConsumersAreToldThatTheirQueueIsGone(t *testing.T) {
	w := start(t, Limits{})
	ch := w.channel(w.dial())
	w.queue(ch, "q", nil)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	deliveries, err := ch.Consume("q", "me", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.channel(w.dial()).QueueDelete("q", false, false, false); err != nil {
		t.Fatal(err)
	}
	if tag := next(t, cancelled); tag != "me" {
		t.Fatalf("%q was cancelled", tag)
	}
	if _, ok := <-deliveries; ok {
		t.Fatal("a delivery of a queue that is gone")
	}
}

func TestALostSessionEndsTheConnection(t *testing.T) {
	w := start(t, Limits{})
	c := w.dial()
	closed := c.NotifyClose(make(chan *client.Error, 1))
	w.broker.LoseSessions()
	wantCode(t, next(t, closed), 320)
}

func TestShutdownConfirmsWhatIsInFlightAndSaysWhy(t *testing.T) {
	w := start(t, Limits{})
	c := w.dial()
	ch := w.channel(c)
	w.queue(ch, "q", nil)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirms, closed := ch.NotifyPublish(make(chan client.Confirmation, 1)), c.NotifyClose(make(chan *client.Error, 1))
	w.broker.Hold()
	w.publish(ch, "q", "in flight")
	if _, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); err != nil { // the publish before it was taken
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.server.Shutdown(context.Background()) }()
	<-w.server.stopping.Done()
	w.broker.Release()
	if c := next(t, confirms); !c.Ack {
		t.Fatalf("%+v", c)
	}
	wantCode(t, next(t, closed), 320)
	if err := next(t, done); err != nil {
		t.Fatal(err)
	}
}

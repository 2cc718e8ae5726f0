package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tallymq/tallymq/engine/broker"
)

// amqp is a connection's session in a test, with what its consumers got.
type amqp struct {
	broker.QueueSession
	t    testing.TB
	lost chan error

	mu  sync.Mutex
	got []*broker.Delivery
}

func connect(t testing.TB, n *testNode) *amqp {
	t.Helper()
	a := &amqp{t: t, lost: make(chan error, 1)}
	s, err := n.e.OpenSession(context.Background(), broker.Client{Protocol: "amqp"}, broker.DefaultHost, func(err error) { a.lost <- err })
	if err != nil {
		t.Fatal(err)
	}
	a.QueueSession = s
	return a
}

func (a *amqp) declare(name string, args ...broker.Argument) broker.QueueStatus {
	a.t.Helper()
	var st broker.QueueStatus
	eventually(a.t, "declare "+name, func() (err error) {
		st, err = a.DeclareQueue(context.Background(), broker.QueueSpec{Name: name, Durable: true, Arguments: args})
		return err
	})
	return st
}

// publish publishes one message and waits for its confirm.
func (a *amqp) publish(exchange, key, body string) (broker.PublishResult, error) {
	done := make(chan struct{})
	var r broker.PublishResult
	var err error
	a.Publish(context.Background(), &broker.Publish{Message: broker.Message{Exchange: exchange, Key: key, Body: []byte(body), Properties: []byte("p:" + body), Persistent: true},
		Done: func(x broker.PublishResult, e error) { r, err = x, e; close(done) }})
	<-done
	return r, err
}

func (a *amqp) mustPublish(exchange, key string, bodies ...string) {
	a.t.Helper()
	for _, b := range bodies {
		eventually(a.t, "publish "+b, func() error {
			r, err := a.publish(exchange, key, b)
			if err == nil && r.Queues == 0 {
				return errors.New("unroutable")
			}
			return err
		})
	}
}

// consume begins a consumer whose deliveries are collected.
func (a *amqp) consume(queue string, messages uint32) broker.ConsumerID {
	a.t.Helper()
	var id broker.ConsumerID
	eventually(a.t, "consume "+queue, func() (err error) {
		id, err = a.Consume(context.Background(), &broker.Consume{Queue: queue, Channel: 1, Messages: messages, Deliver: func(d *broker.Delivery) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.got = append(a.got, d)
		}, Ended: func(err error) { a.lost <- err }})
		return err
	})
	return id
}

// wait waits until so many deliveries are there, and takes them.
func (a *amqp) wait(n int) []*broker.Delivery {
	a.t.Helper()
	var out []*broker.Delivery
	eventually(a.t, fmt.Sprintf("%d deliveries", n), func() error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.got) < n {
			return fmt.Errorf("%d deliveries", len(a.got))
		}
		out, a.got = a.got, nil
		return nil
	})
	return out
}

func (a *amqp) settle(ds []*broker.Delivery, o broker.Outcome) {
	a.t.Helper()
	var items []broker.Settlement
	for _, d := range ds {
		items = append(items, broker.Settlement{ID: d.ID, Outcome: o})
	}
	done := make(chan error, 1)
	a.Settle(context.Background(), items, func(err error) { done <- err })
	if err := <-done; err != nil {
		a.t.Fatal(err)
	}
}

func bodies(ds []*broker.Delivery) (out []string) {
	for _, d := range ds {
		out = append(out, string(d.Body))
	}
	return out
}

// ready asks how many messages are ready.
func (a *amqp) ready(queue string) uint64 {
	a.t.Helper()
	var st broker.QueueStatus
	eventually(a.t, "find "+queue, func() (err error) {
		st, err = a.FindQueue(context.Background(), queue)
		return err
	})
	return st.Messages
}

// What was confirmed is delivered, in order, with its properties; what was acknowledged is gone, also after a restart; what
// was not is delivered again, marked.
func TestQueueLife(t *testing.T) {
	ns := newTestCluster(t, 1)
	a := connect(t, ns[0])
	a.declare("orders")
	if r, err := a.publish("", "nowhere", "x"); err != nil || r.Queues != 0 {
		t.Fatalf("unroutable: %+v %v", r, err)
	}
	a.mustPublish("", "orders", "1", "2", "3", "4")
	a.consume("orders", 3)
	got := a.wait(3)
	if !slices.Equal(bodies(got), []string{"1", "2", "3"}) || string(got[0].Properties) != "p:1" || got[0].Key != "orders" || got[0].Redelivered {
		t.Fatalf("got %v, first %+v", bodies(got), got[0])
	}
	a.settle(got[:1], broker.Acknowledge)
	if more := a.wait(1); !slices.Equal(bodies(more), []string{"4"}) {
		t.Fatalf("then got %v", bodies(more))
	}
	a.settle(got[1:2], broker.Requeue)
	if again := a.wait(1); !slices.Equal(bodies(again), []string{"2"}) || !again[0].Redelivered {
		t.Fatalf("requeued: %v", bodies(again))
	}
	ns[0].stop()
	ns[0].start()
	ns[0].ready()
	b := connect(t, ns[0])
	b.consume("orders", 10)
	if got := b.wait(3); !slices.Equal(bodies(got), []string{"2", "3", "4"}) || !got[0].Redelivered {
		t.Fatalf("after restart: %v", bodies(got))
	}
	if n := b.ready("orders"); n != 0 {
		t.Fatalf("%d ready", n)
	}
}

// Three nodes: a message is delivered wherever its consumer is connected, whoever leads and whoever stops.
func TestQueueOnThreeNodes(t *testing.T) {
	ns := newTestCluster(t, 3)
	p := connect(t, ns[0])
	p.declare("payments")
	want := 0
	for i := range ns {
		c := connect(t, ns[(i+1)%3])
		c.consume("payments", 0)
		var names []string
		for k := range 20 {
			names = append(names, fmt.Sprintf("%d/%d", i, k))
		}
		p.mustPublish("", "payments", names...)
		got := c.wait(20)
		if !slices.Equal(bodies(got), names) {
			t.Fatalf("round %d: %v", i, bodies(got))
		}
		c.settle(got, broker.Acknowledge)
		want += 20
		c.Close(context.Background())
		ns[i].stop()
		ns[i].start()
		ns[i].ready()
		p = connect(t, ns[0])
		if n := p.ready("payments"); n != 0 {
			t.Fatalf("round %d: %d ready", i, n)
		}
	}
}

// A node that dies loses its lease: another consumer gets what its consumers held.
func TestLostLease(t *testing.T) {
	ns := newTestCluster(t, 3)
	p := connect(t, ns[0])
	p.declare("q")
	dead := connect(t, ns[2])
	dead.consume("q", 5)
	p.mustPublish("", "q", "1", "2", "3")
	dead.wait(3)
	heir := connect(t, ns[1])
	heir.consume("q", 5)
	ns[2].stop()
	var got []*broker.Delivery
	eventually(t, "somebody else gets them", func() error {
		select {
		case err := <-heir.lost: // an election took longer than a lease
			t.Log(err)
			heir = connect(t, ns[1])
			heir.consume("q", 5)
		default:
		}
		heir.mu.Lock()
		defer heir.mu.Unlock()
		if got = heir.got; len(got) < 3 {
			return fmt.Errorf("%d deliveries", len(got))
		}
		return nil
	})
	if !slices.Equal(bodies(got), []string{"1", "2", "3"}) || !got[0].Redelivered {
		t.Fatalf("got %v", bodies(got))
	}
	for _, d := range got {
		if d.Returned == 0 {
			t.Errorf("%s was returned %d times", d.Body, d.Returned)
		}
	}
}

// Declarations: what is there is agreed with or refused, bindings route, deletion takes all along.
func TestDeclarations(t *testing.T) {
	ns := newTestCluster(t, 1)
	ctx := context.Background()
	a, b := connect(t, ns[0]), connect(t, ns[0])
	number := func(name string, n int64) broker.Argument {
		return broker.Argument{Name: name, Value: broker.ArgumentValue{Kind: broker.ArgumentInt, Int: n}}
	}
	a.declare("q", number("x-max-length", 2), number("x-unheard-of", 1))
	code := func(what string, err error, want broker.Code) {
		t.Helper()
		if broker.CodeOf(err) != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err := b.DeclareQueue(ctx, broker.QueueSpec{Name: "q", Durable: true})
	code("another length", err, broker.CodeInequivalent)
	st, err := b.DeclareQueue(ctx, broker.QueueSpec{Name: "q", Durable: true, Arguments: []broker.Argument{number("x-max-length", 2), number("x-unheard-of", 1)}})
	code("the same", err, broker.CodeNone)
	if !slices.Equal(st.Ignored, []string{"x-unheard-of"}) {
		t.Errorf("ignored %v", st.Ignored)
	}
	_, err = b.DeclareQueue(ctx, broker.QueueSpec{Name: "z", Arguments: []broker.Argument{number("x-max-length", -1)}})
	code("negative length", err, broker.CodeInvalidArgument)
	_, err = b.DeclareQueue(ctx, broker.QueueSpec{Name: "amq.z"})
	code("reserved", err, broker.CodeForbidden)
	_, err = b.FindQueue(ctx, "z")
	code("unknown", err, broker.CodeUnknownQueue)

	code("exchange", a.DeclareExchange(ctx, broker.Exchange{Name: "x", Type: "topic", Durable: true}), broker.CodeNone)
	code("exchange again", b.DeclareExchange(ctx, broker.Exchange{Name: "x", Type: "topic", Durable: true}), broker.CodeNone)
	code("another exchange", b.DeclareExchange(ctx, broker.Exchange{Name: "x", Type: "fanout", Durable: true}), broker.CodeInequivalent)
	code("predeclared", b.DeclareExchange(ctx, broker.Exchange{Name: "amq.direct", Type: "direct", Durable: true}), broker.CodeNone)
	code("bind to nothing", a.Bind(ctx, broker.Binding{Source: "x", Destination: "z"}), broker.CodeUnknownQueue)
	code("bind", a.Bind(ctx, broker.Binding{Source: "x", Destination: "q", Key: "eu.#"}), broker.CodeNone)
	code("in use", a.DeleteExchange(ctx, "x", true), broker.CodeInUse)
	_, err = a.publish("y", "k", "1")
	code("unknown exchange", err, broker.CodeUnknownExchange)
	for i, want := range []uint64{1, 2, 2} { // the third drops the first
		a.mustPublish("x", "eu.de", fmt.Sprint(i))
		if n := a.ready("q"); n != want {
			t.Errorf("%d ready, want %d", n, want)
		}
	}
	d, left, err := b.Get(ctx, "q", 1)
	if err != nil || string(d.Body) != "1" || left != 1 || d.Exchange != "x" {
		t.Errorf("get: %+v %d %v", d, left, err)
	}
	_, err = a.DeleteQueue(ctx, "q", false, true)
	code("not empty", err, broker.CodeQueueNotEmpty)
	if n, err := a.PurgeQueue(ctx, "q"); n != 1 || err != nil {
		t.Errorf("purge: %d %v", n, err)
	}
	b.consume("q", 1)
	_, err = a.DeleteQueue(ctx, "q", true, false)
	code("used", err, broker.CodeInUse)
	_, err = a.DeleteQueue(ctx, "q", false, false)
	code("delete", err, broker.CodeNone)
	if err := <-b.lost; broker.CodeOf(err) != broker.CodeUnknownQueue {
		t.Errorf("consumer of a deleted queue: %v", err)
	}
	_, err = a.FindQueue(ctx, "q")
	code("deleted", err, broker.CodeUnknownQueue)
	if r, err := a.publish("x", "eu.de", "1"); err != nil || r.Queues != 0 {
		t.Errorf("its binding routes: %+v %v", r, err)
	}
}

// Exclusive queues are their session's, and go with it; a queue that is to go with its last consumer does.
func TestQueuesThatGo(t *testing.T) {
	ns := newTestCluster(t, 1)
	ctx := context.Background()
	a, b := connect(t, ns[0]), connect(t, ns[0])
	b.declare("first") // the catalog is there
	st, err := a.DeclareQueue(ctx, broker.QueueSpec{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	name := st.Spec.Name
	if _, err := b.FindQueue(ctx, name); broker.CodeOf(err) != broker.CodeQueueLocked {
		t.Errorf("another's exclusive queue: %v", err)
	}
	b.mustPublish("", name, "anyone may publish to it")
	a.consume(name, 1)
	a.wait(1)
	a.Close(ctx)
	if _, err := b.FindQueue(ctx, name); broker.CodeOf(err) != broker.CodeUnknownQueue {
		t.Errorf("after its session: %v", err)
	}
	if _, err := b.DeclareQueue(ctx, broker.QueueSpec{Name: "auto", AutoDelete: true}); err != nil {
		t.Fatal(err)
	}
	id := b.consume("auto", 1)
	if err := b.Cancel(ctx, id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "auto-deleted", func() error {
		if _, err := b.FindQueue(ctx, "auto"); broker.CodeOf(err) != broker.CodeUnknownQueue {
			return fmt.Errorf("it is there: %v", err)
		}
		return nil
	})
}

// As long as a shard has queues its log is told the time, though nobody says anything else: commands of nodes that do not lead
// bring none.
func TestTimeIsTold(t *testing.T) {
	ns := newTestCluster(t, 3)
	a := connect(t, ns[0])
	a.declare("q")
	q, err := a.QueueSession.(*session).find(context.Background(), "q", "test")
	if err != nil {
		t.Fatal(err)
	}
	began := uint64(0)
	for _, n := range ns {
		began = max(began, n.h.Clock(uint64(q.Shard)))
	}
	eventually(t, "every node is told that time has passed", func() error {
		for _, n := range ns {
			if r, ok := n.e.replica(q.Shard); !ok || r.clock.Load() < began+2000 {
				return fmt.Errorf("node %d: %d ms after %d", n.id, r.clock.Load(), began)
			}
		}
		return nil
	})
}

package node_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// rabbit is a client of RabbitMQ at one node.
type rabbit struct {
	t    *testing.T
	conn *client.Connection
	ch   *client.Channel
}

func newRabbit(t *testing.T, s *server) *rabbit {
	t.Helper()
	r := &rabbit{t: t}
	eventually(t, "an AMQP connection to a node", func() (err error) {
		if r.conn, err = client.Dial("amqp://guest:guest@" + s.cfg.AMQPListen + "/"); err != nil {
			return err
		}
		r.ch, err = r.conn.Channel()
		return err
	})
	t.Cleanup(func() { _ = r.conn.Close() })
	return r
}

func (r *rabbit) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rabbit) declare(queue string) {
	r.t.Helper()
	eventually(r.t, "queue "+queue, func() error {
		_, err := r.ch.QueueDeclare(queue, true, false, false, false, nil)
		if err != nil { // a channel error ended it
			r.ch, _ = r.conn.Channel()
		}
		return err
	})
}

// publish publishes numbers and waits for their confirms.
func (r *rabbit) publish(queue string, from, to int) {
	r.t.Helper()
	r.must(r.ch.Confirm(false))
	for i := from; i < to; i++ {
		c, err := r.ch.PublishWithDeferredConfirm("", queue, true, false, client.Publishing{DeliveryMode: client.Persistent, Body: []byte(strconv.Itoa(i))})
		r.must(err)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		acked, err := c.WaitContext(ctx)
		cancel()
		if err != nil || !acked {
			r.t.Fatalf("publish %d: confirmed %v, %v", i, acked, err)
		}
	}
}

// take consumes n messages and gives them in their order.
func (r *rabbit) take(queue string, n int) (taken []client.Delivery) {
	r.t.Helper()
	ds, err := r.ch.Consume(queue, "", false, false, false, false, nil)
	r.must(err)
	for len(taken) < n {
		select {
		case d, ok := <-ds:
			if !ok {
				r.t.Fatalf("the deliveries ended after %d of %d", len(taken), n)
			}
			taken = append(taken, d)
		case <-time.After(patience):
			r.t.Fatalf("%d of %d messages came", len(taken), n)
		}
	}
	return taken
}

// number is what a message says.
func number(t *testing.T, d client.Delivery) int {
	t.Helper()
	n, err := strconv.Atoi(string(d.Body))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What was confirmed is there after the node was started again, what was acknowledged is not, and what a client held comes
// again and says so; on three nodes the same while each of them is stopped in turn.
func TestRabbitClients(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			t.Parallel()
			c := newServers(t, nodes, nil)
			const messages = 60
			r := newRabbit(t, c.nodes[0])
			r.declare("payments")
			r.publish("payments", 0, messages)
			for i, d := range r.take("payments", messages) {
				if got := number(t, d); got != i || d.Redelivered {
					t.Fatalf("message %d came as %d, redelivered %v", got, i, d.Redelivered)
				}
				if i%2 == 0 {
					r.must(d.Ack(false))
				}
			}
			r.must(r.conn.Close())
			for round, s := range c.nodes {
				s.stop()
				other := c.nodes[(round+1)%nodes]
				if nodes == 1 {
					s.restart()
				}
				r := newRabbit(t, other)
				for i, d := range r.take("payments", messages/2) {
					if got := number(t, d); got != 2*i+1 || !d.Redelivered {
						t.Fatalf("after node %d was stopped, message %d came as %d, redelivered %v", s.cfg.NodeID, 2*i+1, got, d.Redelivered)
					}
					if round == nodes-1 {
						r.must(d.Ack(false))
					}
				}
				r.must(r.conn.Close())
				if nodes > 1 {
					s.restart()
					c.ready()
				}
			}
			r = newRabbit(t, c.nodes[0])
			eventually(t, "an empty queue", func() error {
				q, err := r.ch.QueueDeclarePassive("payments", true, false, false, false, nil)
				if err == nil && q.Messages != 0 {
					err = fmt.Errorf("%d messages", q.Messages)
				}
				return err
			})
		})
	}
}

// A queue that goes with its last consumer may be deleted at the same time.
func TestRabbitDeletesWhatIsGoing(t *testing.T) {
	c := newServers(t, 1, nil)
	r := newRabbit(t, c.nodes[0])
	for i := range 20 {
		queue := fmt.Sprint("going", i)
		_, err := r.ch.QueueDeclare(queue, true, true, false, false, nil)
		r.must(err)
		consumer := newRabbit(t, c.nodes[0])
		_, err = consumer.ch.Consume(queue, "", false, false, false, false, nil)
		r.must(err)
		closed := make(chan error, 1)
		go func() { closed <- consumer.conn.Close() }()
		if _, err := r.ch.QueueDelete(queue, false, false, false); err != nil {
			t.Fatalf("delete %s: %v", queue, err)
		}
		r.must(<-closed)
	}
}

// A queue that goes with its last consumer may be declared again in that very moment.
func TestRabbitDeclaresWhatIsGoing(t *testing.T) {
	c := newServers(t, 1, nil)
	r := newRabbit(t, c.nodes[0])
	for i := range 20 {
		declare := func(ch *client.Channel) {
			t.Helper()
			if _, err := ch.QueueDeclare("phoenix", true, true, false, false, nil); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
		}
		consumer := newRabbit(t, c.nodes[0])
		declare(consumer.ch)
		_, err := consumer.ch.Consume("phoenix", "", false, false, false, false, nil)
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		closed := make(chan error, 1)
		go func() { closed <- consumer.conn.Close() }()
		declare(r.ch)
		r.must(<-closed)
	}
}

// What is not there is refused in the protocol's own terms.
func TestRabbitRefusals(t *testing.T) {
	c := newServers(t, 1, nil)
	for _, test := range []struct {
		name string
		code int
		do   func(*client.Channel) error
	}{
		{"x-ordering-key", client.PreconditionFailed, func(ch *client.Channel) error {
			_, err := ch.QueueDeclare("ordered", true, false, false, false, client.Table{"x-ordering-key": "account"})
			return err
		}},
		{"passive declare of nothing", client.NotFound, func(ch *client.Channel) error {
			_, err := ch.QueueDeclarePassive("nobody", true, false, false, false, nil)
			return err
		}},
	} {
		r := newRabbit(t, c.nodes[0])
		var refused *client.Error
		if err := test.do(r.ch); !errors.As(err, &refused) || refused.Code != test.code {
			t.Errorf("%s: %v, want code %d", test.name, err, test.code)
		}
	}
}

package node_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// Of the consumers of a queue with x-single-active-consumer the one that came first gets everything, whatever its priority; the next
// one goes on where it stopped.
func TestRabbitSingleActiveConsumer(t *testing.T) {
	c := newServers(t, 1, nil)
	r := newRabbit(t, c.nodes[0])
	_, err := r.ch.QueueDeclare("single", true, false, false, false, client.Table{"x-single-active-consumer": true})
	r.must(err)
	first, second := newRabbit(t, c.nodes[0]), newRabbit(t, c.nodes[0])
	one, err := first.ch.Consume("single", "", false, false, false, false, nil)
	r.must(err)
	r.must(second.ch.Qos(1, 0, false))
	two, err := second.ch.Consume("single", "", false, false, false, false, client.Table{"x-priority": int32(10)})
	r.must(err)
	r.publish("single", 0, 5)
	for i := range 5 {
		d := <-one
		if number(t, d) != i {
			t.Fatalf("message %d came as %s", i, d.Body)
		}
		if i < 2 {
			r.must(d.Ack(false))
		}
	}
	select {
	case d := <-two:
		t.Fatalf("the other consumer got %s", d.Body)
	case <-time.After(100 * time.Millisecond):
	}
	r.must(first.conn.Close())
	for i := 2; i < 5; i++ {
		d := <-two
		if number(t, d) != i || !d.Redelivered {
			t.Fatalf("message %d came as %s, redelivered %v", i, d.Body, d.Redelivered)
		}
		r.must(d.Ack(false))
	}
}

// A queue with x-expires ends when nobody used it for so long, and not while somebody consumes from it.
func TestRabbitQueueExpires(t *testing.T) {
	c := newServers(t, 1, nil)
	r := newRabbit(t, c.nodes[0])
	for _, q := range []string{"idle", "used"} {
		_, err := r.ch.QueueDeclare(q, true, false, false, false, client.Table{"x-expires": int32(2000)})
		r.must(err)
	}
	consumer := newRabbit(t, c.nodes[0])
	_, err := consumer.ch.Consume("used", "", false, false, false, false, nil)
	r.must(err)
	gone := func(queue string) bool {
		t.Helper()
		ch, err := r.conn.Channel()
		r.must(err)
		defer ch.Close()
		var refused *client.Error
		_, err = ch.QueuePurge(queue, false) // is no use
		if err != nil && (!errors.As(err, &refused) || refused.Code != client.NotFound) {
			t.Fatal(err)
		}
		return err != nil
	}
	eventually(t, "the idle queue has ended", func() error {
		if !gone("idle") {
			return fmt.Errorf("it is there")
		}
		return nil
	})
	if gone("used") {
		t.Fatal("a queue that somebody consumes from has ended")
	}
	r.must(consumer.conn.Close())
	eventually(t, "the other one has ended", func() error {
		if !gone("used") {
			return fmt.Errorf("it is there")
		}
		return nil
	})
}

// Of a queue with priorities the highest is delivered first, and of one priority the oldest, also after each node was stopped, for what came back, and for
// what transactions add.
func TestRabbitPriorities(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			t.Parallel()
			c := newServers(t, nodes, nil)
			r := newRabbit(t, c.nodes[0])
			_, err := r.ch.QueueDeclare("ranked", true, false, false, false, client.Table{"x-max-priority": int32(5)})
			r.must(err)
			r.must(r.ch.Tx())
			for i, p := range []uint8{1, 0, 9, 5, 1, 3} {
				r.must(r.ch.Publish("", "ranked", true, false, client.Publishing{DeliveryMode: client.Persistent, Priority: p, Body: fmt.Append(nil, i)}))
			}
			r.must(r.ch.TxCommit())
			for _, s := range c.nodes {
				s.stop()
				s.restart()
				c.ready()
			}
			r = newRabbit(t, c.nodes[0])
			for _, want := range []int{2, 3} { // both count as 5
				d := r.gets("ranked")
				if number(t, d) != want {
					t.Fatalf("%s came, not %d", d.Body, want)
				}
				if want == 2 {
					r.must(d.Ack(false))
				} else {
					r.must(d.Nack(false, true))
				}
			}
			for _, want := range []int{3, 5, 0, 4, 1} {
				d := r.gets("ranked")
				if number(t, d) != want {
					t.Fatalf("%s came, not %d", d.Body, want)
				}
				r.must(d.Ack(false))
			}
		})
	}
}

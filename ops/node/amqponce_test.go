package node_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// once publishes a message with an id, and says whether it was confirmed.
func (r *rabbit) once(queue, id, body string) bool {
	r.t.Helper()
	r.must(r.ch.Confirm(false))
	c, err := r.ch.PublishWithDeferredConfirm("", queue, true, false, client.Publishing{DeliveryMode: client.Persistent, MessageId: id, Body: []byte(body)})
	r.must(err)
	select {
	case <-c.Done():
	case <-time.After(patience):
		r.t.Fatalf("nothing was said of %s", id)
	}
	return c.Acked()
}

// has takes all that a queue has, and says whether it is these.
func (r *rabbit) has(queue string, want ...string) {
	r.t.Helper()
	for _, body := range want {
		if d := r.gets(queue); string(d.Body) != body {
			r.t.Fatalf("%s has %s, not %s", queue, d.Body, body)
		} else {
			r.must(d.Ack(false))
		}
	}
	if d, ok, err := r.ch.Get(queue, true); ok || err != nil {
		r.t.Fatalf("%s has %s besides, %v", queue, d.Body, err)
	}
}

// A publisher that lost its confirm publishes again, and the message is there once: also after the node that it was at is gone, in
// transactions over shards, and where the message has gone long ago. Another body under the id is refused.
func TestRabbitPublishesOnce(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			t.Parallel()
			c := newServers(t, nodes, nil)
			r := newRabbit(t, c.nodes[0])
			window := client.Table{"x-deduplication-window": int32(600_000)}
			queues := []string{"in", "ledger", "notice", "audit", "copy"} // over four shards
			for _, q := range queues {
				_, err := r.ch.QueueDeclare(q, true, false, false, false, window)
				r.must(err)
			}
			for _, q := range []string{"plain", "short"} {
				var args client.Table
				if q == "short" {
					args = client.Table{"x-deduplication-window": int32(300), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "in"}
				}
				_, err := r.ch.QueueDeclare(q, true, false, false, false, args)
				r.must(err)
			}
			for _, q := range queues {
				if !r.once(q, "a", "first") || !r.once(q, "b", "second") || !r.once(q, "a", "first") || !r.once(q, "", "none") || !r.once(q, "", "none") {
					t.Fatal("a message was not confirmed")
				}
				if r.once(q, "a", "another") {
					t.Fatal("another body under one id was confirmed")
				}
			}
			for _, s := range c.nodes {
				s.stop()
				s.restart()
				c.ready()
			}
			r = newRabbit(t, c.nodes[0])
			for _, q := range queues {
				eventually(t, "a publish", func() error {
					if !r.once(q, "b", "second") {
						return errors.New("not confirmed")
					}
					return nil
				})
				r.has(q, "first", "second", "none", "none")
				if !r.once(q, "a", "first") { // gone, and known
					t.Fatal("a message that has gone was not confirmed")
				}
				r.has(q)
			}

			transaction := func(id string, queues ...string) error {
				t.Helper()
				ch, err := r.conn.Channel()
				r.must(err)
				defer ch.Close()
				r.must(ch.Tx())
				for _, q := range queues {
					r.must(ch.Publish("", q, true, false, client.Publishing{DeliveryMode: client.Persistent, MessageId: id, Body: []byte(id)}))
				}
				return ch.TxCommit()
			}
			refused := func(err error) {
				t.Helper()
				var e *client.Error
				if !errors.As(err, &e) || e.Code != client.PreconditionFailed {
					t.Fatalf("a transaction of which a part came before: %v", err)
				}
			}
			r.must(transaction("x", queues...))
			r.must(transaction("x", queues...))
			r.must(transaction("one", "in"))
			r.must(transaction("one", "in"))
			refused(transaction("one", "in", "ledger")) // perhaps on one shard, perhaps on two
			refused(transaction("one", queues...))
			refused(transaction("x", "in", "plain"))
			refused(transaction("twice", "in", "in"))
			r.has("in", "x", "one")
			for _, q := range queues[1:] {
				r.has(q, "x")
			}
			r.has("plain")

			for range 2 {
				if !r.once("short", "a", "1") {
					t.Fatal("not confirmed")
				}
			}
			d := r.gets("short")
			r.must(d.Reject(false))
			eventually(t, "its window is over", func() error {
				if !r.once("short", "a", "2") { // another body under a's id, until then
					return errors.New("it is not")
				}
				return nil
			})
			r.has("short", "2")
			r.has("in", "1") // an internal move, whatever its id
		})
	}
}

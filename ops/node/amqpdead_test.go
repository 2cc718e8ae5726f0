package node_test

import (
	"fmt"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// deadly is a world of queues whose dead letters go to "dead", by way of an exchange.
func deadly(t *testing.T, s *server) *rabbit {
	t.Helper()
	r := newRabbit(t, s)
	r.must(r.ch.ExchangeDeclare("dlx", "direct", true, false, false, false, nil))
	for _, q := range []struct {
		name string
		args client.Table
	}{
		{"dead", nil}, // perhaps on another shard than some of those below
		{"rejects", client.Table{"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "k"}},
		{"expires", client.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead", "x-message-ttl": int32(50)}},
		{"short", client.Table{"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "k", "x-max-length": int32(1)}},
		{"refuses", client.Table{"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "k", "x-max-length": int32(1), "x-overflow": "reject-publish-dlx"}},
		{"limited", client.Table{"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "k", "x-delivery-limit": int32(1)}},
		{"nowhere", client.Table{"x-dead-letter-exchange": "gone"}},
		{"dropped", client.Table{"x-dead-letter-exchange": "gone", "x-dead-letter-strategy": "at-most-once"}},
	} {
		_, err := r.ch.QueueDeclare(q.name, true, false, false, false, q.args)
		r.must(err)
	}
	r.must(r.ch.QueueBind("dead", "k", "dlx", false, nil))
	return r
}

// gets takes one message that is to come.
func (r *rabbit) gets(queue string) client.Delivery {
	r.t.Helper()
	var d client.Delivery
	eventually(r.t, "a message in "+queue, func() (err error) {
		var ok bool
		if d, ok, err = r.ch.Get(queue, false); err == nil && !ok {
			err = fmt.Errorf("%s is empty", queue)
		}
		return err
	})
	return d
}

// Messages that die go where their queue says, once, and say what happened to them as RabbitMQ's do: on one node and on three, whichever
// shards the queues are on, and also if the target comes to be only later.
func TestRabbitDeadLetters(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			t.Parallel()
			c := newServers(t, nodes, nil)
			r := deadly(t, c.nodes[0])
			death := func(queue, reason, body string, count int64) client.Delivery {
				t.Helper()
				d := r.gets("dead")
				deaths, _ := d.Headers["x-death"].([]any)
				if len(deaths) != 1 || string(d.Body) != body || d.Redelivered {
					t.Fatalf("%s: %q, redelivered %v, %v", queue, d.Body, d.Redelivered, d.Headers)
				}
				x := deaths[0].(client.Table)
				if x["queue"] != queue || x["reason"] != reason || x["count"] != count || x["exchange"] != "" || fmt.Sprint(x["routing-keys"]) != "["+queue+"]" ||
					d.Headers["x-first-death-queue"] != queue || d.Headers["x-last-death-reason"] != reason {
					t.Fatalf("%s: %v", queue, d.Headers)
				}
				return d
			}
			r.publish("rejects", 1, 2)
			r.must(r.gets("rejects").Reject(false))
			r.must(death("rejects", "rejected", "1", 1).Ack(false))

			r.must(r.ch.Publish("", "expires", true, false, client.Publishing{Body: []byte("2"), Expiration: "20"}))
			d := death("expires", "expired", "2", 1)
			if x := d.Headers["x-death"].([]any)[0].(client.Table); d.Expiration != "" || x["original-expiration"] != "20" || d.RoutingKey != "dead" || d.Exchange != "" {
				t.Errorf("expiration %q, %v", d.Expiration, d.Headers)
			}
			r.must(d.Ack(false))

			r.publish("short", 3, 5)
			r.must(death("short", "maxlen", "3", 1).Ack(false))

			if !r.once("refuses", "", "5") || r.once("refuses", "", "6") { // full: nacked, and sent on
				t.Fatal("a full queue took a message, or an empty one did not")
			}
			r.must(death("refuses", "maxlen", "6", 1).Ack(false))
			r.must(r.gets("refuses").Ack(false))

			r.publish("limited", 6, 7)
			for range 2 { // returned once too often
				r.must(r.gets("limited").Reject(true))
			}
			d = death("limited", "delivery_limit", "6", 1)
			r.must(d.Ack(false))

			// One that has nowhere to go waits, and its queue's end is not its target's beginning.
			r.publish("nowhere", 7, 9)
			r.publish("dropped", 9, 10)
			for _, q := range []string{"nowhere", "nowhere", "dropped"} {
				r.must(r.gets(q).Reject(false))
			}
			time.Sleep(100 * time.Millisecond)
			for _, s := range c.nodes {
				s.stop()
				s.restart()
			}
			c.ready()
			r = newRabbit(t, c.nodes[nodes-1])
			r.must(r.ch.ExchangeDeclare("gone", "fanout", true, false, false, false, nil))
			r.declare("found")
			r.must(r.ch.QueueBind("found", "", "gone", false, nil))
			got := map[string]int{}
			for range 2 {
				d := r.gets("found")
				got[string(d.Body)]++
				r.must(d.Ack(false))
			}
			if fmt.Sprint(got) != "map[7:1 8:1]" {
				t.Errorf("found %v", got)
			}
			for _, q := range []string{"dead", "found", "nowhere", "dropped", "short"} {
				want := 0
				if q == "short" {
					want = 1
				}
				if st, err := r.ch.QueueDeclarePassive(q, true, false, false, false, nil); err != nil || st.Messages != want {
					t.Errorf("%s: %+v %v, want %d messages", q, st, err, want)
				}
			}
		})
	}
}

// What would go round for ever is dropped, unless somebody rejected it: as RabbitMQ does.
func TestRabbitDeadLettersInACircle(t *testing.T) {
	c := newServers(t, 1, nil)
	r := newRabbit(t, c.nodes[0])
	for _, q := range [][2]string{{"a", "b"}, {"b", "a"}} {
		_, err := r.ch.QueueDeclare(q[0], true, false, false, false, client.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": q[1], "x-message-ttl": int32(300)})
		r.must(err)
	}
	r.publish("a", 1, 2)
	r.must(r.gets("a").Reject(false))
	for range 3 { // somebody rejected it: it goes round
		r.must(r.gets("b").Nack(false, true))
		r.must(r.gets("a").Nack(false, true))
	}
	d := r.gets("a")
	if x := d.Headers["x-death"].([]any); len(x) != 3 || x[0].(client.Table)["reason"] != "expired" || x[0].(client.Table)["count"].(int64) < 2 {
		t.Errorf("x-death %v", x)
	}
	r.must(d.Ack(false))
	r.publish("a", 2, 3)
	r.must(r.gets("b").Nack(false, true)) // it expired in a, expires here, and is not let into a again
	eventually(t, "it is in neither", func() error {
		for _, q := range []string{"b", "a", "b"} {
			if st, err := r.ch.QueueDeclarePassive(q, true, false, false, false, nil); err != nil || st.Messages != 0 {
				return fmt.Errorf("%s: %+v %w", q, st, err)
			}
		}
		return nil
	})
}

package node_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/tallymq/tallymq/ops/admin"
	cli "github.com/tallymq/tallymq/ops/client"
)

// movement publishes a message of an account to a queue that keeps the order of accounts.
func (r *rabbit) movement(queue, account string, n int) {
	r.t.Helper()
	r.must(r.ch.Confirm(false))
	c, err := r.ch.PublishWithDeferredConfirm("", queue, true, false, client.Publishing{DeliveryMode: client.Persistent, Headers: client.Table{"account": account}, Body: fmt.Append(nil, n)})
	r.must(err)
	if !c.Wait() {
		r.t.Fatalf("movement %d of %s was not confirmed", n, account)
	}
}

// comes is the next delivery; it says which account and number it is.
func comes(t *testing.T, ds <-chan client.Delivery) (d client.Delivery, what string) {
	t.Helper()
	select {
	case d, open := <-ds:
		if !open {
			t.Fatal("the deliveries ended")
		}
		return d, fmt.Sprintf("%s %s", d.Headers["account"], d.Body)
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	panic("not reached")
}

func nothing(t *testing.T, ds <-chan client.Delivery) {
	t.Helper()
	select {
	case d := <-ds:
		t.Fatalf("%s %s came", d.Headers["account"], d.Body)
	case <-time.After(150 * time.Millisecond):
	}
}

// run runs a command of the CLI against the node's admin address, and gives what it prints.
func (s *server) run(t *testing.T, run func(g *cli.AdminGlobals) error) (string, error) {
	t.Helper()
	web := httptest.NewServer(admin.Handler(s.node()))
	defer web.Close()
	var out bytes.Buffer
	g := &cli.AdminGlobals{Admin: web.URL, Globals: cli.Globals{Out: &out}}
	err := run(g)
	return out.String(), err
}

// One message of an account at most is out, whoever asks; what one account waits for does not keep the others; what was given back comes
// again before what follows it.
func TestRabbitOrderPerKey(t *testing.T) {
	c := newServers(t, 1, nil)
	r := newRabbit(t, c.nodes[0])
	_, err := r.ch.QueueDeclare("accounts", true, false, false, false, client.Table{"x-ordering-key": "header:account"})
	r.must(err)
	for n := 1; n <= 3; n++ {
		r.movement("accounts", "alice", n)
	}
	r.movement("accounts", "bob", 1)
	one, two := newRabbit(t, c.nodes[0]), newRabbit(t, c.nodes[0])
	first, err := one.ch.Consume("accounts", "one", false, false, false, false, nil)
	r.must(err)
	a1, what := comes(t, first)
	b1, other := comes(t, first)
	if what != "alice 1" || other != "bob 1" {
		t.Fatalf("%s and %s came", what, other)
	}
	second, err := two.ch.Consume("accounts", "two", false, false, false, false, nil)
	r.must(err)
	nothing(t, second)
	nothing(t, first)
	if d, ok, err := r.ch.Get("accounts", false); ok || err != nil {
		t.Fatalf("got %s %s, %v", d.Headers["account"], d.Body, err)
	}
	out, err := c.nodes[0].run(t, (&cli.QueueKeys{Name: "accounts", VHost: "/"}).Run)
	r.must(err)
	for _, part := range []string{`"alice"`, "acquired", `consumer "one"`, "2 "} {
		if !strings.Contains(out, part) {
			t.Errorf("tallymq queue keys does not say %s:\n%s", part, out)
		}
	}
	r.must(b1.Ack(false))
	fence, _ := a1.Headers["x-tally-fence"].(int64)
	r.must(one.conn.Close()) // takes bob's acknowledgement along, gives alice's back
	d, what := comes(t, second)
	later, _ := d.Headers["x-tally-fence"].(int64)
	if what != "alice 1" || !d.Redelivered || later <= fence {
		t.Fatalf("%s came, redelivered %v, fence %d after %d", what, d.Redelivered, later, fence)
	}
	nothing(t, second)
	r.must(d.Nack(false, true))
	for n := 1; n <= 3; n++ {
		d, what := comes(t, second)
		if what != fmt.Sprint("alice ", n) {
			t.Fatalf("%s came, not alice %d", what, n)
		}
		nothing(t, second)
		r.must(d.Ack(false))
	}
}

// A message that fails too often parks its account, or stops the queue, until an operator lets it go on or takes it out; the others go on,
// or wait.
func TestRabbitParkedKeys(t *testing.T) {
	c := newServers(t, 1, nil)
	s := c.nodes[0]
	r := newRabbit(t, s)
	for queue, args := range map[string]client.Table{
		"parks": {"x-ordering-key": "header:account", "x-delivery-limit": int32(1)},
		"stops": {"x-ordering-key": "header:account", "x-delivery-limit": int32(1), "x-ordering-poison": "stop"},
		"sends": {"x-ordering-key": "header:account", "x-delivery-limit": int32(1), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"},
		"dead":  nil,
	} {
		_, err := r.ch.QueueDeclare(queue, true, false, false, false, args)
		r.must(err)
	}
	poison := func(queue string) <-chan client.Delivery {
		t.Helper()
		r.movement(queue, "alice", 1)
		r.movement(queue, "alice", 2)
		ds, err := r.ch.Consume(queue, "", false, false, false, false, nil)
		r.must(err)
		for range 2 {
			d, what := comes(t, ds)
			if what != "alice 1" {
				t.Fatalf("%s: %s came", queue, what)
			}
			r.must(d.Reject(true))
		}
		return ds
	}
	release := func(q cli.QueueRelease, want int) {
		t.Helper()
		q.VHost = "/"
		if out, err := s.run(t, q.Run); err != nil || strings.Fields(out)[1] != fmt.Sprint(want) {
			t.Fatalf("released %s, %v", out, err)
		}
	}

	ds := poison("parks")
	r.movement("parks", "bob", 1)
	if _, what := comes(t, ds); what != "bob 1" {
		t.Fatalf("%s came", what)
	}
	nothing(t, ds)
	out, err := s.run(t, (&cli.QueueKeys{Name: "parks", VHost: "/", Parked: true}).Run)
	r.must(err)
	if !strings.Contains(out, `"alice"`) || !strings.Contains(out, "parked") || strings.Contains(out, "bob") {
		t.Errorf("tallymq queue keys --parked:\n%s", out)
	}
	out, err = s.run(t, (&cli.QueueList{}).Run)
	r.must(err)
	if !strings.Contains(out, "parks") {
		t.Errorf("tallymq queue list:\n%s", out)
	}
	// Nothing of it is lost with a deletion if the queue is to be empty.
	ch, err := r.conn.Channel()
	r.must(err)
	_, err = ch.QueuePurge("parks", false)
	r.must(err)
	if _, err := ch.QueueDelete("parks", false, true, false); err == nil {
		t.Fatal("a queue with a parked message was deleted as empty")
	}
	r.movement("parks", "alice", 3)
	release(cli.QueueRelease{Name: "parks", Key: "nobody"}, 0)
	release(cli.QueueRelease{Name: "parks", Key: "alice"}, 1)
	for _, want := range []string{"alice 1", "alice 3"} { // 2 was purged
		d, what := comes(t, ds)
		if what != want {
			t.Fatalf("%s came, not %s", what, want)
		}
		r.must(d.Ack(false))
	}

	ds = poison("stops")
	r.movement("stops", "bob", 1)
	nothing(t, ds)
	release(cli.QueueRelease{Name: "stops", All: true, Discard: true}, 1)
	for _, want := range []string{"alice 2", "bob 1"} {
		if _, what := comes(t, ds); what != want {
			t.Fatalf("%s came, not %s", what, want)
		}
	}

	ds = poison("sends")
	if _, what := comes(t, ds); what != "alice 2" {
		t.Fatalf("%s came", what)
	}
	if d := r.gets("dead"); string(d.Body) != "1" {
		t.Fatalf("the dead letter is %s", d.Body)
	}
	_, err = s.run(t, (&cli.QueueKeys{Name: "dead", VHost: "/"}).Run)
	if err == nil || !strings.Contains(err.Error(), "x-ordering-key") {
		t.Errorf("keys of a queue without order: %v", err)
	}
	if _, err = s.run(t, (&cli.QueueKeys{Name: "gone", VHost: "/"}).Run); err == nil || !strings.Contains(err.Error(), "no queue 'gone'") {
		t.Errorf("keys of no queue: %v", err)
	}
}

package connection

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// serve is the least front end that a real client can talk to: one user, queues that exist if their name is not
// "missing", and a confirm for every message. It returns what the connection ended with.
func serve(conn net.Conn, seen chan<- string) *wire.Error {
	c := New(Options{})
	var in []byte
	tags := map[uint16]uint64{}
	for {
		e, n := c.Next(in)
		in = in[n:]
		switch m := e.Method.(type) {
		case *wire.QueueDeclare:
			if m.Queue == "missing" {
				c.Fail(e.Channel, wire.Errorf(wire.NotFound, m.ID(), "no queue '%s' in vhost '/'", m.Queue))
			} else {
				c.Send(e.Channel, &wire.QueueDeclareOk{Queue: m.Queue})
			}
		case *wire.ConfirmSelect:
			c.Send(e.Channel, &wire.ConfirmSelectOk{})
		case *wire.BasicConsume:
			c.Send(e.Channel, &wire.BasicConsumeOk{ConsumerTag: m.ConsumerTag})
		case *wire.BasicPublish:
			tags[e.Channel]++
			c.SendContent(e.Channel, &wire.BasicDeliver{ConsumerTag: "c", DeliveryTag: tags[e.Channel], RoutingKey: m.RoutingKey}, e.Header, e.Body)
			c.Send(e.Channel, &wire.BasicAck{DeliveryTag: tags[e.Channel]})
		}
		switch e.Kind {
		case EventAuthenticate:
			if e.Credentials.User != "guest" || string(e.Credentials.Secret) != "guest" {
				c.Refuse(wire.Errorf(wire.AccessRefused, 0, "Login was refused"))
				break
			}
			c.Authenticated()
		case EventOpen:
			c.Opened()
		case EventChannelClose:
			c.ChannelClosed(e.Channel)
		case EventClose:
			c.Closed()
		}
		if out := c.Output(); len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				c.Lost()
			}
		}
		switch {
		case e.Kind == EventEnd:
			conn.Close()
			return e.Err
		case e.Kind != 0:
			seen <- e.Kind.String()
		case n == 0:
			piece := make([]byte, 4096)
			read, err := conn.Read(piece)
			if in = append(in, piece[:read]...); err != nil {
				c.Lost()
			}
		}
	}
}

// connect runs a client against serve; the function waits for the end, and says with what, and after which events.
func connect(password string) (conn *amqp.Connection, ended func() (err *wire.Error, events string), err error) {
	ours, theirs := net.Pipe()
	seen, end := make(chan string, 1000), make(chan *wire.Error, 1)
	go func() { end <- serve(ours, seen) }()
	conn, err = amqp.Open(theirs, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: password}}, Vhost: "/"})
	return conn, func() (*wire.Error, string) {
		err := <-end
		close(seen)
		var kinds []string
		for k := range seen {
			kinds = append(kinds, k)
		}
		return err, strings.Join(kinds, " ")
	}, err
}

// A real client goes through the handshake, opens channels, has one closed for an error, publishes a message of many
// frames and gets it back, and closes in order.
func TestClient(t *testing.T) {
	conn, end, err := connect("guest")
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	var refused *amqp.Error
	if _, err := ch.QueueDeclare("missing", true, false, false, false, nil); !errors.As(err, &refused) || refused.Code != amqp.NotFound || refused.Reason != "NOT_FOUND - no queue 'missing' in vhost '/'" {
		t.Fatalf("the client was told %v", err)
	}
	if ch, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("q", "c", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("0123456789", 50_000)
	confirm, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "k", false, false, amqp.Publishing{MessageId: "m", Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	if d := <-deliveries; string(d.Body) != body || d.MessageId != "m" || d.RoutingKey != "k" {
		t.Errorf("delivered %d bytes, %q, %q", len(d.Body), d.MessageId, d.RoutingKey)
	}
	if !confirm.Wait() {
		t.Error("not confirmed")
	}
	if err := errors.Join(ch.Close(), conn.Close()); err != nil {
		t.Fatal(err)
	}
	const want = "authenticate open channel-opened method channel-opened method method publish channel-close close"
	if err, kinds := end(); err != nil || kinds != want {
		t.Errorf("%v after\n%s, not\n%s", err, kinds, want)
	}
}

// This client does not announce that it understands authentication_failure_close: it knows from a closed socket that its
// password is wrong, and nothing more is told.
func TestClientWithTheWrongPassword(t *testing.T) {
	_, end, err := connect("wrong")
	if !errors.Is(err, amqp.ErrCredentials) {
		t.Errorf("the client was told %v", err)
	}
	if err, kinds := end(); kinds != "authenticate" || err == nil || err.Code != wire.AccessRefused {
		t.Errorf("events: %s, %v", kinds, err)
	}
}

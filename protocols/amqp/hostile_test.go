package amqp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
	"github.com/tallymq/tallymq/protocols/amqp/connection"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// raw is a peer that sends what it likes.
type raw struct {
	t  *testing.T
	nc net.Conn
}

func (w *world) raw() *raw {
	w.t.Helper()
	nc, err := net.Dial("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { nc.Close() })
	return &raw{w.t, nc}
}

// opened is what an honest client sends until its connection is open, and its first channel.
func opened() []byte {
	out := []byte(wire.ProtocolHeader)
	out = wire.AppendMethodFrame(out, 0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"})
	out = wire.AppendMethodFrame(out, 0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072})
	out = wire.AppendMethodFrame(out, 0, &wire.ConnectionOpen{VirtualHost: "/"})
	return wire.AppendMethodFrame(out, 1, &wire.ChannelOpen{})
}

// closed reads until the server closes, and says with which reply code it did; 0: with none.
func (r *raw) closed() wire.ReplyCode {
	r.t.Helper()
	r.nc.SetReadDeadline(time.Now().Add(patience))
	all, err := io.ReadAll(r.nc)
	var stalled net.Error
	if errors.As(err, &stalled) && stalled.Timeout() {
		r.t.Fatal("the server did not close")
	}
	return lastClose(r.t, all)
}

// lastClose is the reply code of the last connection.close among what a server sent.
func lastClose(t *testing.T, all []byte) (code wire.ReplyCode) {
	for len(all) > 0 && !bytes.HasPrefix(all, []byte("AMQP")) {
		f, n, err := wire.DecodeFrame(all, 131072)
		if err != nil || n == 0 {
			t.Fatalf("the server sent no frame: %v", err)
		}
		all = all[n:]
		if f.Type != wire.FrameMethod {
			continue
		}
		m, err := wire.DecodeMethod(f.Payload, &wire.Scratch{})
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := m.(*wire.ConnectionClose); ok {
			code = wire.ReplyCode(m.ReplyCode)
		}
	}
	return code
}

func method(channel uint16, m wire.Method) []byte { return wire.AppendMethodFrame(nil, channel, m) }

// Peers that break the rules are told, and the healthy client beside them notices nothing.
func TestHostilePeersHarmNobodyElse(t *testing.T) {
	w := start(t, Limits{Connection: connection.Limits{ChannelsMax: 2047, MessageBytesMax: 1 << 20}})
	healthy := w.channel(w.dial())
	w.queue(healthy, "q", nil)
	if err := healthy.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirms := healthy.NotifyPublish(make(chan client.Confirmation, 1))
	closeOk := method(0, &wire.ConnectionCloseOk{})
	huge := wire.AppendFrameHead(nil, wire.FrameMethod, 1, 1<<30)
	publish := method(1, &wire.BasicPublish{RoutingKey: "q"})
	var flood []byte
	for i := range 3000 {
		flood = append(flood, method(uint16(i+2), &wire.ChannelOpen{})...)
	}
	deep := wire.Table(nil)
	for range 1000 {
		deep = wire.Table(nil).Append("t", wire.TableValue(deep))
	}
	for name, peer := range map[string]struct {
		sends []byte
		code  wire.ReplyCode
	}{
		"another protocol":      {[]byte("GET / HTTP/1.1\r\n\r\n"), 0},
		"a frame of 1 GiB":      {append(opened(), huge...), wire.FrameError},
		"a channel never open":  {append(opened(), append(method(9, &wire.TxSelect{}), closeOk...)...), wire.ChannelError},
		"a body without header": {append(opened(), append(append(bytes.Clone(publish), wire.AppendBodyFrames(nil, 1, []byte("x"), 4096)...), closeOk...)...), wire.UnexpectedFrame},
		"too many channels":     {append(append(opened(), flood...), closeOk...), wire.NotAllowed},
		"a table too deep":      {append(append(opened(), method(1, &wire.QueueDeclare{Queue: "x", Arguments: deep})...), closeOk...), wire.FrameError},
		"opened twice":          {append(append(opened(), method(1, &wire.ChannelOpen{})...), closeOk...), wire.ChannelError},
		"immediate":             {append(append(append(opened(), method(1, &wire.BasicPublish{Immediate: true})...), wire.AppendHeaderFrame(nil, 1, &wire.ContentHeader{})...), closeOk...), wire.NotImplemented},
		"a wrong password":      {append([]byte(wire.ProtocolHeader), method(0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00wrong"), Locale: "en_US"})...), 0},
	} {
		t.Run(name, func(t *testing.T) {
			half := w.raw() // and one that stops in the middle of it
			half.nc.Write(peer.sends[:len(peer.sends)-len(peer.sends)/3])
			r := w.raw()
			r.t = t
			if _, err := r.nc.Write(peer.sends); err != nil {
				t.Fatal(err)
			}
			if err := healthy.PublishWithContext(context.Background(), "", "q", false, false, client.Publishing{Body: []byte(name)}); err != nil {
				t.Fatal(err)
			}
			if c := next(t, confirms); !c.Ack {
				t.Fatalf("%+v", c)
			}
			if d, ok, err := healthy.Get("q", true); err != nil || !ok || string(d.Body) != name {
				t.Fatalf("%s, %v, %v", d.Body, ok, err)
			}
			if code := r.closed(); code != peer.code {
				t.Fatalf("closed with %v, want %v", code, peer.code)
			}
			half.nc.Close()
		})
	}
}

// A client that takes nothing is given up, and what it held returns.
func TestAClientThatDoesNotReadIsGivenUp(t *testing.T) {
	w := start(t, Limits{WriteTimeout: 2 * time.Second})
	ch := w.channel(w.dial())
	w.queue(ch, "q", nil)
	r := w.raw()
	if _, err := r.nc.Write(append(opened(), method(1, &wire.BasicConsume{Queue: "q"})...)); err != nil {
		t.Fatal(err)
	}
	const count = 60
	for range count {
		w.publish(ch, "q", string(make([]byte, 512<<10)))
	}
	if _, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("q", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	redelivered := 0
	for range count {
		if next(t, deliveries).Redelivered {
			redelivered++
		}
	}
	if redelivered == 0 {
		t.Fatal("the client that does not read was given nothing")
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	w := start(t, Limits{ConnectionsMax: 3, HandshakesMax: 2})
	var idle []*raw
	for range 2 {
		r := w.raw()
		if _, err := io.WriteString(r.nc, wire.ProtocolHeader); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r.nc, make([]byte, 8)); err != nil { // it was admitted
			t.Fatal(err)
		}
		idle = append(idle, r)
	}
	if code := w.raw().closed(); code != 0 {
		t.Fatalf("closed with %v", code)
	}
	for _, r := range idle {
		r.nc.Close()
	}
	if got := fmt.Sprint(w.server); got == "" {
		t.Fatal("no state")
	}
}

package wire

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var rewriteTranscript = flag.Bool("rewrite-transcript", false, "write testdata/client.txt anew")

// peer is the server's side of a connection with a real client: it decodes what the client's own encoder wrote, and
// answers with what our encoder writes.
type peer struct {
	conn       net.Conn
	in         []byte
	transcript strings.Builder
	done       chan error
}

// next takes one frame, and fails if it re-encodes to other bytes than the client wrote.
func (p *peer) next() (Frame, error) {
	for {
		f, n, err := DecodeFrame(p.in, 131072)
		if err != nil {
			return Frame{}, err
		}
		if n > 0 {
			if again := AppendFrame(nil, f); !bytes.Equal(again, p.in[:n]) {
				return Frame{}, fmt.Errorf("%x re-encodes to %x", p.in[:n], again)
			}
			p.in = p.in[n:]
			return f, nil
		}
		chunk := make([]byte, 4096)
		read, err := p.conn.Read(chunk)
		if err != nil {
			return Frame{}, err
		}
		p.in = append(p.in, chunk[:read]...)
	}
}

// method takes a frame with a method, and all of its content.
func (p *peer) method() (Method, uint16, error) {
	f, err := p.next()
	if err != nil || f.Type != FrameMethod {
		return nil, 0, errors.Join(err, fmt.Errorf("got %v", f))
	}
	m, err := DecodeMethod(f.Payload, nil)
	if err != nil {
		return nil, 0, err
	}
	if again := AppendMethod(nil, m); !bytes.Equal(again, f.Payload) {
		return nil, 0, fmt.Errorf("%v re-encodes to\n%x, not\n%x", m, again, f.Payload)
	}
	line := m.String()
	if m.ID() == MethodConnectionStartOk {
		line = m.ID().String() // the client's properties are in the order of a map
	}
	fmt.Fprintf(&p.transcript, "%d %s\n", f.Channel, line)
	if !m.ID().HasContent() {
		return m, f.Channel, nil
	}
	return m, f.Channel, p.content(m)
}

func (p *peer) content(m Method) error {
	f, err := p.next()
	if err != nil {
		return err
	}
	var h ContentHeader
	if err := DecodeHeader(f.Payload, m.ID(), &h); err != nil {
		return err
	}
	if again := h.AppendTo(nil); !bytes.Equal(again, f.Payload) {
		return fmt.Errorf("%v re-encodes to\n%x, not\n%x", &h, again, f.Payload)
	}
	fmt.Fprintf(&p.transcript, "  %v\n", &h)
	for left := h.BodyBytes; left > 0; {
		f, err := p.next()
		if err != nil || f.Type != FrameBody {
			return errors.Join(err, fmt.Errorf("got %v", f))
		}
		fmt.Fprintf(&p.transcript, "  body of %d bytes\n", len(f.Payload))
		left -= uint64(len(f.Payload))
	}
	return nil
}

// answers are what the server says to each method that waits for an answer, and to those after which the script wants
// more than that.
func answers(m Method) []Method {
	switch m := m.(type) {
	case *ConnectionStartOk:
		return []Method{&ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 0}}
	case *ConnectionOpen:
		return []Method{&ConnectionOpenOk{}}
	case *ConnectionUpdateSecret:
		return []Method{&ConnectionUpdateSecretOk{}}
	case *ConnectionClose:
		return []Method{&ConnectionCloseOk{}}
	case *ChannelOpen:
		return []Method{&ChannelOpenOk{}}
	case *ChannelClose:
		return []Method{&ChannelCloseOk{}}
	case *ChannelFlow:
		return []Method{&ChannelFlowOk{Active: m.Active}}
	case *ExchangeDeclare:
		return []Method{&ExchangeDeclareOk{}}
	case *ExchangeDelete:
		return []Method{&ExchangeDeleteOk{}}
	case *ExchangeBind:
		return []Method{&ExchangeBindOk{}}
	case *ExchangeUnbind:
		return []Method{&ExchangeUnbindOk{}}
	case *QueueDeclare:
		return []Method{&QueueDeclareOk{Queue: "amq.gen-1", MessageCount: 7, ConsumerCount: 3}}
	case *QueueBind:
		return []Method{&QueueBindOk{}}
	case *QueueUnbind:
		return []Method{&QueueUnbindOk{}}
	case *QueuePurge:
		return []Method{&QueuePurgeOk{MessageCount: 9}}
	case *QueueDelete:
		return []Method{&QueueDeleteOk{MessageCount: 1 << 31}}
	case *BasicQos:
		return []Method{&BasicQosOk{}}
	case *BasicConsume:
		return []Method{&BasicConsumeOk{ConsumerTag: m.ConsumerTag}}
	case *BasicCancel:
		return []Method{&BasicCancelOk{ConsumerTag: m.ConsumerTag}}
	case *BasicRecover:
		return []Method{&BasicRecoverOk{}}
	case *BasicGet:
		if m.Queue == "empty" {
			return []Method{&BasicGetEmpty{}}
		}
		return []Method{&BasicGetOk{DeliveryTag: 5, Redelivered: true, Exchange: "x", RoutingKey: "k", MessageCount: 2}}
	case *TxSelect:
		return []Method{&TxSelectOk{}}
	case *TxCommit:
		return []Method{&TxCommitOk{}}
	case *TxRollback:
		return []Method{&TxRollbackOk{}}
	case *ConfirmSelect:
		return []Method{&ConfirmSelectOk{}}
	case *BasicPublish:
		switch m.RoutingKey {
		case "nowhere":
			return []Method{&BasicReturn{ReplyCode: uint16(NoRoute), ReplyText: "NO_ROUTE", Exchange: m.Exchange, RoutingKey: m.RoutingKey}, &BasicAck{DeliveryTag: 1}}
		case "deliver":
			return []Method{&BasicDeliver{ConsumerTag: "tag", DeliveryTag: 1 << 40, Redelivered: true, Exchange: m.Exchange, RoutingKey: "k"}}
		}
	}
	return nil
}

// delivered is the content of every message that the server sends.
func delivered() (*ContentHeader, []byte) {
	body := bytes.Repeat([]byte("0123456789"), 30_000) // more than two frames
	h := &ContentHeader{BodyBytes: uint64(len(body))}
	h.Properties.SetContentType("text/plain")
	h.Properties.SetContentEncoding("gzip")
	h.Properties.SetHeaders(sampleTable())
	h.Properties.SetDeliveryMode(2)
	h.Properties.SetPriority(9)
	h.Properties.SetCorrelationID("c")
	h.Properties.SetReplyTo("r")
	h.Properties.SetExpiration("60000")
	h.Properties.SetMessageID("m")
	h.Properties.SetTimestamp(1700000000)
	h.Properties.SetType("t")
	h.Properties.SetUserID("guest")
	h.Properties.SetAppID("a")
	return h, body
}

func (p *peer) serve() error {
	var header [len(ProtocolHeader)]byte
	if _, err := io.ReadFull(p.conn, header[:]); err != nil || string(header[:]) != ProtocolHeader {
		return errors.Join(err, fmt.Errorf("got %q", header))
	}
	start := &ConnectionStart{VersionMajor: 0, VersionMinor: 9, ServerProperties: sampleTable(), Mechanisms: []byte("PLAIN AMQPLAIN"), Locales: []byte("en_US")}
	if _, err := p.conn.Write(AppendMethodFrame(nil, 0, start)); err != nil {
		return err
	}
	for {
		m, channel, err := p.method()
		if err != nil {
			return err
		}
		var out []byte
		for _, a := range answers(m) {
			out = AppendMethodFrame(out, channel, a)
			if a.ID().HasContent() {
				h, body := delivered()
				out = AppendHeaderFrame(out, channel, h)
				out = AppendBodyFrames(out, channel, body, 131072)
			}
		}
		if m.ID() == MethodConnectionUpdateSecret {
			out = AppendMethodFrame(out, 0, &ConnectionBlocked{Reason: "low on memory"})
			out = AppendMethodFrame(out, 0, &ConnectionUnblocked{})
			out = AppendHeartbeat(out)
		}
		if _, err := p.conn.Write(out); err != nil {
			return err
		}
		if m.ID() == MethodConnectionClose {
			return nil
		}
	}
}

// TestClient runs a real client through every method that it can send. What it wrote, and what it understood, is
// testdata/client.txt.
func TestClient(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	p := &peer{conn: ours, done: make(chan error, 1)}
	go func() { p.done <- p.serve() }()

	var got strings.Builder
	conn, err := amqp.Open(theirs, amqp.Config{
		SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "guest"}}, Vhost: "/", Locale: "en_US", Heartbeat: time.Hour,
	})
	if err != nil {
		t.Fatal(err, <-p.done)
	}
	runClient(t, conn, &got)
	if err := <-p.done; err != nil {
		t.Fatal(err)
	}
	transcript := "The server received:\n" + p.transcript.String() + "\nThe client understood:\n" + got.String()
	const path = "testdata/client.txt"
	if *rewriteTranscript {
		if err := os.WriteFile(path, []byte(transcript), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != transcript {
		t.Errorf("not what %s says (-rewrite-transcript writes it anew):\n%s", path, transcript)
	}
}

func runClient(t *testing.T, conn *amqp.Connection, got *strings.Builder) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	checkHeaders(t, conn.Properties)
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	must(conn.UpdateSecret("next", "the token expires"))
	fmt.Fprintf(got, "blocked: %v, %v\n", <-blocked, <-blocked)

	ch, err := conn.Channel()
	must(err)
	must(ch.Flow(true))
	must(ch.ExchangeDeclare("x", "topic", true, false, true, false, amqp.Table{"alternate-exchange": "y"}))
	must(ch.ExchangeDeclarePassive("x", "topic", false, true, false, false, nil))
	must(ch.ExchangeBind("d", "k", "x", false, amqp.Table{"x-match": "any-with-x"}))
	must(ch.ExchangeUnbind("d", "k", "x", false, nil))
	must(ch.ExchangeDelete("x", true, false))
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-message-ttl": int64(60000)})
	must(err)
	fmt.Fprintf(got, "declared: %+v\n", q)
	must(ch.QueueBind("q", "a.#", "x", false, amqp.Table{"n": int32(-1)}))
	must(ch.QueueUnbind("q", "a.#", "x", nil))
	n, err := ch.QueuePurge("q", false)
	must(err)
	fmt.Fprintf(got, "purged: %d\n", n)
	n, err = ch.QueueDelete("q", true, true, false)
	must(err)
	fmt.Fprintf(got, "deleted: %d\n", n)
	must(ch.Qos(10, 1000, true))
	_, ok, err := ch.Get("empty", false)
	must(err)
	fmt.Fprintf(got, "got from the empty queue: %v\n", ok)
	d, ok, err := ch.Get("full", true)
	must(err)
	fmt.Fprintf(got, "got from the full one: %v, %s", ok, describe(d))
	checkHeaders(t, d.Headers)

	must(ch.Confirm(false))
	returns, confirms := ch.NotifyReturn(make(chan amqp.Return, 1)), ch.NotifyPublish(make(chan amqp.Confirmation, 1))
	must(ch.PublishWithContext(context.Background(), "x", "nowhere", true, false, amqp.Publishing{Body: []byte("hi")}))
	r := <-returns
	fmt.Fprintf(got, "returned: %d %s %s %s, %d bytes\n", r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, len(r.Body))
	fmt.Fprintf(got, "confirmed: %+v\n", <-confirms)

	tx, err := conn.Channel()
	must(err)
	must(tx.Tx())
	deliveries, err := tx.Consume("q", "tag", true, true, false, false, amqp.Table{"x-priority": int16(5)})
	must(err)
	must(tx.PublishWithContext(context.Background(), "", "deliver", false, false, everything()))
	d = <-deliveries
	fmt.Fprintf(got, "delivered: %s", describe(d))
	must(tx.Ack(1, true))
	must(tx.Nack(2, true, true))
	must(tx.Reject(3, true))
	must(tx.TxCommit())
	must(tx.TxRollback())
	must(tx.Cancel("tag", false))
	for _, v := range values {
		must(tx.PublishWithContext(context.Background(), "", "value", false, false, amqp.Publishing{Headers: amqp.Table{"v": v}}))
	}
	must(tx.Close())
	must(conn.Close())
}

// values are one of each kind that the client can encode.
var values = []any{
	true, int8(-1), byte(255), int16(-2), uint16(65535), int32(-3), uint32(1 << 31), int64(-4), float32(0.5), 0.25,
	amqp.Decimal{Scale: 2, Value: 123}, "text", []byte{0, 255}, time.Unix(1700000000, 0), nil,
	amqp.Table{"in": amqp.Table{"deeper": "x"}}, []any{"a", int32(1), amqp.Table{}, []any{}},
}

func everything() amqp.Publishing {
	return amqp.Publishing{
		Headers: amqp.Table{"k": "v"}, ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: 2, Priority: 4,
		CorrelationId: "c", ReplyTo: "amq.rabbitmq.reply-to", Expiration: "1000", MessageId: "m", Timestamp: time.Unix(1700000000, 0),
		Type: "t", UserId: "guest", AppId: "a", Body: bytes.Repeat([]byte{1}, 200_000),
	}
}

func describe(d amqp.Delivery) string {
	return fmt.Sprintf("tag=%q delivery-tag=%d redelivered=%v exchange=%q routing-key=%q messages=%d\n  %q %q %d %d %q %q %q %q %d %q %q %q, %d bytes\n",
		d.ConsumerTag, d.DeliveryTag, d.Redelivered, d.Exchange, d.RoutingKey, d.MessageCount, d.ContentType, d.ContentEncoding, d.DeliveryMode,
		d.Priority, d.CorrelationId, d.ReplyTo, d.Expiration, d.MessageId, d.Timestamp.Unix(), d.Type, d.UserId, d.AppId, len(d.Body))
}

// checkHeaders compares what the client read with what sampleTable says.
func checkHeaders(t *testing.T, got amqp.Table) {
	inner := amqp.Table{"x-match": "all", "n": int64(-1)}
	want := amqp.Table{
		"table": inner, "array": []any{true, inner, nil}, "": 0.5, "twice": int32(2), "at": time.Unix(1700000000, 0), "raw": []byte{0, 255},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the client read %#v, not %#v", got, want)
	}
}

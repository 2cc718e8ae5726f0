package connection

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// TestScenarios runs conversations. Lines that begin with > are what the server sends, the others are events.
//
//	new                          a connection; options channels=, message-bytes=, partial-bytes=, mechanisms=(...)
//	open                         a connection after its handshake; the same options, heartbeat= in seconds, capabilities=(...)
//	client                       the client sends the lines of the input, all in one piece
//	authenticated, opened, secret-updated, closed, channel-closed channel=N    answers of the front end
//	refuse code=N text=(...)     the other answer
//	fail channel=N code=N        the front end finds an error; the input is its text
//	send channel=N               the front end sends the methods of the input
//	block, unblock, lost
//	tick now=DURATION            time passes; received and sent: at that time bytes came, or left
//	describe
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		var w world
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			w.do(t, d, &out)
			w.settle(t, &out)
			return out.String()
		})
	})
}

type world struct {
	c     *Connection
	input []byte // sent by the client and not taken yet
}

// settle runs the connection until it wants more, and prints what happens.
func (w *world) settle(t *testing.T, out *strings.Builder) {
	for {
		e, n := w.c.Next(w.input)
		out.WriteString(printOutput(t, w.c.Output()))
		if e.Kind == 0 && n == 0 {
			return
		}
		if e.Kind != 0 {
			out.WriteString(printEvent(e))
		}
		for i := range n { // the caller's buffer is used again: nothing may still point into it
			w.input[i] = 0xff
		}
		w.input = w.input[n:]
	}
}

func (w *world) do(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	var number, code int
	var text, now string
	d.MaybeScanArgs(t, "channel", &number)
	d.MaybeScanArgs(t, "code", &code)
	d.MaybeScanArgs(t, "text", &text)
	d.MaybeScanArgs(t, "now", &now)
	clock, _ := time.ParseDuration(now)
	switch d.Cmd {
	case "new":
		w.begin(t, d)
	case "open":
		w.begin(t, d)
		w.open(t, d)
	case "client":
		for _, line := range strings.Split(d.Input, "\n") {
			w.input = append(w.input, parseFrame(t, line)...)
		}
	case "authenticated":
		w.c.Authenticated()
	case "opened":
		w.c.Opened()
	case "secret-updated":
		w.c.SecretUpdated()
	case "refuse":
		w.c.Refuse(wire.Errorf(wire.ReplyCode(code), 0, "%s", d.Input))
	case "channel-closed":
		w.c.ChannelClosed(uint16(number))
	case "closed":
		w.c.Closed()
	case "lost":
		w.c.Lost()
	case "fail":
		w.c.Fail(uint16(number), wire.Errorf(wire.ReplyCode(code), wire.MethodQueueDeclare, "%s", d.Input))
	case "send":
		for _, line := range strings.Split(d.Input, "\n") {
			w.send(t, uint16(number), line)
		}
	case "block":
		w.c.Block(d.Input)
	case "unblock":
		w.c.Unblock()
	case "received":
		w.c.Received(clock)
	case "sent":
		w.c.Sent(clock)
	case "tick":
		if next := w.c.Tick(clock); next == never {
			fmt.Fprintln(out, "next: never")
		} else {
			fmt.Fprintf(out, "next: %v\n", next)
		}
	case "describe":
		out.WriteString(w.c.Describe())
	default:
		d.Fatalf(t, "unknown verb %q", d.Cmd)
	}
}

func (w *world) begin(t *testing.T, d *datadriven.TestData) {
	var o Options
	var channels, message, partial int
	d.MaybeScanArgs(t, "channels", &channels)
	d.MaybeScanArgs(t, "message-bytes", &message)
	d.MaybeScanArgs(t, "partial-bytes", &partial)
	d.MaybeScanArgs(t, "mechanisms", &o.Mechanisms)
	o.Properties = wire.Table(nil).Append("product", wire.TextValue("tallymq"))
	o.Limits = Limits{ChannelsMax: uint16(channels), MessageBytesMax: uint64(message), PartialBytesMax: uint64(partial)}
	if message > 0 && partial == 0 {
		o.Limits.PartialBytesMax = 1 << 20
	}
	w.c, w.input = New(o), nil
}

// open goes through the handshake and prints none of it.
func (w *world) open(t *testing.T, d *datadriven.TestData) {
	var channels, heartbeat = 10, 0
	var capabilities []string
	d.MaybeScanArgs(t, "channels", &channels)
	d.MaybeScanArgs(t, "heartbeat", &heartbeat)
	d.MaybeScanArgs(t, "capabilities", &capabilities)
	var able wire.Table
	for _, name := range capabilities {
		able = able.Append(name, wire.BoolValue(true))
	}
	var unseen strings.Builder
	w.input = []byte(wire.ProtocolHeader)
	w.input = wire.AppendMethodFrame(w.input, 0, &wire.ConnectionStartOk{
		ClientProperties: wire.Table(nil).Append("capabilities", wire.TableValue(able)), Mechanism: "PLAIN", Response: []byte("\x00u\x00p"), Locale: "en_US",
	})
	w.settle(t, &unseen)
	w.c.Authenticated()
	w.input = wire.AppendMethodFrame(w.input, 0, &wire.ConnectionTuneOk{ChannelMax: uint16(channels), FrameMax: wire.FrameBytesMin, Heartbeat: uint16(heartbeat)})
	w.input = wire.AppendMethodFrame(w.input, 0, &wire.ConnectionOpen{VirtualHost: "/"})
	w.settle(t, &unseen)
	w.c.Opened()
	w.settle(t, &unseen)
	if !w.c.IsOpen() {
		t.Fatalf("not open after\n%s", unseen.String())
	}
}

func (w *world) send(t *testing.T, number uint16, line string) {
	m := parseMethod(t, split(line))
	if !m.ID().HasContent() {
		w.c.Send(number, m)
		return
	}
	body := make([]byte, 5000)
	w.c.SendContent(number, m, &wire.ContentHeader{BodyBytes: uint64(len(body))}, body)
}

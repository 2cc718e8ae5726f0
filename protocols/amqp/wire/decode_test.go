package wire

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// unhex reads hexadecimal digits, with blanks anywhere; text in quotes stands for its bytes.
func unhex(t *testing.T, s string) (out []byte) {
	for i, part := range strings.Split(s, `"`) {
		if i%2 == 1 {
			out = append(out, part...)
			continue
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

// TestDecode reads the scripts as: verb frame, method, header or table; input in hexadecimal.
func TestDecode(t *testing.T) {
	datadriven.Walk(t, "testdata/decode", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			in := unhex(t, d.Input)
			switch d.Cmd {
			case "frame":
				frameMax := uint32(FrameBytesMin)
				d.MaybeScanArgs(t, "frame-max", &frameMax)
				f, n, err := DecodeFrame(in, frameMax)
				if err != nil {
					return err.Error() + "\n"
				}
				return fmt.Sprintf("%d of %d octets: %v\n", n, len(in), f)
			case "method":
				m, err := DecodeMethod(in, nil)
				if err != nil {
					return err.Error() + "\n"
				}
				return m.String() + "\n"
			case "header":
				var h ContentHeader
				if err := DecodeHeader(in, MethodBasicPublish, &h); err != nil {
					return err.Error() + "\n"
				}
				return h.String() + "\n"
			case "table":
				if why := checkTable(in, 1); why != "" {
					return why + "\n"
				}
				return Table(in).String() + "\n"
			}
			d.Fatalf(t, "unknown verb %q", d.Cmd)
			return ""
		})
	})
}

func TestTablesNestSoDeep(t *testing.T) {
	inside := Table(nil)
	for range tableDepthMax - 1 {
		inside = Table(nil).Append("t", TableValue(inside))
	}
	if why := checkTable(inside, 1); why != "" {
		t.Fatalf("%d deep: %s", tableDepthMax, why)
	}
	if why := checkTable(Table(nil).Append("t", TableValue(inside)), 1); why == "" {
		t.Fatalf("%d deep was accepted", tableDepthMax+1)
	}
	if why := checkTable(Table(nil).Append("a", ArrayValue(Array(nil).Append(TableValue(inside)))), 1); why == "" {
		t.Fatalf("%d deep, through an array, was accepted", tableDepthMax+2)
	}
}

// What peers send in streams costs no allocation, unless a string changes.
func TestStreamsAllocateNothing(t *testing.T) {
	header := ContentHeader{BodyBytes: 100}
	header.Properties.SetContentType("application/json")
	header.Properties.SetDeliveryMode(2)
	header.Properties.SetHeaders(sampleTable())
	headerPayload := header.AppendTo(nil)
	scratch, out := &Scratch{}, make([]byte, 0, 1024)
	for _, m := range []Method{
		&BasicPublish{Exchange: "amq.topic", RoutingKey: "orders.eu"},
		&BasicDeliver{ConsumerTag: "tag", Exchange: "amq.topic", RoutingKey: "orders.eu", DeliveryTag: 7},
		&BasicAck{DeliveryTag: 7, Multiple: true}, &BasicNack{DeliveryTag: 7}, &BasicReject{DeliveryTag: 7},
	} {
		frame := AppendMethodFrame(nil, 1, m)
		allocations := testing.AllocsPerRun(100, func() {
			f, _, err := DecodeFrame(frame, FrameBytesMin)
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodeMethod(f.Payload, scratch)
			if err != nil {
				t.Fatal(err)
			}
			if err := DecodeHeader(headerPayload, m.ID(), &header); err != nil {
				t.Fatal(err)
			}
			out = AppendMethodFrame(out[:0], 1, got)
			out = AppendHeaderFrame(out, 1, &header)
		})
		if allocations != 0 {
			t.Errorf("%v: %v allocations", m, allocations)
		}
	}
}

func TestReplyText(t *testing.T) {
	e := Errorf(NotFound, MethodQueueDeclare, "no queue '%s' in vhost '/'", strings.Repeat("ü", 200))
	text := e.ReplyText()
	if len(text) > ShortStringBytesMax || len(text) < ShortStringBytesMax-1 || !strings.HasPrefix(text, "NOT_FOUND - no queue 'ü") || !strings.HasSuffix(text, "ü") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	// Bytes that are no text are cut, too.
	if got := ShortText(strings.Repeat("\x80", 300)); len(got) < ShortStringBytesMax-4 || len(got) > ShortStringBytesMax {
		t.Errorf("%d bytes", len(got))
	}
}

// The codes that end a connection, from the specification's table of hard errors.
func TestHardCodes(t *testing.T) {
	var hard, soft []string
	for _, c := range ReplyCodes() {
		if c.Hard() {
			hard = append(hard, fmt.Sprint(uint16(c)))
		} else {
			soft = append(soft, fmt.Sprint(uint16(c)))
		}
	}
	if got := strings.Join(hard, " "); got != "320 402 501 502 503 504 505 506 530 540 541" {
		t.Errorf("hard: %s", got)
	}
	if got := strings.Join(soft, " "); got != "200 311 312 313 403 404 405 406" {
		t.Errorf("soft: %s", got)
	}
	if !ReplyCode(999).Hard() {
		t.Error("an unknown code ends only a channel")
	}
}

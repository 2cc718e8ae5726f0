package connection

import (
	"strings"
	"testing"

	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// converse feeds a connection pieces of so many bytes, answers as a front end that agrees to everything but now and then
// finds an error, and returns all that happened.
func converse(t *testing.T, in []byte, pieceBytes int) string {
	c := New(Options{Limits: Limits{MessageBytesMax: 20_000, PartialBytesMax: 160_000, ChannelsMax: 5}})
	var out strings.Builder
	var buffer []byte
	ends := 0
	front := func(e Event) {
		out.WriteString(printEvent(e))
		switch e.Kind {
		case EventAuthenticate:
			c.Authenticated()
		case EventOpen:
			c.Opened()
		case EventUpdateSecret:
			c.SecretUpdated()
		case EventChannelClose:
			c.ChannelClosed(e.Channel)
		case EventClose:
			c.Closed()
		case EventMethod:
			if e.Method.ID() == wire.MethodQueuePurge { // stands for what fails
				c.Fail(e.Channel, wire.Errorf(wire.NotFound, e.Method.ID(), "no queue"))
			}
		case EventEnd:
			ends++
		}
	}
	for more := true; more || len(c.pending) > 0; {
		e, n := c.Next(buffer)
		out.WriteString(printOutput(t, c.Output()))
		if e.Kind != 0 {
			front(e)
		}
		for i := range n {
			buffer[i] = 0xff
		}
		buffer = buffer[n:]
		if most := c.options.Limits.PartialBytesMax; c.partial > most {
			t.Fatalf("%d partial bytes, at most %d", c.partial, most)
		}
		if e.Kind == 0 && n == 0 {
			piece := in[:min(pieceBytes, len(in))]
			in = in[len(piece):]
			buffer = append(buffer, piece...)
			if more = len(piece) > 0; !more {
				c.Lost()
			}
		}
	}
	if ends != 1 {
		t.Fatalf("%d ends:\n%s", ends, out.String())
	}
	return out.String()
}

// Whatever the client sends, in whatever pieces it arrives, the same happens, and it happens once.
func FuzzConnection(f *testing.F) {
	for _, script := range []string{
		`raw "AMQP\x00\x00\x09\x01"
0 connection.start-ok mechanism="PLAIN" response="\x00u\x00p"
0 connection.tune-ok channel-max=3 frame-max=4096 heartbeat=1
0 connection.open virtual-host="/"
1 channel.open
2 channel.open
1 basic.publish exchange="x" routing-key="k"
2 basic.publish exchange="y" routing-key="l"
2 content body-bytes=6 message-id="m" headers={n=I:1}
1 content body-bytes=3
1 body "abc"
2 body "abc"
0 heartbeat
2 body "def"
1 queue.purge queue="q"
1 queue.purge queue="q"
1 channel.close-ok
2 channel.close reply-code=200
1 channel.open
0 connection.update-secret new-secret="s"
1 basic.publish routing-key="k"
1 content body-bytes=20001
0 connection.close reply-code=200`,
		`raw "AMQP\x01\x01\x00\x09"
0 connection.start-ok mechanism="AMQPLAIN" response="\x05LOGINS\x00\x00\x00\x01u\x08PASSWORDS\x00\x00\x00\x01p" client-properties={capabilities=F:{connection.blocked=t:true}}
0 connection.tune-ok channel-max=3 frame-max=0 heartbeat=1
0 connection.close-ok`,
		`raw "GET / HTTP/1.1"`,
	} {
		var in []byte
		for _, line := range strings.Split(script, "\n") {
			in = append(in, parseFrame(&testing.T{}, line)...)
		}
		f.Add(in, uint16(7))
	}
	f.Fuzz(func(t *testing.T, in []byte, pieceBytes uint16) {
		whole := converse(t, append([]byte{}, in...), max(len(in), 1))
		if pieces := converse(t, append([]byte{}, in...), int(pieceBytes)%512+1); pieces != whole {
			t.Fatalf("in pieces of %d bytes:\n%s\nin one:\n%s", int(pieceBytes)%512+1, pieces, whole)
		}
	})
}

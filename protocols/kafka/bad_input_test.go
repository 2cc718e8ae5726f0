package kafka_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tallymq/tallymq/protocols/kafka"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every damaged input ends its connection without an answer, and a healthy client is served before and after each.
func TestBadInputBesideAHealthyClient(t *testing.T) {
	w := newWorld(t, kafka.Limits{RequestBytesMax: 1 << 20, ControlBytesMax: 1 << 16, ReadTimeout: time.Second})
	w.topic("t", 1)
	healthy := w.client(kgo.DefaultProduceTopic("t"), kgo.ProducerLinger(0))
	consumer := w.client(kgo.ConsumeTopics("t"))
	ctx := within(t)
	good := frame(produceOf(-1, "t", map[int32][]byte{0: batch(300)}), 9, 1)
	sent := 0
	for name, damage := range badInputs(good) {
		c := w.dial()
		if _, err := c.Write(damage); err != nil {
			t.Logf("%s: %v", name, err)
		}
		if err := healthy.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Errorf("beside %s: %v", name, err)
		}
		sent++
		if tcp, ok := c.(*net.TCPConn); ok && strings.HasPrefix(name, "half") {
			tcp.CloseWrite()
		}
		if b := closed(t, c); len(b) > 0 && !strings.Contains(name, "random") { // of random bytes some make a request
			t.Errorf("%s: %d bytes came", name, len(b))
		}
	}
	for got := 0; got < sent; {
		fs := consumer.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatal(err)
		}
		got += fs.NumRecords()
	}
	if n := w.broker.Appends(); n != sent {
		t.Errorf("%d batches were appended, %d sent", n, sent)
	}
	t.Logf("%d inputs: %v", sent, w.server)
}

// A line in the log says why a connection was closed.
func TestClosedConnectionsAreExplained(t *testing.T) {
	for reason, b := range map[string][]byte{
		"Fetch version 99 is not served: 4 to 16 are": frameOf(1, 99, nil),
		"API key 17 (SASLHandshake) is not served":    frameOf(17, 1, []byte{0, 1, 'x'}),
		"malformed Metadata version 4":                frameOf(3, 4, []byte{0, 0, 0, 9}),
		"above RequestBytesMax":                       {0x7f, 0, 0, 0, 0, 0},
	} {
		w := newWorld(t, kafka.Limits{})
		c := w.dial()
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		closed(t, c)
		if !strings.Contains(w.log.String(), reason) {
			t.Errorf("%q is not in the log: %s", reason, w.log)
		}
	}
}

// badInputs are what must end a connection, and nothing else. good is a valid Produce.
func badInputs(good []byte) map[string][]byte {
	change := func(f func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		f(b)
		return b
	}
	size := func(n uint32) func([]byte) { return func(b []byte) { binary.BigEndian.PutUint32(b, n) } }
	field := func(at int, v uint16) func([]byte) { return func(b []byte) { binary.BigEndian.PutUint16(b[at:], v) } }
	in := map[string][]byte{
		"negative size":       change(size(1<<32 - 1)),
		"size zero":           change(size(0)),
		"size below a header": change(size(7)),
		"oversized":           change(size(1<<20 + 1)),
		"oversized control":   change(func(b []byte) { field(4, 3)(b); size(1<<16 + 1)(b) }),
		"unknown key":         change(field(4, 999)),
		"negative key":        change(field(4, 0xffff)),
		"unserved key":        change(field(4, 17)), // SaslHandshake
		"wrong version":       change(field(6, 99)),
		"negative version":    change(field(6, 0xffff)),
		"fetch version 3":     frame(kmsg.NewPtrFetchRequest(), 3, 1),
		"long client id":      change(field(12, 0x7fff)),
		"http":                []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"tls":                 {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		"too short a body":    change(func(b []byte) { size(uint32(len(good) - 14))(b) })[:len(good)-10],
		"array too long":      frameOf(3, 4, []byte{0x7f, 0xff, 0xff, 0xff}),
		"tags too many":       frameOf(60, 0, []byte{0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}),
	}
	for _, n := range []int{1, 3, 4, 5, 10, 20, 50, len(good) - 1} {
		in[fmt.Sprintf("half a request: %d bytes", n)] = good[:n]
	}
	r := rand.New(rand.NewPCG(7, 8))
	for i := range 40 {
		b := make([]byte, 12+r.IntN(300))
		for j := range b {
			b[j] = byte(r.IntN(256))
		}
		binary.BigEndian.PutUint32(b, uint32(len(b)-4)) // a fitting size, so that the rest is looked at
		if r.IntN(2) == 0 {
			served := []uint16{1, 2, 3, 8, 9, 11, 14, 19, 32}
			field(4, served[r.IntN(len(served))])(b)
			field(6, uint16(4+r.IntN(3)))(b)
		}
		in[fmt.Sprintf("half random bytes %d", i)] = b
	}
	return in
}

func frameOf(key, version int16, rest []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(10+len(rest)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = append(b, 0, 0, 0, 1, 0xff, 0xff)
	return append(b, rest...)
}

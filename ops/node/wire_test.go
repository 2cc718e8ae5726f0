package node_test

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is one connection to a node, on which requests are sent in any version, one at a time.
type wire struct {
	conn net.Conn
	next int32
}

func dialWire(t testing.TB, address string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{conn: c}
}

// ask sends a request and reads its response; an error says that the connection has ended.
func (w *wire) ask(version int16, q kmsg.Request) (kmsg.Response, error) {
	w.next++
	q.SetVersion(version)
	w.conn.SetDeadline(time.Now().Add(patience))
	if _, err := w.conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("wire")).AppendRequest(nil, q, w.next)); err != nil {
		return nil, err
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(w.conn, head); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(w.conn, b); err != nil {
		return nil, err
	}
	b = b[4:]
	resp := q.ResponseKind()
	if resp.IsFlexible() {
		b = b[1:]
	}
	return resp, resp.ReadFrom(b)
}

package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// answerBytesMax bounds a response.
	answerBytesMax = 64 << 20
	clientID       = "wire"
)

// Conn is one connection.
type Conn struct {
	conn net.Conn
	wait time.Duration
	next int32
}

// Dial connects to a node; wait bounds each request.
func Dial(address string, wait time.Duration) (*Conn, error) {
	c, err := net.DialTimeout("tcp", address, wait)
	if err != nil {
		return nil, err
	}
	return &Conn{conn: c, wait: wait}, nil
}

// Close ends the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Ask sends a request in a version and reads its response. An error says that the connection has ended or the response is not one: it
// is not to be used again.
func (c *Conn) Ask(version int16, q kmsg.Request) (kmsg.Response, error) {
	c.next++
	q.SetVersion(version)
	if err := c.conn.SetDeadline(time.Now().Add(c.wait)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, q, c.next)); err != nil {
		return nil, err
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(c.conn, head); err != nil {
		return nil, err
	}
	size, correlation := int32(binary.BigEndian.Uint32(head)), int32(binary.BigEndian.Uint32(head[4:]))
	if size < 4 || size > answerBytesMax || correlation != c.next {
		return nil, fmt.Errorf("response of %d bytes to request %d, not %d", size, correlation, c.next)
	}
	b := make([]byte, size-4)
	if _, err := io.ReadFull(c.conn, b); err != nil {
		return nil, err
	}
	resp := q.ResponseKind()
	if resp.IsFlexible() && resp.Key() != kmsg.ApiVersions.Int16() {
		if len(b) == 0 || b[0] != 0 {
			return nil, fmt.Errorf("response to request %d has tags in its header", c.next)
		}
		b = b[1:]
	}
	return resp, resp.ReadFrom(b)
}

package connection

import (
	"slices"

	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// content is a message on its way in: a basic.publish, its header, its body. It lives across frames of other channels,
// so it keeps copies of what points into frames.
type content struct {
	phase   contentPhase
	publish wire.BasicPublish
	payload []byte // of the header's frame; the header's table points into it
	header  wire.ContentHeader
	body    []byte // so far, if it comes in several frames
}

type contentPhase uint8

const (
	contentNone   contentPhase = iota
	contentHeader              // is awaited
	contentBody                // is awaited, or the rest of it
)

func (t *content) begin(m *wire.BasicPublish) {
	t.publish, t.phase = *m, contentHeader
}

// drop forgets the content and says how many bytes it had.
func (t *content) drop() uint64 {
	n := uint64(len(t.payload)) + uint64(len(t.body))
	t.phase = contentNone
	t.payload, t.body = t.payload[:0], nil
	if cap(t.payload) > keptBytesMax {
		t.payload = nil
	}
	return n
}

// contentFrame takes a frame of a channel on which a content is awaited.
func (c *Connection) contentFrame(f wire.Frame, ch *channel) {
	t := &ch.content
	switch {
	case t.phase == contentHeader && f.Type == wire.FrameHeader:
		c.contentHeader(f, ch)
	case t.phase == contentHeader:
		c.fail(wire.Errorf(wire.UnexpectedFrame, t.publish.ID(), "expected content header, got %v frame instead", f.Type))
	case f.Type == wire.FrameBody:
		c.contentBody(f, ch)
	default:
		c.fail(wire.Errorf(wire.UnexpectedFrame, t.publish.ID(), "expected content body, got %v frame instead", f.Type))
	}
}

func (c *Connection) contentHeader(f wire.Frame, ch *channel) {
	t := &ch.content
	t.payload = append(t.payload[:0], f.Payload...)
	if err := wire.DecodeHeader(t.payload, t.publish.ID(), &t.header); err != nil {
		c.fail(asError(err))
		return
	}
	if most := c.options.Limits.MessageBytesMax; t.header.BodyBytes > most {
		// The channel is closed before any of the body is awaited: what comes of it is ignored.
		c.partial += uint64(len(t.payload))
		err := wire.Errorf(wire.PreconditionFailed, t.publish.ID(), "message size %d is larger than configured max size %d", t.header.BodyBytes, most)
		c.closeChannel(f.Channel, ch, err)
		c.emit(Event{Kind: EventChannelFailed, Channel: f.Channel, Err: err})
		return
	}
	t.phase = contentBody
	if c.charge(uint64(len(t.payload))) && t.header.BodyBytes == 0 {
		c.published(f.Channel, ch, nil)
	}
}

func (c *Connection) contentBody(f wire.Frame, ch *channel) {
	t := &ch.content
	left := t.header.BodyBytes - uint64(len(t.body))
	switch n := uint64(len(f.Payload)); {
	case n > left:
		c.fail(wire.Errorf(wire.FrameError, t.publish.ID(), "content body frame exceeds remaining content size"))
	case n == left && len(t.body) == 0:
		c.published(f.Channel, ch, f.Payload) // as it lies in the caller's buffer
	case !c.charge(n):
	default:
		t.grow(len(f.Payload))
		t.body = append(t.body, f.Payload...)
		if n == left {
			c.published(f.Channel, ch, t.body)
		}
	}
}

// grow makes room for n bytes more: never more than the body has, nor much more than arrived.
func (t *content) grow(n int) {
	need := len(t.body) + n
	if need <= cap(t.body) {
		return
	}
	room := max(need, bodyBytesFirst, bodyGrowth*len(t.body))
	room = int(min(uint64(room), t.header.BodyBytes))
	t.body = slices.Grow(t.body, room-len(t.body))
}

// charge counts bytes that are kept; past the limit the connection ends.
func (c *Connection) charge(n uint64) bool {
	c.partial += n
	if most := c.options.Limits.PartialBytesMax; c.partial > most {
		c.fail(wire.Errorf(wire.ResourceError, wire.MethodBasicPublish, "more than %d bytes of messages that are not complete", most))
		return false
	}
	return true
}

// published hands a whole message on. Publish and header are this channel's: they are used again after the event.
func (c *Connection) published(number uint16, ch *channel, body []byte) {
	t := &ch.content
	invariant.Check(uint64(len(body)) == t.header.BodyBytes, "BUG: a body of %d bytes, announced as %d", len(body), t.header.BodyBytes)
	c.emit(Event{Kind: EventPublish, Channel: number, Method: &t.publish, Header: &t.header, Body: body})
	c.partial -= t.drop()
}

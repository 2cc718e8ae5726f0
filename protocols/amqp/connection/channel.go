package connection

import (
	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// channel is one open or closing channel; a number without one is free.
type channel struct {
	state   channelState
	content content
}

type channelState uint8

const (
	channelOpen    channelState = iota
	channelClosing              // the client closed, the caller cleans up
	channelClosed               // we closed, close-ok is awaited
)

var channelStateNames = [...]string{"open", "closing", "closed"}

func (s channelState) String() string { return channelStateNames[s] }

// frameOfChannel takes a frame of a running connection.
func (c *Connection) frameOfChannel(f wire.Frame) {
	ch := c.channels[f.Channel]
	switch {
	case ch != nil && ch.state != channelOpen:
		c.ignore(f, ch)
	case ch != nil && ch.content.phase != contentNone:
		c.contentFrame(f, ch)
	case f.Type != wire.FrameMethod:
		c.fail(wire.Errorf(wire.UnexpectedFrame, 0, "expected method frame, got %v frame instead", f.Type))
	default:
		m, err := wire.DecodeMethod(f.Payload, &c.scratch)
		if err != nil {
			c.fail(asError(err))
			return
		}
		c.methodOfChannel(f.Channel, ch, m)
	}
}

// ignore is for frames of a channel that is closed on one side: only closing it on the other counts. Contents are not
// followed, bad ones are nobody's loss.
func (c *Connection) ignore(f wire.Frame, ch *channel) {
	if f.Type != wire.FrameMethod {
		return
	}
	m, err := wire.DecodeMethod(f.Payload, &c.scratch)
	if err != nil {
		return
	}
	switch m.(type) {
	case *wire.ChannelCloseOk:
		if ch.state == channelClosed {
			delete(c.channels, f.Channel)
		}
	case *wire.ChannelClose:
		if ch.state == channelClosed { // both closed at once: each answers the other
			c.send(f.Channel, &wire.ChannelCloseOk{})
		}
	}
}

func (c *Connection) methodOfChannel(number uint16, ch *channel, m wire.Method) {
	if ch == nil {
		c.openChannel(number, m)
		return
	}
	switch m := m.(type) {
	case *wire.ChannelOpen:
		c.fail(wire.Errorf(wire.ChannelError, m.ID(), "second 'channel.open' seen"))
	case *wire.ChannelClose:
		ch.state = channelClosing
		c.emit(Event{Kind: EventChannelClose, Channel: number, Method: m})
	case *wire.ChannelFlow:
		if !m.Active { // a consumer that wants less uses basic.qos; so says RabbitMQ
			c.fail(wire.Errorf(wire.NotImplemented, m.ID(), "active=false"))
			return
		}
		c.send(number, &wire.ChannelFlowOk{Active: true})
	case *wire.BasicCancelOk: // the answer to a cancel of ours, which does not ask for one
	case *wire.BasicPublish:
		ch.content.begin(m)
	default:
		if !m.ID().ToServer() || m.ID().Class() == wire.ClassConnection || m.ID().Class() == wire.ClassChannel {
			c.fail(wire.Errorf(wire.CommandInvalid, m.ID(), "no client sends this on a channel"))
			return
		}
		invariant.Check(!m.ID().HasContent(), "BUG: %v has a content that nobody awaits", m.ID())
		c.emit(Event{Kind: EventMethod, Channel: number, Method: m})
	}
}

func (c *Connection) openChannel(number uint16, m wire.Method) {
	if _, ok := m.(*wire.ChannelOpen); !ok {
		c.fail(wire.Errorf(wire.ChannelError, m.ID(), "expected 'channel.open' on channel %d", number))
		return
	}
	if len(c.channels) >= int(c.channelsMax) {
		c.fail(wire.Errorf(wire.NotAllowed, m.ID(), "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelsMax))
		return
	}
	c.channels[number] = &channel{}
	c.send(number, &wire.ChannelOpenOk{})
	c.emit(Event{Kind: EventChannelOpened, Channel: number})
}

// closeChannel tells the client why its channel is closed, and awaits close-ok. Others are not concerned.
func (c *Connection) closeChannel(number uint16, ch *channel, err *wire.Error) {
	c.send(number, &wire.ChannelClose{
		ReplyCode: uint16(err.Code), ReplyText: err.ReplyText(), ClassID: uint16(err.Method.Class()), MethodID: err.Method.Number(),
	})
	c.partial -= ch.content.drop()
	ch.state = channelClosed
}

// ChannelClosed says that what belonged to a channel that the client closed is cleaned up.
func (c *Connection) ChannelClosed(number uint16) {
	if c.state != running {
		return // the connection was closed meanwhile
	}
	ch := c.channels[number]
	invariant.Check(ch != nil && ch.state == channelClosing, "BUG: channel %d is closed and nobody closed it", number)
	c.send(number, &wire.ChannelCloseOk{})
	delete(c.channels, number)
}

package connection

import (
	"slices"
	"strings"
	"time"

	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// protocolHeader09 is what clients of version 0-9 send; for what follows it they are not different.
const protocolHeader09 = "AMQP\x01\x01\x00\x09"

// greet takes the protocol header. Anything else is answered with the one that is spoken here (section 4.2.2), as soon as
// a byte differs: somebody who speaks HTTP may never send eight.
func (c *Connection) greet(in []byte) int {
	same := max(samePrefix(in, wire.ProtocolHeader), samePrefix(in, protocolHeader09))
	switch {
	case same == len(wire.ProtocolHeader):
	case same == len(in):
		return 0
	default: // named up to the octet that differs, however much came with it
		c.out = append(c.out, wire.ProtocolHeader...)
		c.end(wire.Errorf(wire.NotImplemented, 0, "a protocol header %q", in[:same+1]), false)
		return 0
	}
	c.send(0, &wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9, ServerProperties: c.options.Properties,
		Mechanisms: []byte(strings.Join(c.options.Mechanisms, " ")), Locales: []byte("en_US"),
	})
	c.state = starting
	return same
}

// samePrefix is how many bytes both begin with.
func samePrefix(in []byte, header string) int {
	n := 0
	for n < len(in) && n < len(header) && in[n] == header[n] {
		n++
	}
	return n
}

// method takes a method on channel 0. What a client may send depends on where the connection is; the rest is
// CHANNEL_ERROR, as RabbitMQ says.
func (c *Connection) method(m wire.Method) {
	switch m := m.(type) {
	case *wire.ConnectionStartOk:
		if c.state == starting {
			c.startOk(m)
			return
		}
	case *wire.ConnectionTuneOk:
		if c.state == tuning {
			c.tuneOk(m)
			return
		}
	case *wire.ConnectionOpen:
		if c.state == opening {
			c.state = granting
			c.emit(Event{Kind: EventOpen, VirtualHost: m.VirtualHost})
			return
		}
	case *wire.ConnectionUpdateSecret:
		if c.state == running {
			c.updating = true
			c.emit(Event{Kind: EventUpdateSecret, Credentials: Credentials{Secret: m.NewSecret}})
			return
		}
	case *wire.ConnectionClose:
		c.clientCloses(m)
		return
	case *wire.ConnectionCloseOk:
		if c.state == closed {
			c.end(nil, false)
			return
		}
	}
	if c.state != closed {
		c.fail(wire.Errorf(wire.ChannelError, m.ID(), "unexpected method in connection state %v", c.state))
	}
}

func (c *Connection) startOk(m *wire.ConnectionStartOk) {
	c.client = slices.Clone(m.ClientProperties)
	c.capabilities, _ = c.client.Lookup("capabilities").Table()
	who, err := credentials(c.options.Mechanisms, m)
	if err != nil {
		c.fail(err)
		return
	}
	c.state = authenticating
	c.emit(Event{Kind: EventAuthenticate, Credentials: who})
}

// Authenticated says that the client is who it says it is.
func (c *Connection) Authenticated() {
	if c.over() {
		return
	}
	invariant.Check(c.state == authenticating, "BUG: authenticated in state %v", c.state)
	l := c.options.Limits
	c.send(0, &wire.ConnectionTune{ChannelMax: l.ChannelsMax, FrameMax: l.FrameBytesMax, Heartbeat: uint16(l.Heartbeat / time.Second)})
	c.state = tuning
}

// tuneOk agrees on what the client chose, if it did not choose more than was offered; 0 would be no limit.
func (c *Connection) tuneOk(m *wire.ConnectionTuneOk) {
	l := c.options.Limits
	refuse := func(name string, value uint32, than, bound string, limit uint32) {
		c.fail(wire.Errorf(wire.NotAllowed, wire.MethodConnectionTune,
			"negotiated %s = %d is %s than the %s allowed value (%d)", name, value, than, bound, limit))
	}
	switch {
	case m.FrameMax != 0 && m.FrameMax < wire.FrameBytesMin:
		refuse("frame_max", m.FrameMax, "lower", "minimum", wire.FrameBytesMin)
	case m.FrameMax == 0 || m.FrameMax > l.FrameBytesMax:
		refuse("frame_max", m.FrameMax, "higher", "maximum", l.FrameBytesMax)
	case m.ChannelMax == 0 || m.ChannelMax > l.ChannelsMax:
		refuse("channel_max", uint32(m.ChannelMax), "higher", "maximum", uint32(l.ChannelsMax))
	default:
		c.frameMax, c.channelsMax, c.heartbeat = m.FrameMax, m.ChannelMax, time.Duration(m.Heartbeat)*time.Second
		c.state = opening
	}
}

// Opened says that the client may use the virtual host.
func (c *Connection) Opened() {
	if c.over() {
		return
	}
	invariant.Check(c.state == granting, "BUG: opened in state %v", c.state)
	c.send(0, &wire.ConnectionOpenOk{})
	c.state = running
}

// SecretUpdated says that the new secret is good.
func (c *Connection) SecretUpdated() {
	if c.over() {
		return
	}
	invariant.Check(c.updating, "BUG: a secret was updated that nobody brought")
	c.updating = false
	c.send(0, &wire.ConnectionUpdateSecretOk{})
}

// Refuse is the other answer: the client is not who it says it is (ACCESS_REFUSED), or may not use the virtual host or the new secret
// (NOT_ALLOWED, say). A client that failed to authenticate learns why only if it announced that it can.
func (c *Connection) Refuse(err *wire.Error) {
	if c.over() {
		return
	}
	invariant.Check(c.state == authenticating || c.state == granting || c.updating, "BUG: refused in state %v: %v", c.state, err)
	c.updating = false
	if c.state == authenticating && c.Capable("authentication_failure_close") {
		c.closeWith(err)
		return
	}
	c.fail(err)
}

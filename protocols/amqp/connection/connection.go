package connection

import (
	"errors"
	"time"

	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// Connection is one connection. It is not for concurrent use.
type Connection struct {
	options Options
	state   state
	out     []byte
	pending []Event // not yet handed out

	client       wire.Table // the client's properties
	capabilities wire.Table // out of them
	frameMax     uint32     // agreed on; before that handshakeFrameBytesMax
	channelsMax  uint16
	heartbeat    time.Duration // agreed on; 0: none
	updating     bool          // a new secret is being judged

	channels map[uint16]*channel
	partial  uint64 // bytes of contents that are not all there; at most Limits.PartialBytesMax
	scratch  wire.Scratch

	received, sent time.Duration // when a byte last came, and went
	closedAt       time.Duration // when we closed
	now            time.Duration // the latest time that we were told
}

// state is where the connection is. The order is the order of a life: fail compares.
type state uint8

const (
	greeting       state = iota // the protocol header is awaited
	starting                    // start-ok is
	authenticating              // the caller judges the client
	tuning                      // tune-ok is awaited
	opening                     // open is
	granting                    // the caller judges the virtual host
	running
	closing // the client closed, the caller cleans up
	closed  // we closed, close-ok is awaited
	ended
)

var stateNames = [...]string{"greeting", "starting", "authenticating", "tuning", "opening", "granting", "running", "closing", "closed", "ended"}

func (s state) String() string { return stateNames[s] }

// New makes a connection that awaits the client's protocol header. The options are valid.
func New(o Options) *Connection {
	o = o.withDefaults()
	err := o.Limits.Validate()
	invariant.Check(err == nil, "BUG: limits that do not fit together: %v", err)
	return &Connection{options: o, frameMax: handshakeFrameBytesMax, channels: map[uint16]*channel{}}
}

// Next takes bytes that the client sent, as many as belong to the next event, and says how many it took and what
// happened. It gives no event when more bytes must come, or when it waits for an answer of the caller: then it takes none.
func (c *Connection) Next(in []byte) (Event, int) {
	taken := 0
	for len(c.pending) == 0 && !c.waits() {
		n := c.step(in[taken:])
		taken += n
		if n == 0 {
			break
		}
	}
	if len(c.pending) == 0 {
		return Event{}, taken
	}
	e := c.pending[0]
	c.pending = c.pending[1:]
	return e, taken
}

// waits says that nothing more is read before the caller answered, or ever.
func (c *Connection) waits() bool {
	switch c.state {
	case authenticating, granting, closing, ended:
		return true
	}
	return c.updating
}

// over says that no answer of the caller matters any more: it came too late.
func (c *Connection) over() bool { return c.state == closed || c.state == ended }

// IsOpen says that channels may be open.
func (c *Connection) IsOpen() bool { return c.state == running }

// Output are the bytes to be sent; they are the caller's from now on.
func (c *Connection) Output() []byte {
	out := c.out
	c.out = nil
	return out
}

// ClientProperties are what the client said about itself.
func (c *Connection) ClientProperties() wire.Table { return c.client }

// Capable says whether the client announced a capability, for example consumer_cancel_notify.
func (c *Connection) Capable(capability string) bool {
	yes, _ := c.capabilities.Lookup(capability).Bool()
	return yes
}

func (c *Connection) emit(e Event) { c.pending = append(c.pending, e) }

// step takes one frame, or the protocol header, and says how many bytes it had; 0 if it is not all there.
func (c *Connection) step(in []byte) int {
	if c.state == greeting {
		return c.greet(in)
	}
	f, n, err := wire.DecodeFrame(in, c.frameMax)
	if err != nil {
		// Where the next frame begins is not known any more.
		c.failForGood(asError(err))
		return 0
	}
	if n > 0 {
		c.frame(f)
	}
	return n
}

func asError(err error) *wire.Error {
	var e *wire.Error
	invariant.Check(errors.As(err, &e), "BUG: an error of the codec that is not the protocol's: %v", err)
	return e
}

// frame sends a frame where it belongs, or says why it does not belong anywhere.
func (c *Connection) frame(f wire.Frame) {
	switch {
	case f.Type == wire.FrameHeartbeat && f.Channel != 0:
		if c.state != closed {
			c.fail(wire.Errorf(wire.UnexpectedFrame, 0, "a heartbeat on channel %d", f.Channel))
		}
	case f.Type == wire.FrameHeartbeat:
	case f.Channel == 0:
		c.frameOfConnection(f)
	case c.state == running:
		c.frameOfChannel(f)
	case c.state == closed: // what the client sent before it knew
	default:
		c.fail(wire.Errorf(wire.UnexpectedFrame, 0, "a %v frame on channel %d in state %v", f.Type, f.Channel, c.state))
	}
}

func (c *Connection) frameOfConnection(f wire.Frame) {
	if f.Type != wire.FrameMethod {
		if c.state != closed {
			c.fail(wire.Errorf(wire.UnexpectedFrame, 0, "a %v frame on channel 0", f.Type))
		}
		return
	}
	m, err := wire.DecodeMethod(f.Payload, &c.scratch)
	if err != nil {
		if c.state != closed {
			c.fail(asError(err))
		}
		return
	}
	c.method(m)
}

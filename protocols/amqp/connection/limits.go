package connection

import (
	"errors"
	"fmt"
	"time"

	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// What is fixed, each with its reason.
const (
	// handshakeTimeout is how long a client may take until it is open (RabbitMQ's handshake_timeout).
	handshakeTimeout = 10 * time.Second
	// handshakeFrameBytesMax bounds frames before frame-max is agreed on: tokens that serve as passwords do not fit into
	// the protocol's least frame. RabbitMQ's initial_frame_max is as large.
	handshakeFrameBytesMax = 8 << 10
	// closeTimeout is how long close-ok is waited for, unless the heartbeat's time-out is shorter (RabbitMQ has 30 s).
	closeTimeout = 30 * time.Second
	// heartbeatsMissed intervals without a byte end a connection.
	heartbeatsMissed = 2
	// heartbeatsPerInterval is how often one is sent when nothing else is.
	heartbeatsPerInterval = 2
	// bodyBytesFirst is allotted to a body of several frames before it is all there, and bodyGrowth by how much that
	// grows: copies stay below a third of it.
	bodyBytesFirst = 64 << 10
	bodyGrowth     = 4
	// keptBytesMax is the largest header that a channel keeps the buffer of for its next message: with 2,047 channels,
	// 1 MiB for a connection.
	keptBytesMax = 512
)

// Limits bound what a client can take. A zero field has the default.
type Limits struct {
	// ChannelsMax is how many channels may be open at once (default 2047, as RabbitMQ).
	ChannelsMax uint16
	// FrameBytesMax is frame-max, in bytes with head and end (default 131,072, as RabbitMQ).
	FrameBytesMax uint32
	// MessageBytesMax bounds the body of one message (default 16 MiB, as RabbitMQ 4). A larger one is refused with
	// PRECONDITION_FAILED when its header is there.
	MessageBytesMax uint64
	// PartialBytesMax bounds the bodies and headers that are not all there, over all channels (default twice
	// MessageBytesMax). Beyond it the connection ends with RESOURCE_ERROR.
	PartialBytesMax uint64
	// Heartbeat is what is proposed, in whole seconds (default 60 s, as RabbitMQ); the client decides.
	Heartbeat time.Duration
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.ChannelsMax, 2047)
	orDefault(&l.FrameBytesMax, 128<<10)
	orDefault(&l.MessageBytesMax, 16<<20)
	orDefault(&l.PartialBytesMax, 2*l.MessageBytesMax)
	orDefault(&l.Heartbeat, time.Minute)
	return l
}

// Validate says what does not fit together, all of it.
func (l Limits) Validate() error {
	l = l.withDefaults()
	var errs []error
	if l.FrameBytesMax < wire.FrameBytesMin {
		errs = append(errs, fmt.Errorf("limit FrameBytesMax %d is below the protocol's least, %d", l.FrameBytesMax, wire.FrameBytesMin))
	}
	if l.MessageBytesMax > 1<<30 {
		errs = append(errs, fmt.Errorf("limit MessageBytesMax %d is above 1 GiB", l.MessageBytesMax))
	}
	if l.PartialBytesMax < l.MessageBytesMax+uint64(l.FrameBytesMax) {
		errs = append(errs, fmt.Errorf("limit PartialBytesMax %d leaves no room for a message of %d and its header", l.PartialBytesMax, l.MessageBytesMax))
	}
	if l.Heartbeat%time.Second != 0 || l.Heartbeat < 0 || l.Heartbeat > 65535*time.Second {
		errs = append(errs, fmt.Errorf("limit Heartbeat %v is not 0 to 65,535 whole seconds", l.Heartbeat))
	}
	return errors.Join(errs...)
}

func init() {
	invariant.Check(handshakeFrameBytesMax >= wire.FrameBytesMin, "BUG: frames of the handshake may have %d bytes, less than the protocol's least", handshakeFrameBytesMax)
	invariant.Check(bodyBytesFirst >= wire.FrameBytesMin, "BUG: a body begins with %d bytes, less than a frame", bodyBytesFirst)
}

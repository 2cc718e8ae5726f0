package amqp

import (
	"errors"
	"fmt"
	"time"

	"github.com/tallymq/tallymq/protocols/amqp/connection"
)

// What is fixed, each with its reason.
const (
	// readBytesFirst is a connection's first buffer: what an idle one costs.
	readBytesFirst = 4 << 10
	// writeBytesMax is how much is written at once: a slow client shows progress by taking it.
	writeBytesMax = 256 << 10
	// creditDefault is how many deliveries a consumer without prefetch may hold (RabbitMQ's quorum queues have as many).
	creditDefault = 2000
	// creditNoAck is how many deliveries without acknowledgement may wait for the socket.
	creditNoAck = 256
	// publishesMax is how many publishes of one connection may be with the engine at once, however small.
	publishesMax = 16 << 10
	// stagedMax is how many publishes and settlements one transaction may have.
	stagedMax = 64 << 10
	// publishOverheadBytes is what a publish costs beside its body and properties.
	publishOverheadBytes = 512
	// distrustPause is how long a connection that broke the rules, or failed to authenticate, stays before it is closed.
	distrustPause = 3 * time.Second
	// cleanupTimeout bounds what is said to the engine when a connection ends.
	cleanupTimeout = 30 * time.Second
	// acceptRetryMin and acceptRetryMax are the pauses after an accept that failed.
	acceptRetryMin = 5 * time.Millisecond
	acceptRetryMax = time.Second
	// complaintsMax lines about bad peers are logged per complaintsPeriod; the rest are counted.
	complaintsMax    = 20
	complaintsPeriod = 10 * time.Second
)

// Limits bound what clients can take. A zero field has the default.
type Limits struct {
	// ConnectionsMax is how many may be open at once (default 10,000), HandshakesMax how many of them may be unauthenticated
	// (default 1,000).
	ConnectionsMax int
	HandshakesMax  int
	// ConnectionBytesMax bounds the publishes of one connection that the engine has not answered (default 32 MiB), and
	// NodeBytesMax those of all (default 256 MiB), staged transactions included. A connection without any may always have one.
	ConnectionBytesMax int64
	NodeBytesMax       int64
	// TransactionBytesMax bounds the publishes that one channel staged (default 32 MiB).
	TransactionBytesMax int64
	// WriteTimeout ends a connection that does not take writeBytesMax for so long (default 60 s); what it held returns to the queues.
	// Until then prefetch, times the size of messages, bounds what waits for it.
	WriteTimeout time.Duration
	// Connection are those of the protocol.
	Connection connection.Limits
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.ConnectionsMax, 10_000)
	orDefault(&l.HandshakesMax, 1000)
	orDefault(&l.ConnectionBytesMax, 32<<20)
	orDefault(&l.NodeBytesMax, 256<<20)
	orDefault(&l.TransactionBytesMax, 32<<20)
	orDefault(&l.WriteTimeout, time.Minute)
	return l
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate says what does not fit together, all of it.
func (l Limits) Validate() error {
	l = l.withDefaults()
	errs := []error{l.Connection.Validate()}
	for name, v := range map[string]int64{
		"ConnectionsMax": int64(l.ConnectionsMax), "HandshakesMax": int64(l.HandshakesMax), "ConnectionBytesMax": l.ConnectionBytesMax,
		"TransactionBytesMax": l.TransactionBytesMax, "WriteTimeout": int64(l.WriteTimeout),
	} {
		if v < 0 {
			errs = append(errs, fmt.Errorf("limit %s is negative", name))
		}
	}
	if l.NodeBytesMax < l.ConnectionBytesMax || l.NodeBytesMax < l.TransactionBytesMax {
		errs = append(errs, fmt.Errorf("limit NodeBytesMax %d is below what one connection may have", l.NodeBytesMax))
	}
	return errors.Join(errs...)
}

package connection

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// EventKind says what happened.
type EventKind uint8

// Kinds of events. The zero kind is no event.
const (
	// EventAuthenticate asks who the client is; answer with Authenticated or Refuse.
	EventAuthenticate EventKind = iota + 1
	// EventOpen asks for a virtual host; answer with Opened or Refuse.
	EventOpen
	// EventUpdateSecret brings a new password or token; answer with SecretUpdated or Refuse.
	EventUpdateSecret
	// EventChannelOpened says that a channel was opened, and answered.
	EventChannelOpened
	// EventMethod is a method without content, on an open channel.
	EventMethod
	// EventPublish is a basic.publish with its content, on an open channel.
	EventPublish
	// EventChannelClose says that the client closed a channel; when all of it is cleaned up, call ChannelClosed.
	EventChannelClose
	// EventChannelFailed says that a channel was closed here for what the client sent on it.
	EventChannelFailed
	// EventClose says that the client closed the connection; when all of it is cleaned up, call Closed.
	EventClose
	// EventFailed says that the connection was closed here for what the client sent; its close-ok is awaited.
	EventFailed
	// EventEnd is the last event.
	EventEnd
)

var eventNames = [...]string{
	"none", "authenticate", "open", "update-secret", "channel-opened", "method", "publish", "channel-close", "channel-failed", "close", "failed", "end",
}

func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("event-%d", uint8(k))
}

// Event is what the front end has to know. What it points to is good until the next call of Next.
type Event struct {
	Kind    EventKind
	Channel uint16
	// Method is set for EventMethod, EventPublish (a *wire.BasicPublish), EventChannelClose and EventClose.
	Method wire.Method
	// Header and Body are those of EventPublish.
	Header *wire.ContentHeader
	Body   []byte
	// Credentials are those of EventAuthenticate; of EventUpdateSecret only the secret.
	Credentials Credentials
	// VirtualHost is that of EventOpen.
	VirtualHost string
	// Err is why, for the three kinds that are failures; nil for an EventEnd in order.
	Err *wire.Error
	// Pause says, for EventEnd, that the client is not to be trusted: the socket is closed only after a while, so that
	// guessing passwords is slow and a last error can still be read.
	Pause bool
}

func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", e.Kind)
	if e.Channel != 0 {
		fmt.Fprintf(&b, " channel=%d", e.Channel)
	}
	if e.Method != nil {
		fmt.Fprintf(&b, " %v", e.Method)
	}
	if e.Header != nil {
		fmt.Fprintf(&b, ", %v, body of %d bytes", e.Header, len(e.Body))
	}
	switch e.Kind {
	case EventAuthenticate, EventUpdateSecret:
		fmt.Fprintf(&b, " %v", e.Credentials)
	case EventOpen:
		fmt.Fprintf(&b, " %q", e.VirtualHost)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Pause {
		b.WriteString(", after a pause")
	}
	return b.String()
}

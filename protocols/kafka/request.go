package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// request is one request and what its handler may need to know.
type request struct {
	conn   *conn
	server *Server
	api    *api
	header header
	frame  *frame // nil once it was given away
	size   int64
	client broker.Client
	body   kmsg.Request
	// ctx bounds a handler. For requests that wait for others it also ends with the connection and with a drain.
	ctx context.Context
}

// decode reads client id and body, after checking that the body holds what it claims.
func (r *request) decode(rest []byte) error {
	r.body = kmsg.RequestForKey(r.header.key)
	r.body.SetVersion(r.header.version)
	flexible := r.body.IsFlexible()
	id, body, err := decodeClientID(rest, flexible)
	if err != nil {
		return err
	}
	r.client = r.conn.client
	r.client.ID = id
	if _, ok := r.api.layout.check(body, r.header.version, flexible); !ok {
		return faultf("malformed %s version %d: a length or count is beyond its %d bytes", r.api.name, r.header.version, len(body))
	}
	if err := r.body.ReadFrom(body); err != nil {
		return faultf("malformed %s version %d: %v", r.api.name, r.header.version, err)
	}
	return nil
}

// run decodes and handles a request that is not a Produce.
func (r *request) run(rest []byte) (answer, error) {
	if r.header.key == keyApiVersions && r.header.version > r.api.max {
		r.frame.free()
		return message{apiVersionsUnknown(r)}, nil
	}
	err := r.decode(rest)
	if err == nil && r.api.keeps {
		r.frame.keep()
	} else {
		r.frame.free()
	}
	r.frame = nil
	if err != nil {
		return nil, err
	}
	defer r.bound()()
	return r.api.handle(r), nil
}

// bound sets the context. A client that hangs up does not withdraw a write: Kafka performs it, and so do we.
func (r *request) bound() (cancel func()) {
	if !r.api.waits {
		var stop context.CancelFunc
		r.ctx, stop = context.WithTimeout(r.server.life, requestWaitMax)
		return stop
	}
	ctx, stop := context.WithCancel(r.conn.ctx)
	r.ctx = ctx
	detach := context.AfterFunc(r.server.stopping, stop)
	return func() { detach(); stop() }
}

// within narrows the context by the time-out that a request names.
func (r *request) within(ms int32) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.ctx, max(time.Duration(ms)*time.Millisecond, writeWaitMin))
}

// hasPartition refuses an index that the topic does not have.
func hasPartition(op string, t broker.TopicRef, index int32) error {
	if index < 0 || index >= t.Partitions {
		return broker.Errorf(broker.CodeUnknownTopic, op, "topic "+t.Name, "no partition %d of %d", index, t.Partitions)
	}
	return nil
}

// leader gives the leader that a refusal names, or (−1, −1).
func leader(err error) (node, epoch int32) {
	var e *broker.Error
	if errors.As(err, &e) && e.Code == broker.CodeNotLeader {
		return int32(e.Leader), int32(e.Epoch)
	}
	return -1, -1
}

// text is an error's message for a response, nil for none.
func text(err error) *string {
	if err == nil {
		return nil
	}
	s := err.Error()
	if len(s) > messageBytesMax {
		s = s[:messageBytesMax]
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nullable is nil for the empty string.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

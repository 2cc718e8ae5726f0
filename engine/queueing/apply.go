package queueing

import (
	"fmt"
	"strings"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/command"
)

// Apply applies one encoded command and appends the encoded result to dst. noted is what of the command is to be part of the
// shard's digest: all but the payload. An error means that the bytes cannot be decoded, and the replica must stop.
func (m *Machine) Apply(ctx Context, body []byte, dst []byte) (out, noted []byte, err error) {
	m.clock = max(m.clock, ctx.Clock)
	noted = body
	var r command.Message
	kind, err := command.KindOf(body)
	if err != nil {
		return dst, nil, err
	}
	switch kind {
	case command.KindQueuePublish:
		var c command.QueuePublish
		if err := c.Decode(body); err != nil {
			return dst, nil, err
		}
		noted = body[:len(body)-len(c.Payload)]
		result := m.publish(ctx, &c, uint32(len(noted)))
		r = &result
	case command.KindQueueTransact:
		var c command.QueueTransact
		if err := c.Decode(body); err != nil {
			return dst, nil, err
		}
		noted = body[:len(body)-len(c.Payload)]
		result := m.transact(ctx, &c, uint32(len(noted)))
		r = &result
	case command.KindQueuePrepare:
		var c command.QueuePrepare
		if err := c.Decode(body); err != nil {
			return dst, nil, err
		}
		noted = body[:len(body)-len(c.Payload)]
		result := m.prepare(ctx, &c, uint32(len(noted)))
		r = &result
	default:
		if r, err = m.other(kind, body); err != nil {
			return dst, nil, err
		}
	}
	m.measure(ctx)
	if !m.replays {
		m.changed.command(ctx, noted)
	}
	return r.AppendTo(dst), noted, nil
}

// other applies a command that has no payload.
func (m *Machine) other(kind command.Kind, body []byte) (command.Message, error) {
	msg, err := command.Decode(body)
	if err != nil {
		return nil, err
	}
	r := &command.QueueResult{}
	switch c := msg.(type) {
	case *command.QueueCreate:
		c.Host, c.Name = strings.Clone(c.Host), strings.Clone(c.Name)
		*r = m.create(c)
	case *command.QueueDrop:
		*r = m.remove(c)
	case *command.QueueSettle:
		m.settle(c)
	case *command.QueueAttach:
		r.Code = m.attach(c)
	case *command.QueueDetach:
		r.Code = m.with(c.Queue, c.Consumer, m.detach)
	case *command.QueueCredit:
		r.Code = m.with(c.Queue, c.Consumer, func(x *consumer) {
			x.credit = creditOf(c.Messages)
			m.assign(x.line)
		})
	case *command.QueueGet:
		g := m.get(c)
		return &g, nil
	case *command.QueueLeave:
		m.leave(Session{c.Node, c.Run, c.Session}, c.Channel, c.Whole)
	case *command.QueuePurge:
		if l := m.lines[broker.QueueID(c.Queue)]; l != nil {
			*r = m.purge(l)
		} else {
			r.Code = broker.CodeUnknownQueue
		}
	case *command.QueueRelease:
		if l := m.lines[broker.QueueID(c.Queue)]; l != nil {
			*r = m.unpark(l, c)
		} else {
			r.Code = broker.CodeUnknownQueue
		}
	case *command.QueueTick:
		t := m.tick(c)
		return &t, nil
	case *command.QueueLease:
		r.Code = m.hold(c)
	case *command.QueueLook:
		if l := m.lines[broker.QueueID(c.Queue)]; l != nil {
			m.use(l)
			*r = l.status()
		} else {
			r.Code = broker.CodeUnknownQueue
		}
	case *command.QueueForget:
		delete(m.dropped, broker.QueueID(c.Queue))
		m.effects.Owned = true
	default:
		return nil, fmt.Errorf("queueing: %w: %v is not for this machine", command.ErrUnknownKind, kind)
	}
	return r, nil
}

// with does something with a consumer of a queue that takes messages.
func (m *Machine) with(queue, id uint64, do func(*consumer)) broker.Code {
	x := m.consumers[broker.ConsumerID(id)]
	switch {
	case m.lines[broker.QueueID(queue)] == nil:
		return broker.CodeUnknownQueue
	case x == nil || x.getter || x.cancelled || x.line.id != broker.QueueID(queue):
		return broker.CodeUnknownConsumer
	}
	do(x)
	return broker.CodeNone
}

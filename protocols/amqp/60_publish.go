package amqp

import (
	"context"
	"slices"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/channel"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// publish is a message on its way into the engine, which borrows it until Done.
type publish struct {
	broker.Publish
	conn      *conn
	channel   *openChannel
	sequence  uint64 // in confirm mode
	mandatory bool
	bytes     int64 // charged
}

// publishMessage is basic.publish. What the engine refuses at once for its exchange closes the channel, as does a message that
// contradicts itself; anything else is the confirm's.
func (c *conn) publishMessage(ch *openChannel, m *wire.BasicPublish, h *wire.ContentHeader, body []byte) *wire.Error {
	if m.Immediate {
		return wire.Errorf(wire.NotImplemented, m.ID(), "immediate=true")
	}
	if refused := c.allow(Write, "exchange", m.Exchange, m.ID()); refused != nil {
		return refused
	}
	if user := h.Properties.UserID; h.Properties.Flags&wire.HasUserID != 0 && user != c.user {
		return wire.Errorf(wire.PreconditionFailed, m.ID(), "user_id property set to '%s' but authenticated user was '%s'", user, c.user)
	}
	p := &publish{conn: c, channel: ch, mandatory: m.Mandatory}
	if refused := p.fill(m, h, body); refused != nil {
		return refused
	}
	p.bytes = int64(len(p.Message.Body)+len(p.Message.Properties)) + publishOverheadBytes
	c.mu.Lock()
	transactional := ch.state.Mode() == channel.Transactions
	c.mu.Unlock()
	c.server.published.Add(1)
	if transactional {
		return c.stage(p, m.ID())
	}
	if !c.takeRoom(p.bytes) {
		return nil // the connection ended meanwhile
	}
	c.mu.Lock()
	if !ch.closed {
		p.sequence = ch.state.Published()
	}
	c.mu.Unlock()
	p.Done = p.done
	c.session.Publish(c.ctx, &p.Publish)
	return nil
}

// takeRoom waits until the connection and the node may have so many bytes more in flight. The client is told when it is the node.
func (c *conn) takeRoom(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.publish > 0 && (c.flying+n > c.server.limits.ConnectionBytesMax || c.publish >= publishesMax) && c.ctx.Err() == nil {
		c.changed.Wait()
	}
	blocked := false
	for {
		retry := c.server.room.take(n, c.publish == 0)
		if retry == nil {
			break
		}
		if !blocked {
			blocked = true
			c.machine.Block("low on memory")
			c.signal()
		}
		c.mu.Unlock()
		select {
		case <-retry:
		case <-c.ctx.Done():
		}
		c.mu.Lock()
		if c.ctx.Err() != nil {
			return false
		}
	}
	if blocked {
		c.machine.Unblock()
		c.signal()
	}
	c.flying += n
	c.publish++
	return true
}

// done is the engine's answer, from any goroutine.
func (p *publish) done(result broker.PublishResult, err error) {
	c, ch := p.conn, p.channel
	c.server.room.give(p.bytes)
	c.mu.Lock()
	c.flying -= p.bytes
	c.publish--
	c.changed.Broadcast()
	if !ch.closed {
		p.answerLocked(result, err)
	}
	c.mu.Unlock()
	c.signal()
}

func (p *publish) answerLocked(result broker.PublishResult, err error) {
	c, ch := p.conn, p.channel
	switch code := broker.CodeOf(err); {
	case err == nil:
		if p.mandatory && result.Queues == 0 {
			c.returnLocked(ch, &p.Message)
		}
	case code == broker.CodeQueueRefused:
	case p.sequence != 0 && certainlyNotDone(code):
	default: // wrong, unknown, or lost without anybody who would hear of it
		c.failLocked(ch.number, refusal(err, wire.MethodBasicPublish))
		return
	}
	if p.sequence != 0 {
		ch.state.Resolve(p.sequence, err == nil)
		c.resolvedLocked(ch)
	}
}

// certainlyNotDone are refusals after which the client may publish again.
func certainlyNotDone(c broker.Code) bool {
	switch c {
	case broker.CodeUnavailable, broker.CodeStorageFull, broker.CodeThrottled:
		return true
	}
	return false
}

// returnLocked gives a message back that no queue wanted.
func (c *conn) returnLocked(ch *openChannel, m *broker.Message) {
	var h wire.ContentHeader
	if err := wire.DecodeProperties(m.Properties, &h.Properties); err != nil {
		panic("BUG: properties that were decoded before: " + err.Error())
	}
	h.BodyBytes = uint64(len(m.Body))
	c.machine.SendContent(ch.number, &wire.BasicReturn{ReplyCode: uint16(wire.NoRoute), ReplyText: "NO_ROUTE", Exchange: m.Exchange, RoutingKey: m.Key}, &h, m.Body)
}

// stage keeps a publish for the transaction. The exchange is judged now: later the client could not tell which publish was
// wrong.
func (c *conn) stage(p *publish, method wire.MethodID) *wire.Error {
	if p.Message.Exchange != "" {
		x, err := c.session.FindExchange(c.ctx, p.Message.Exchange)
		if err != nil {
			return refusal(err, method)
		}
		if x.Internal {
			return wire.Errorf(wire.AccessRefused, method, "cannot publish to internal exchange '%s' in vhost '%s'", x.Name, c.host)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch := p.channel; ch.state.StagedBytes()+p.bytes > c.server.limits.TransactionBytesMax || ch.state.StagedCount() >= stagedMax {
		return wire.Errorf(wire.PreconditionFailed, method, "the transaction has more than %d bytes or %d publishes and acknowledgements", c.server.limits.TransactionBytesMax, stagedMax)
	}
	if p.channel.closed {
		return nil
	}
	if c.server.room.take(p.bytes, false) != nil {
		return wire.Errorf(wire.ResourceError, method, "the node has no room for more messages in transactions")
	}
	p.channel.state.Stage(channel.StagedPublish{Publish: &p.Publish, Mandatory: p.mandatory}, p.bytes)
	return nil
}

// fill copies what came into a message: the buffer is used again.
func (p *publish) fill(m *wire.BasicPublish, h *wire.ContentHeader, body []byte) *wire.Error {
	properties := h.Properties
	to := &p.Message
	*to = broker.Message{
		Exchange: m.Exchange, Key: m.RoutingKey, Body: slices.Clone(body), Persistent: properties.DeliveryMode == 2,
		Priority: properties.Priority, MessageID: properties.MessageID, CorrelationID: properties.CorrelationID,
	}
	if properties.Flags&wire.HasTimestamp != 0 {
		to.Timestamp = int64(min(properties.Timestamp, timestampSecondsMax) * 1000)
	}
	if properties.Flags&wire.HasExpiration != 0 {
		expiration, refused := parseExpiration(properties.Expiration, m.ID())
		if refused != nil {
			return refused
		}
		to.Expiration, to.HasExpiration = expiration, true
	}
	if properties.Flags&wire.HasHeaders != 0 {
		var refused *wire.Error
		to.Headers = arguments(properties.Headers)
		if to.CC, refused = routes(properties.Headers, "CC", m.ID()); refused != nil {
			return refused
		}
		if to.BCC, refused = routes(properties.Headers, "BCC", m.ID()); refused != nil {
			return refused
		}
		if len(to.BCC) > 0 {
			properties.Headers = without(properties.Headers, "BCC")
		}
	}
	to.Properties = properties.AppendTo(nil)
	return nil
}

// commit is tx.commit: one decision. After one that failed, or that nobody knows, the channel or connection ends: the
// client is never told commit-ok for it.
func (c *conn) commit(ch *openChannel) *wire.Error {
	c.mu.Lock()
	publishes, settlements, refused := ch.state.Commit()
	bytes := ch.state.StagedBytes()
	c.mu.Unlock()
	if refused != nil {
		return refused
	}
	t := &broker.QueueTransaction{Settlements: settlements}
	for _, p := range publishes {
		t.Publishes = append(t.Publishes, p.Publish)
	}
	var results []broker.PublishResult
	if len(publishes)+len(settlements) > 0 {
		var err error
		// The connection's end does not end a commit: it is decided by then.
		if results, err = c.session.Commit(context.WithoutCancel(c.ctx), t); err != nil {
			return refusal(err, wire.MethodTxCommit)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.closed { // the room was given back with it
		return nil
	}
	ch.state.Committed()
	c.server.room.give(bytes)
	for i, p := range publishes {
		if p.Mandatory && results[i].Queues == 0 {
			c.returnLocked(ch, &p.Publish.Message)
		}
	}
	c.machine.Send(ch.number, &wire.TxCommitOk{})
	return nil
}

func (c *conn) rollback(ch *openChannel) *wire.Error {
	c.mu.Lock()
	bytes := ch.state.StagedBytes()
	refused := ch.state.Rollback()
	if ch.closed {
		bytes = 0
	}
	c.mu.Unlock()
	if refused != nil {
		return refused
	}
	c.server.room.give(bytes)
	c.send(ch, &wire.TxRollbackOk{})
	return nil
}

// timestampSecondsMax keeps milliseconds within 64 bits.
const timestampSecondsMax = uint64(1<<63-1) / 1000

// expirationMax keeps durations within 64 bits: it is 292 years.
const expirationMax = uint64((1<<63 - 1) / int64(time.Millisecond))

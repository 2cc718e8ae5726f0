package connection

import "github.com/tallymq/tallymq/protocols/amqp/wire"

// send appends a method, unless the connection is closed.
func (c *Connection) send(number uint16, m wire.Method) {
	if !c.over() {
		c.out = wire.AppendMethodFrame(c.out, number, m)
	}
}

// CanSend says whether something may be sent on a channel: it is open, and so is the connection.
func (c *Connection) CanSend(number uint16) bool {
	ch := c.channels[number]
	return c.state == running && ch != nil && ch.state == channelOpen
}

// Send sends a method without content on a channel. Nothing is sent on a channel that closed meanwhile.
func (c *Connection) Send(number uint16, m wire.Method) {
	if c.CanSend(number) {
		c.out = wire.AppendMethodFrame(c.out, number, m)
	}
}

// SendContent sends a method with its content: a delivery, a returned message, what basic.get got.
func (c *Connection) SendContent(number uint16, m wire.Method, h *wire.ContentHeader, body []byte) {
	if !c.CanSend(number) {
		return
	}
	c.out = wire.AppendMethodFrame(c.out, number, m)
	c.out = wire.AppendHeaderFrame(c.out, number, h)
	c.out = wire.AppendBodyFrames(c.out, number, body, c.frameMax)
}

// Block tells the client that its publishes wait, and why, if it announced that it wants to know. Unblock tells the end.
func (c *Connection) Block(reason string) {
	if c.state == running && c.Capable("connection.blocked") {
		c.send(0, &wire.ConnectionBlocked{Reason: wire.ShortText(reason)})
	}
}

// Unblock is the end of what Block told.
func (c *Connection) Unblock() {
	if c.state == running && c.Capable("connection.blocked") {
		c.send(0, &wire.ConnectionUnblocked{})
	}
}

// UnsentBytes is how much Output would give.
func (c *Connection) UnsentBytes() int { return len(c.out) }

// IsEnded says that the last event came, or is to be fetched, and nothing more will be sent than what Output has.
func (c *Connection) IsEnded() bool { return c.state == ended }

package amqp

import (
	"slices"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/connection"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

var noDeadline time.Time

// authenticate asks who the client is.
func (c *conn) authenticate(who connection.Credentials) {
	who.Secret, who.Response = slices.Clone(who.Secret), slices.Clone(who.Response)
	user, err := c.server.access.Login(c.ctx, who, c.client.Address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.server.quiet.log(c.server.log, "login refused", "peer", c.client.Address, "user", who.User, "reason", err)
		c.machine.Refuse(wire.Errorf(wire.AccessRefused, 0, "Login was refused using authentication mechanism %s. For details see the broker logfile.", who.Mechanism))
		return
	}
	c.user, c.client.Principal = user, "User:"+user
	c.authenticated = true
	c.server.handshakes.Add(-1)
	if name, ok := c.machine.ClientProperties().Lookup("connection_name").Text(); ok {
		c.client.ID = wire.ShortText(string(name))
	}
	c.machine.Authenticated()
}

// updateSecret judges a new secret of the same user.
func (c *conn) updateSecret(who connection.Credentials) {
	err := c.server.access.Renew(c.ctx, c.user, who.Secret, c.client.Address)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.machine.Refuse(wire.Errorf(wire.NotAllowed, wire.MethodConnectionUpdateSecret, "New secret was refused by one of the backends"))
		return
	}
	c.machine.SecretUpdated()
}

// openHost begins the session.
func (c *conn) openHost(host string) {
	session, err := c.server.queues.OpenSession(c.ctx, c.client, host, c.lost)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		e := refusal(err, wire.MethodConnectionOpen)
		if broker.CodeOf(err) == broker.CodeUnknownHost {
			e = wire.Errorf(wire.NotAllowed, wire.MethodConnectionOpen, "access to vhost '%s' refused for user '%s': vhost not found", host, c.user)
		}
		if !e.Code.Hard() {
			e.Code = wire.InternalError
		}
		c.machine.Refuse(e)
		return
	}
	c.session, c.host = session, host
	c.machine.Opened()
}

// allow asks whether the client may do something to an exchange or queue.
func (c *conn) allow(p Permission, kind, name string, method wire.MethodID) *wire.Error {
	if c.server.access.Allow(c.user, c.host, p, name) {
		return nil
	}
	return wire.Errorf(wire.AccessRefused, method, "%v access to %s '%s' in vhost '%s' refused for user '%s'", p, kind, name, c.host, c.user)
}

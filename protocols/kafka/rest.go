package kafka

import (
	"strings"
	"time"

	"github.com/tallymq/tallymq/engine/broker"
)

// A client that exceeds a quota is told for how long it is to rest, and its connection is not read for so long: clients that do not
// know of quotas rest as well (KIP-219).

// user is the client's name for quotas: its principal without the type.
func user(c broker.Client) string {
	_, name, _ := strings.Cut(c.Principal, ":")
	return name
}

// charge counts bytes against a client's quota. It gives the milliseconds that the client has to rest, which its connection does.
func (r *request) charge(k broker.QuotaKey, bytes int64) int32 {
	now := time.Now()
	return r.rest(now, r.server.meter.Charge(r.server.broker.Quotas(), k, user(r.client), r.client.ID, bytes, now))
}

// allowed is how many bytes are within a client's quota now, −1 without one; or else the milliseconds that it has to rest, which its
// connection does.
func (r *request) allowed(k broker.QuotaKey) (bytes int64, restMs int32) {
	now := time.Now()
	d, bytes := r.server.meter.Ask(r.server.broker.Quotas(), k, user(r.client), r.client.ID, now)
	return bytes, r.rest(now, d)
}

// rest makes the connection rest, and gives the time as responses tell it.
func (r *request) rest(now time.Time, d time.Duration) int32 {
	if d == 0 {
		return 0
	}
	r.server.rests.Add(1)
	r.conn.mu.Lock()
	defer r.conn.mu.Unlock()
	if until := now.Add(d); r.conn.resting.Before(until) {
		r.conn.resting = until
	}
	return int32((d + time.Millisecond - 1) / time.Millisecond)
}

// restLocked waits until the connection has rested, or has to end. The lock is given up meanwhile.
func (c *conn) restLocked() {
	if c.resting.IsZero() {
		return
	}
	d := time.Until(c.resting)
	c.resting = time.Time{}
	c.mu.Unlock()
	defer c.mu.Lock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	case <-c.server.stopping.Done():
	}
}

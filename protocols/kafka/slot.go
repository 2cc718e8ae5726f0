package kafka

// slot is the place of one response among those of its connection.
type slot struct {
	correlation int32
	bytes       int64 // what the request is charged
	fetch       bool
	ready       bool
	answer      answer // set when ready
}

// answer is a response that can put itself on the wire. It may borrow bytes until release.
type answer interface {
	encode(o *outgoing, correlation int32)
	release()
}

// nothing takes a slot of which nothing will be written, since the connection is closed.
type nothing struct{}

func (nothing) encode(*outgoing, int32) {}
func (nothing) release()                {}

// push gives a request its place.
func (c *conn) push(r *request) *slot {
	s := &slot{correlation: r.header.correlation, bytes: r.size, fetch: r.header.key == keyFetch}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots = append(c.slots, s)
	if s.fetch {
		c.unsent++
	}
	return s
}

// complete makes a slot ready from any goroutine, without waiting: a goroutine writes, if none does.
func (c *conn) complete(s *slot, a answer) {
	c.mu.Lock()
	write := c.completeLocked(s, a)
	c.changed.Broadcast()
	c.mu.Unlock()
	if write {
		go c.write()
	}
}

// completeLocked makes a slot ready and says whether the caller must write. On a connection that is closed the answer is
// released at once; serve has released, or will, those that were ready before.
func (c *conn) completeLocked(s *slot, a answer) (write bool) {
	c.pending -= s.bytes
	if c.closed {
		s.answer, s.ready = nothing{}, true
		a.release()
		return false
	}
	s.answer, s.ready = a, true
	if c.writing || !c.slots[0].ready {
		return false
	}
	c.writing = true
	return true
}

// settle ends the charge of a request without a response.
func (c *conn) settle(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending -= bytes
	c.changed.Broadcast()
}

// take removes the ready slots at the head; none: the caller writes no longer.
func (c *conn) take(into []*slot) []*slot {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for !c.closed && n < len(c.slots) && n < responsesPerWrite && c.slots[n].ready {
		into = append(into, c.slots[n])
		n++
		if into[n-1].fetch {
			break // it is large, and the next request may go on when it left
		}
	}
	clear(c.slots[:n])
	c.slots = c.slots[n:]
	if len(c.slots) == 0 {
		c.slots = nil // an idle connection keeps nothing
	}
	if n == 0 {
		c.writing = false
	}
	c.changed.Broadcast()
	return into
}

package kafka

import (
	"encoding/binary"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var aLongTimeAgo = time.Unix(1, 0)

// outgoing gathers responses for one write: bytes of our own, and borrowed ones that lie between them.
type outgoing struct {
	own     []byte
	cuts    []cut
	spliced int // bytes in cuts
}

// cut says that borrowed bytes come before own[at].
type cut struct {
	at    int
	bytes []byte
}

// splice puts b next, without a copy unless that is cheaper.
func (o *outgoing) splice(b []byte) {
	if len(b) < spliceBytesMin {
		o.own = append(o.own, b...)
		return
	}
	o.cuts = append(o.cuts, cut{len(o.own), b})
	o.spliced += len(b)
}

// begin writes size (later), correlation id and, where the response header is flexible, its empty tags.
func (o *outgoing) begin(correlation int32, flexible bool) (start, spliced int) {
	start = len(o.own)
	o.own = append(o.own, 0, 0, 0, 0)
	o.own = binary.BigEndian.AppendUint32(o.own, uint32(correlation))
	if flexible {
		o.own = append(o.own, 0)
	}
	return start, o.spliced
}

func (o *outgoing) end(start, spliced int) {
	size := len(o.own) - start - 4 + o.spliced - spliced
	binary.BigEndian.PutUint32(o.own[start:], uint32(size))
}

// buffers lists everything in order.
func (o *outgoing) buffers() net.Buffers {
	bs := make(net.Buffers, 0, 2*len(o.cuts)+1)
	at := 0
	for _, c := range o.cuts {
		if c.at > at {
			bs = append(bs, o.own[at:c.at])
			at = c.at
		}
		bs = append(bs, c.bytes)
	}
	if at < len(o.own) {
		bs = append(bs, o.own[at:])
	}
	return bs
}

// message is an answer that the codec encodes.
type message struct{ kmsg.Response }

func (m message) encode(o *outgoing, correlation int32) {
	// The header of an ApiVersions response is never flexible: its reader does not know our version yet (KIP-511).
	start, spliced := o.begin(correlation, m.IsFlexible() && m.Key() != keyApiVersions)
	o.own = m.AppendTo(o.own)
	o.end(start, spliced)
}

func (message) release() {}

// write sends what is ready, in order, until the first slot is not. One goroutine per connection is here at a time.
func (c *conn) write() {
	var batch [responsesPerWrite]*slot
	for {
		ready := c.take(batch[:0])
		if len(ready) == 0 {
			return
		}
		c.writeSlots(ready)
	}
}

func (c *conn) writeSlots(ready []*slot) {
	actResponseLate.Pause(actWaitMax)
	if ready[0].correlation >= actFromCorrelation && actConnectionClosed.Now() {
		c.close()
	}
	o := outgoing{own: c.server.buffers.get(pooledBytesMin)[:0]}
	for _, s := range ready {
		s.answer.encode(&o, s.correlation)
	}
	err := c.send(&o)
	c.server.buffers.put(o.own)
	fetches := 0
	for _, s := range ready {
		s.answer.release()
		if s.fetch {
			fetches++
		}
	}
	if fetches > 0 {
		c.mu.Lock()
		c.unsent -= fetches
		c.changed.Broadcast()
		c.mu.Unlock()
	}
	if err != nil {
		if isTimeout(err) {
			err = faultf("the peer does not read: %d bytes did not leave, a step within %v", len(o.own)+o.spliced, c.server.limits.WriteTimeout)
		}
		c.report(err)
		c.close()
	}
}

// send writes everything, step by step, each within WriteTimeout: a slow reader is served, one that stopped is not.
func (c *conn) send(o *outgoing) error {
	if len(o.cuts) == 0 && len(o.own) <= writeStepBytes {
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.server.limits.WriteTimeout)); err != nil {
			return err
		}
		_, err := c.nc.Write(o.own)
		return err
	}
	left := o.buffers()
	for len(left) > 0 {
		var step net.Buffers
		step, left = splitStep(left)
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.server.limits.WriteTimeout)); err != nil {
			return err
		}
		if _, err := step.WriteTo(c.nc); err != nil {
			return err
		}
	}
	return nil
}

// splitStep takes the first writeStepBytes off.
func splitStep(bs net.Buffers) (step, left net.Buffers) {
	room := writeStepBytes
	for i, b := range bs {
		if len(b) > room {
			step = append(step, bs[:i]...)
			step = append(step, b[:room])
			bs[i] = b[room:]
			return step, bs[i:]
		}
		room -= len(b)
	}
	return bs, nil
}

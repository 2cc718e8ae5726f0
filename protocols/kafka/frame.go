package kafka

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// frame is one request as it came: [key 2][version 2][correlation 4][client id][tags][body], without its size.
// Whoever holds it frees it once.
type frame struct {
	server *Server
	bytes  []byte
	lease  lease
}

func (f *frame) free() {
	f.server.buffers.put(f.bytes)
	f.keep()
}

// keep ends the charge but leaves the bytes to those who still point into them.
func (f *frame) keep() {
	f.bytes = nil
	if f.lease.bytes > 0 {
		f.lease.release()
	}
}

// fault is what a peer did wrong; it ends the connection.
type fault struct{ text string }

func (f *fault) Error() string { return f.text }

func faultf(format string, args ...any) error { return &fault{text: fmt.Sprintf(format, args...)} }

// checkSize judges a frame by its first six bytes, before anything is allocated for it.
func (s *Server) checkSize(size int32, key int16) error {
	switch {
	case size < headerBytesMin:
		return faultf("request of %d bytes, below the header's %d", size, headerBytesMin)
	case int(size) > s.limits.RequestBytesMax:
		return faultf("request of %d bytes, above RequestBytesMax %d", size, s.limits.RequestBytesMax)
	case key != keyProduce && int(size) > s.limits.ControlBytesMax:
		return faultf("%s request of %d bytes, above ControlBytesMax %d", kmsg.NameForKey(key), size, s.limits.ControlBytesMax)
	}
	return nil
}

// readFrame reads a request whose size is known. The buffer starts at what the connection has shown to send and grows as
// bytes arrive, so a claimed size costs at most that.
func (c *conn) readFrame(size int) (*frame, error) {
	f := &frame{server: c.server, lease: lease{budget: c.server.frames}}
	if err := c.fill(f, size); err != nil {
		f.free()
		return nil, err
	}
	c.trusted = max(c.trusted, 2*size)
	return f, nil
}

func (c *conn) fill(f *frame, size int) error {
	have := 0
	for have < size {
		want := min(size, max(firstFrameBytes, c.trusted))
		if have > 0 {
			want = min(size, have*frameGrowth)
		}
		if size > freeFrameBytes {
			if err := f.lease.grow(int64(want-len(f.bytes)), c.ctx.Done()); err != nil {
				return err
			}
		}
		larger := c.server.buffers.get(want)
		copy(larger, f.bytes)
		c.server.buffers.put(f.bytes)
		f.bytes = larger
		if err := c.readInto(f.bytes[have:]); err != nil {
			return err
		}
		have = want
	}
	return nil
}

// readInto fills b, step by step, each within ReadTimeout.
func (c *conn) readInto(b []byte) error {
	for len(b) > 0 {
		step := b[:min(len(b), readStepBytes)]
		if c.in.Buffered() < len(step) {
			if err := c.arm(c.server.limits.ReadTimeout); err != nil {
				return err
			}
		}
		if _, err := io.ReadFull(c.in, step); err != nil {
			if isTimeout(err) && !c.draining.Load() {
				return faultf("request stalled: %d bytes still missing after %v", len(b), c.server.limits.ReadTimeout)
			}
			return err
		}
		b = b[len(step):]
	}
	return nil
}

// arm sets the time until which the next read waits; a drain that began meanwhile wins.
func (c *conn) arm(d time.Duration) error {
	if err := c.nc.SetReadDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	if c.draining.Load() {
		return errDraining
	}
	return nil
}

// header is what precedes every body.
type header struct {
	key         int16
	version     int16
	correlation int32
}

// decodeHeader reads the fixed part of the header.
func decodeHeader(b []byte) (h header, rest []byte) {
	h.key = int16(binary.BigEndian.Uint16(b))
	h.version = int16(binary.BigEndian.Uint16(b[2:]))
	h.correlation = int32(binary.BigEndian.Uint32(b[4:]))
	return h, b[headerBytesMin:]
}

// decodeClientID reads the rest of the header: the client id (a string of the old kind in every version) and, in
// flexible ones, tags.
func decodeClientID(b []byte, flexible bool) (id string, rest []byte, err error) {
	w := walker{b: b}
	id = string(w.nullableString())
	if flexible {
		w.tags()
	}
	if w.bad {
		return "", nil, faultf("malformed request header")
	}
	return id, w.b, nil
}

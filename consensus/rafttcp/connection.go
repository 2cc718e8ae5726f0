package rafttcp

import (
	"net"
	"time"

	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"
)

// connection sends to one peer. dragonboat uses it from one goroutine.
type connection struct {
	nc       net.Conn
	buf      []byte
	deadline time.Time // what the next write must be done by
}

var (
	_ raftio.IConnection         = (*connection)(nil)
	_ raftio.ISnapshotConnection = (*connection)(nil)
)

// Close closes the stream. What was written before still arrives, if the peer lives.
func (c *connection) Close() { _ = c.nc.Close() } // nobody could do anything about an error

// SendMessageBatch sends a batch. An error says that this and later ones may not have arrived.
func (c *connection) SendMessageBatch(batch raftpb.MessageBatch) error {
	frame := c.room(batch.SizeUpperLimit())
	payload := raftpb.MustMarshalTo(&batch, frame[headerBytes:])
	return c.send(frame[:headerBytes+len(payload)], kindMessages)
}

// SendChunk sends a chunk of a snapshot.
func (c *connection) SendChunk(chunk raftpb.Chunk) error {
	frame := c.room(chunk.Size())
	payload := raftpb.MustMarshalTo(&chunk, frame[headerBytes:])
	return c.send(frame[:headerBytes+len(payload)], kindChunk)
}

// room is a buffer for a frame with n bytes of payload; a large one is not kept.
func (c *connection) room(n int) []byte {
	n += headerBytes
	if n > cap(c.buf) {
		b := make([]byte, max(n, 4*kib))
		if n > keepBytes {
			return b
		}
		c.buf = b
	}
	return c.buf[:cap(c.buf)]
}

// send writes a frame, in one write if it is no longer than a piece.
func (c *connection) send(frame []byte, k kind) error {
	seal(frame, k)
	for len(frame) > 0 {
		n := min(len(frame), pieceBytes)
		if err := c.arm(); err != nil {
			return err
		}
		if _, err := c.nc.Write(frame[:n]); err != nil {
			return err
		}
		frame = frame[n:]
	}
	return nil
}

// arm makes sure that the next write has at least half of writeWait. Setting a deadline for every frame would cost more
// than many a frame.
func (c *connection) arm() error {
	now := time.Now()
	if c.deadline.Sub(now) > writeWait/2 {
		return nil
	}
	c.deadline = now.Add(writeWait)
	return c.nc.SetWriteDeadline(c.deadline)
}

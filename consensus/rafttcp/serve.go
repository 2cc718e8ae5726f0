package rafttcp

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lni/dragonboat/v4/raftpb"
)

// accept serves each connection on a goroutine of its own until Close.
func (t *transport) accept() {
	defer t.running.Done()
	for {
		nc, err := t.listener.Accept()
		if err != nil {
			if t.ended() {
				return
			}
			t.o.Logger.Warn("raft: accept failed", "err", err)
			time.Sleep(acceptAgain)
			continue
		}
		if !t.register(nc) {
			_ = nc.Close() // one too many, or too late
			continue
		}
		go func() {
			defer t.running.Done()
			err := t.serve(nc)
			t.forget(nc)
			if errors.Is(err, errFrame) {
				t.complain(nc, err)
			}
		}()
	}
}

func (t *transport) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// register counts a connection in, under the lock that Close takes first.
func (t *transport) register(nc net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.open) >= connectionsMax {
		return false
	}
	t.open[nc] = struct{}{}
	t.running.Add(1)
	return true
}

func (t *transport) forget(nc net.Conn) {
	t.mu.Lock()
	delete(t.open, nc)
	t.mu.Unlock()
	_ = nc.Close() // it has served
}

// complain says who sent bytes that are no frames, now and then.
func (t *transport) complain(nc net.Conn, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := time.Now(); now.Sub(t.complained) >= complainEvery {
		t.complained = now
		t.o.Logger.Warn("raft: a connection was closed", "peer", nc.RemoteAddr(), "err", err)
	}
}

// serve hands over what a peer sends until the stream ends or cannot be understood.
func (t *transport) serve(nc net.Conn) error {
	armed := false
	r := &reader{
		in: bufio.NewReaderSize(nc, readBytes),
		arm: func() error {
			armed = true
			return nc.SetReadDeadline(time.Now().Add(readWait))
		},
		idle: func() error {
			if !armed {
				return nil
			}
			armed = false
			return nc.SetReadDeadline(time.Time{})
		},
	}
	for {
		k, payload, err := r.next()
		if err != nil {
			return err
		}
		if err := t.deliver(k, payload); err != nil {
			return err
		}
	}
}

// errRefused: dragonboat takes no further chunk of this snapshot; its sender learns it by the connection's end.
var errRefused = errors.New("raft: chunk refused")

// deliver decodes a payload into memory of its own and hands it over.
func (t *transport) deliver(k kind, payload []byte) error {
	if k == kindChunk {
		var chunk raftpb.Chunk
		if err := chunk.Unmarshal(payload); err != nil {
			return fmt.Errorf("%w: chunk: %w", errFrame, err)
		}
		if !t.chunks(chunk) {
			return errRefused
		}
		return nil
	}
	var batch raftpb.MessageBatch
	if err := batch.Unmarshal(payload); err != nil {
		return fmt.Errorf("%w: messages: %w", errFrame, err)
	}
	t.messages(batch)
	return nil
}

package consensus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
)

// session forwards over one stream until it breaks. used is false if nothing was handed to it.
func (f *forwarder) session(ctx context.Context, node NodeID) (used bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := f.host.openForward(ctx, node, f.shard)
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	f.left = false
	f.mu.Unlock()
	received := make(chan error, 1)
	go func() { received <- f.receive(s) }()
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	f.kick()
	for {
		select {
		case err = <-received:
		case <-ticker.C:
			f.expire()
			continue
		case <-f.drained:
			cancel()
			err = <-received
		case <-f.wake:
			var batch []byte
			if batch = f.take(); batch == nil {
				continue
			}
			used = true
			if err = s.SendMsg(&frame{batch}); err == nil && !actForwardBreaks.Now() {
				f.kick()
				continue
			}
			cancel()
			err = errors.Join(err, <-received)
		}
		break
	}
	f.broken(err)
	return used, err
}

// take moves waiting commands to those handed out, up to an entry's worth.
func (f *forwarder) take() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	var batch []byte
	n := 0
	if f.left {
		return nil
	}
	for ; n < len(f.waiting); n++ {
		w := &f.waiting[n]
		if n > 0 && len(batch)+len(w.body) > f.host.o.Limits.EntryBytes {
			break
		}
		batch = append(batch, w.body...)
		w.body = nil
		f.out[w.id] = *w
	}
	f.waiting = f.waiting[n:]
	return batch
}

// receive takes answers until the stream breaks, or the last is there of a node that hosts no replica any more: the
// next host is looked for only then, so that nothing overtakes.
func (f *forwarder) receive(s grpc.ClientStream) error {
	for {
		var in frame
		if err := s.RecvMsg(&in); err != nil {
			return err
		}
		err := eachAnswer(in.b, func(id uint64, result []byte, err error) {
			f.mu.Lock()
			w, ok := f.out[id]
			delete(f.out, id)
			f.left = f.left || errors.Is(err, ErrNoReplica)
			f.maybeDrainedLocked()
			f.mu.Unlock()
			if ok {
				f.finish(w, result, err)
			}
		})
		if err != nil {
			return err
		}
		f.mu.Lock()
		done := f.left && len(f.out) == 0
		f.mu.Unlock()
		if done {
			atForwarderLeft.Hit()
			return ErrNoReplica
		}
	}
}

// openForward opens a stream and waits until the node says that it hosts the shard.
func (h *Host) openForward(ctx context.Context, node NodeID, shard uint64) (grpc.ClientStream, error) {
	addr, err := h.rpcAddr(node)
	if err != nil {
		return nil, err
	}
	conn, err := h.rpc.conn(addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(requestTimeout, cancel)
	s, err := conn.NewStream(h.rpc.outgoing(ctx, ""), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, rpcForward)
	if err == nil {
		err = s.SendMsg(&frame{binary.LittleEndian.AppendUint64(nil, shard)})
	}
	var hello frame
	if err == nil {
		err = s.RecvMsg(&hello)
	}
	if !timer.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err == nil && (len(hello.b) != 1 || hello.b[0] != 0) {
		err = ErrNoReplica
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("forward shard %d to node %d: %w", shard, node, err)
	}
	return s, nil
}

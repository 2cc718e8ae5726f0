package consensus

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"google.golang.org/grpc"
)

// serveForwarded is the other end: it proposes what arrives, in order, and answers as outcomes become known.
func (h *Host) serveForwarded(s grpc.ServerStream) error {
	var hello frame
	if err := s.RecvMsg(&hello); err != nil {
		return err
	}
	if len(hello.b) != 8 {
		return fmt.Errorf("%w: hello of %d bytes", errMalformed, len(hello.b))
	}
	shard := binary.LittleEndian.Uint64(hello.b)
	if h.replica(shard) == nil {
		atForwardRefused.Hit()
		return s.SendMsg(&frame{[]byte{1}})
	}
	if err := s.SendMsg(&frame{[]byte{0}}); err != nil {
		return err
	}
	a := &answers{wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		a.send(ctx, s)
	}()
	defer func() { cancel(); <-sent }()
	for {
		var in frame
		if err := s.RecvMsg(&in); err != nil {
			return err
		}
		err := eachForward(in.b, func(id, term uint64, body []byte) {
			r := h.replica(shard)
			if r == nil {
				atForwardTooLate.Hit()
				a.add(id, nil, notApplied(ErrNoReplica))
				return
			}
			r.proposer.propose(&Proposal{Ctx: ctx, Shard: shard, Term: term, Head: body, Done: func(result []byte, err error) { a.add(id, result, err) }})
		})
		if err != nil {
			return err
		}
	}
}

// answers collects outcomes until the stream's sender takes them: Done must not block.
type answers struct {
	mu   sync.Mutex
	buf  []byte
	wake chan struct{}
}

func (a *answers) add(id uint64, result []byte, err error) {
	a.mu.Lock()
	a.buf = appendAnswer(a.buf, id, result, err)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *answers) send(ctx context.Context, s grpc.ServerStream) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
		}
		a.mu.Lock()
		buf := a.buf
		a.buf = nil
		a.mu.Unlock()
		if len(buf) > 0 && s.SendMsg(&frame{buf}) != nil {
			return
		}
	}
}

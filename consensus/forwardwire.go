package consensus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A forwarding stream carries one shard's commands from a node that hosts no replica of it, in order.
//
//	→ shard 8                                                 once, first
//	← status 1: 0 ready, else a code                          once, first
//	→ { id 8, term 8, length 4, command } …                   any number per message
//	← { id 8, status 1, length 4, result or reason } …        in any order
const (
	forwardHeadBytes = 20
	answerHeadBytes  = 13
)

// answerStatus is a proposal's outcome on the wire.
type answerStatus uint8

const (
	answerApplied answerStatus = iota
	answerStale
	answerNotApplied
	answerUnknown
	answerNoReplica // not applied either: no replica here
)

func appendForward(dst []byte, id uint64, p *Proposal) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, id)
	dst = binary.LittleEndian.AppendUint64(dst, p.Term)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.Head)+len(p.Payload)))
	dst = append(dst, p.Head...)
	return append(dst, p.Payload...)
}

// eachForward calls fn for every command of a message; bodies are slices of b.
func eachForward(b []byte, fn func(id, term uint64, body []byte)) error {
	for len(b) > 0 {
		if len(b) < forwardHeadBytes {
			return fmt.Errorf("%w: %d bytes behind the last command", errMalformed, len(b))
		}
		id, term, n := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint32(b[16:])
		b = b[forwardHeadBytes:]
		if uint64(n) > uint64(len(b)) {
			return fmt.Errorf("%w: command of %d bytes with %d left", errMalformed, n, len(b))
		}
		fn(id, term, b[:n:n])
		b = b[n:]
	}
	return nil
}

func appendAnswer(dst []byte, id uint64, result []byte, err error) []byte {
	status := answerApplied
	switch {
	case err == nil:
	case errors.Is(err, ErrUnknownOutcome):
		status = answerUnknown
	case errors.Is(err, ErrStaleTerm):
		status = answerStale
	case errors.Is(err, ErrNoReplica):
		status = answerNoReplica
	default:
		status = answerNotApplied
	}
	if err != nil {
		result = []byte(err.Error())
	}
	dst = binary.LittleEndian.AppendUint64(dst, id)
	dst = append(dst, byte(status))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(result)))
	return append(dst, result...)
}

func eachAnswer(b []byte, fn func(id uint64, result []byte, err error)) error {
	for len(b) > 0 {
		if len(b) < answerHeadBytes {
			return fmt.Errorf("%w: %d bytes behind the last answer", errMalformed, len(b))
		}
		id, status, n := binary.LittleEndian.Uint64(b), answerStatus(b[8]), binary.LittleEndian.Uint32(b[9:])
		b = b[answerHeadBytes:]
		if uint64(n) > uint64(len(b)) {
			return fmt.Errorf("%w: answer of %d bytes with %d left", errMalformed, n, len(b))
		}
		body := b[:n:n]
		b = b[n:]
		switch status {
		case answerApplied:
			fn(id, body, nil)
		case answerStale:
			fn(id, nil, ErrStaleTerm)
		case answerNotApplied:
			fn(id, nil, notApplied(errors.New(string(body))))
		case answerNoReplica:
			fn(id, nil, notApplied(ErrNoReplica))
		default: // also what a later version may invent: we do not know
			fn(id, nil, unknownOutcome(errors.New(string(body))))
		}
	}
	return nil
}

package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Meta is the state as rows carry it, all integers little-endian:
//
//	0   version  1 byte: 1
//	1   term     8 bytes
//	9   leader   4 bytes
//	13  clock    8 bytes
//	21  count    4 bytes
//	25  streams  count times { node 4, incarnation 8, nonce 8, next 8 }, ascending by node
const (
	metaHeadBytes   = 25
	metaStreamBytes = 28
)

// ErrMeta: the stored state does not decode.
var ErrMeta = errors.New("stream: stored state does not decode")

// AppendMeta encodes the state.
func (s *State) AppendMeta(dst []byte) []byte {
	dst = append(dst, version1)
	dst = binary.LittleEndian.AppendUint64(dst, s.term)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(s.leader))
	dst = binary.LittleEndian.AppendUint64(dst, s.clock)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s.streams)))
	for _, t := range s.streams {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(t.Node))
		dst = binary.LittleEndian.AppendUint64(dst, t.Incarnation)
		dst = binary.LittleEndian.AppendUint64(dst, t.Nonce)
		dst = binary.LittleEndian.AppendUint64(dst, t.Next)
	}
	return dst
}

// DecodeMeta reads what AppendMeta wrote. Empty bytes are the state before the first entry.
func DecodeMeta(b []byte) (State, error) {
	var s State
	if len(b) == 0 {
		return s, nil
	}
	if len(b) < metaHeadBytes {
		return State{}, fmt.Errorf("%w: %d bytes", ErrMeta, len(b))
	}
	if b[0] != version1 {
		return State{}, fmt.Errorf("%w: version %d", ErrMeta, b[0])
	}
	s.term = binary.LittleEndian.Uint64(b[1:])
	s.leader = int32(binary.LittleEndian.Uint32(b[9:]))
	s.clock = binary.LittleEndian.Uint64(b[13:])
	n := binary.LittleEndian.Uint32(b[21:])
	if uint64(len(b)-metaHeadBytes) != uint64(n)*metaStreamBytes {
		return State{}, fmt.Errorf("%w: %d streams in %d bytes", ErrMeta, n, len(b))
	}
	if n > 0 {
		s.streams = make([]Stream, 0, n)
	}
	for at := metaHeadBytes; at < len(b); at += metaStreamBytes {
		t := Stream{
			Node:        int32(binary.LittleEndian.Uint32(b[at:])),
			Incarnation: binary.LittleEndian.Uint64(b[at+4:]),
			Nonce:       binary.LittleEndian.Uint64(b[at+12:]),
			Next:        binary.LittleEndian.Uint64(b[at+20:]),
		}
		if t.Node <= 0 || t.Incarnation == 0 || t.Next == 0 {
			return State{}, fmt.Errorf("%w: stream %v", ErrMeta, t)
		}
		if k := len(s.streams); k > 0 && s.streams[k-1].Node >= t.Node {
			return State{}, fmt.Errorf("%w: nodes %d and %d out of order", ErrMeta, s.streams[k-1].Node, t.Node)
		}
		s.streams = append(s.streams, t)
	}
	return s, nil
}

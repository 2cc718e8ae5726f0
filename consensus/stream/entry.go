package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// An entry, all integers little-endian:
//
//	 0  version      1 byte: 1
//	 1  kind         1 byte
//	 2  node         4 bytes, > 0
//	 6  incarnation  8 bytes   commands: the stream's; open: the one it expects to replace
//	14  first        8 bytes   commands: the number of the first; open: the nonce
//	22  round        4 bytes   commands: how often the stream was sent again; says which copy was refused
//	26  clock term   8 bytes   leader-start: the term that begins; else the term whose leader read the clock, 0 if none
//	34  clock        8 bytes   milliseconds of replicated time as that leader reads it
//	42  wall         8 bytes   the proposer's wall clock, milliseconds since 1970
//	50  count        4 bytes   number of commands
//	54  commands     count times { length 4 bytes, term 8 bytes, body }
//
// Payload names count positions in these bytes, so the layout of a version can never change.
const (
	version1          = 1
	headerBytes       = 54
	commandHeadBytes  = 12
	offsetKind        = 1
	offsetNode        = 2
	offsetIncarnation = 6
	offsetFirst       = 14
	offsetRound       = 22
	offsetClockTerm   = 26
	offsetClock       = 34
	offsetWall        = 42
	offsetCount       = 50
)

// Bytes that packing costs.
const (
	// EntryOverhead is what an entry costs beyond its commands.
	EntryOverhead = headerBytes
	// CommandOverhead is what a command costs beyond its body.
	CommandOverhead = commandHeadBytes
)

// Kind says what an entry is for.
type Kind uint8

// The kinds.
const (
	KindCommands    Kind = 1
	KindOpen        Kind = 2
	KindLeaderStart Kind = 3
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case KindCommands:
		return "commands"
	case KindOpen:
		return "open"
	case KindLeaderStart:
		return "leader-start"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Header is an entry without its commands.
type Header struct {
	Kind        Kind
	Node        int32
	Incarnation uint64
	First       uint64
	Round       uint32
	ClockTerm   uint64
	Clock       uint64
	Wall        int64
	Count       uint32
}

// String is the header in one line.
func (h Header) String() string {
	switch h.Kind {
	case KindOpen:
		return fmt.Sprintf("open node=%d expects=%d nonce=%d", h.Node, h.Incarnation, h.First)
	case KindLeaderStart:
		return fmt.Sprintf("leader-start node=%d term=%d clock=%d", h.Node, h.ClockTerm, h.Clock)
	}
	return fmt.Sprintf("commands node=%d incarnation=%d first=%d count=%d round=%d", h.Node, h.Incarnation, h.First, h.Count, h.Round)
}

// Command is one command in an entry. Body is the entry's memory.
type Command struct {
	Term     uint64
	Position uint32
	Body     []byte
}

// Entry is a decoded entry.
type Entry struct {
	Header
	Commands []Command
}

// Errors of Decode.
var (
	ErrVersion = errors.New("stream: entry of an unknown version")
	ErrCorrupt = errors.New("stream: entry does not decode")
)

// Begin starts an entry in buf's memory: room for the header, no commands yet.
func Begin(buf []byte) []byte {
	return append(buf[:0], make([]byte, headerBytes)...)
}

// AppendCommand adds head‖payload as one command. This is the one copy of a payload on its way to the log.
func AppendCommand(buf []byte, term uint64, head, payload []byte) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(head)+len(payload)))
	buf = binary.LittleEndian.AppendUint64(buf, term)
	buf = append(buf, head...)
	return append(buf, payload...)
}

// PutHeader writes h over the room that Begin left; it may be done again for a later copy.
func PutHeader(buf []byte, h Header) {
	buf[0] = version1
	buf[offsetKind] = byte(h.Kind)
	binary.LittleEndian.PutUint32(buf[offsetNode:], uint32(h.Node))
	binary.LittleEndian.PutUint64(buf[offsetIncarnation:], h.Incarnation)
	binary.LittleEndian.PutUint64(buf[offsetFirst:], h.First)
	binary.LittleEndian.PutUint32(buf[offsetRound:], h.Round)
	binary.LittleEndian.PutUint64(buf[offsetClockTerm:], h.ClockTerm)
	binary.LittleEndian.PutUint64(buf[offsetClock:], h.Clock)
	binary.LittleEndian.PutUint64(buf[offsetWall:], uint64(h.Wall))
	binary.LittleEndian.PutUint32(buf[offsetCount:], h.Count)
}

// AppendEntry encodes a whole entry; for opens, leader-starts and tests.
func AppendEntry(dst []byte, e *Entry) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, headerBytes)...)
	for _, c := range e.Commands {
		dst = AppendCommand(dst, c.Term, c.Body, nil)
	}
	h := e.Header
	h.Count = uint32(len(e.Commands))
	PutHeader(dst[at:], h)
	return dst
}

// Decode reads an entry into e, reusing e.Commands. Bodies are slices of b.
func Decode(b []byte, e *Entry) error {
	if len(b) < headerBytes {
		return fmt.Errorf("%w: %d bytes are less than a header", ErrCorrupt, len(b))
	}
	if b[0] != version1 {
		return fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	e.Header = Header{
		Kind:        Kind(b[offsetKind]),
		Node:        int32(binary.LittleEndian.Uint32(b[offsetNode:])),
		Incarnation: binary.LittleEndian.Uint64(b[offsetIncarnation:]),
		First:       binary.LittleEndian.Uint64(b[offsetFirst:]),
		Round:       binary.LittleEndian.Uint32(b[offsetRound:]),
		ClockTerm:   binary.LittleEndian.Uint64(b[offsetClockTerm:]),
		Clock:       binary.LittleEndian.Uint64(b[offsetClock:]),
		Wall:        int64(binary.LittleEndian.Uint64(b[offsetWall:])),
		Count:       binary.LittleEndian.Uint32(b[offsetCount:]),
	}
	e.Commands = e.Commands[:0]
	if err := e.check(len(b)); err != nil {
		return err
	}
	at := headerBytes
	for i := uint32(0); i < e.Count; i++ {
		if len(b)-at < commandHeadBytes {
			return fmt.Errorf("%w: command %d of %d has no head", ErrCorrupt, i, e.Count)
		}
		n := binary.LittleEndian.Uint32(b[at:])
		term := binary.LittleEndian.Uint64(b[at+4:])
		at += commandHeadBytes
		if uint64(n) > uint64(len(b)-at) {
			return fmt.Errorf("%w: command %d of %d has %d bytes, %d are left", ErrCorrupt, i, e.Count, n, len(b)-at)
		}
		end := at + int(n)
		e.Commands = append(e.Commands, Command{Term: term, Position: uint32(at), Body: b[at:end:end]})
		at = end
	}
	if at != len(b) {
		return fmt.Errorf("%w: %d bytes behind the last command", ErrCorrupt, len(b)-at)
	}
	return nil
}

// check refuses what no encoder of ours writes.
func (e *Entry) check(size int) error {
	if e.Node <= 0 {
		return fmt.Errorf("%w: node %d", ErrCorrupt, e.Node)
	}
	switch e.Kind {
	case KindCommands:
		if e.Incarnation == 0 || e.First == 0 || e.Count == 0 {
			return fmt.Errorf("%w: %v", ErrCorrupt, e.Header)
		}
		if e.First+uint64(e.Count) < e.First {
			return fmt.Errorf("%w: sequence wraps: %v", ErrCorrupt, e.Header)
		}
	case KindOpen:
		if e.Count != 0 || size != headerBytes || e.Round != 0 || e.First == 0 {
			return fmt.Errorf("%w: %v", ErrCorrupt, e.Header)
		}
	case KindLeaderStart:
		if e.Count != 0 || size != headerBytes || e.ClockTerm == 0 || e.First != 0 || e.Incarnation != 0 || e.Round != 0 {
			return fmt.Errorf("%w: %v", ErrCorrupt, e.Header)
		}
	default:
		return fmt.Errorf("%w: kind %d", ErrCorrupt, uint8(e.Kind))
	}
	return nil
}

package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/tallymq/tallymq/internal/invariant"
)

// ProtocolHeader is what a client sends first, before any frame.
const ProtocolHeader = "AMQP\x00\x00\x09\x01"

// FrameType says what a frame's payload is.
type FrameType uint8

func (t FrameType) String() string {
	switch t {
	case FrameMethod:
		return "method"
	case FrameHeader:
		return "header"
	case FrameBody:
		return "body"
	case FrameHeartbeat:
		return "heartbeat"
	}
	return fmt.Sprintf("frame-%d", uint8(t))
}

// Frame is one frame. Its payload points into what it was decoded from.
type Frame struct {
	Type    FrameType
	Channel uint16
	Payload []byte
}

func (f Frame) String() string {
	return fmt.Sprintf("%v channel=%d bytes=%d", f.Type, f.Channel, len(f.Payload))
}

// FrameBytes says how many bytes the frame has that begins in, once its head is there; 0 before that. frameMax is what the
// peers agreed on, 0 for no limit. A frame that is too large is refused before any of its payload is awaited.
func FrameBytes(in []byte, frameMax uint32) (int64, error) {
	if len(in) < frameHeadBytes {
		return 0, nil
	}
	n := int64(binary.BigEndian.Uint32(in[3:]))
	if frameMax != 0 && n > int64(frameMax)-FrameOverheadBytes+frameFudgeBytes {
		return 0, Errorf(FrameError, 0, "a frame of type %d with %d octets is larger than the %d that frame-max leaves", in[0], n, int64(frameMax)-FrameOverheadBytes)
	}
	return n + FrameOverheadBytes, nil
}

// DecodeFrame takes the frame that begins in and says how many bytes it had. Until all of it is there it takes 0 bytes.
// A type that does not exist is an error here; which one may come now is not known here.
func DecodeFrame(in []byte, frameMax uint32) (Frame, int, error) {
	n, err := FrameBytes(in, frameMax)
	if err != nil || n == 0 || int64(len(in)) < n {
		return Frame{}, 0, err
	}
	end := int(n) - 1
	f := Frame{Type: FrameType(in[0]), Channel: binary.BigEndian.Uint16(in[1:]), Payload: in[frameHeadBytes:end:end]}
	if in[end] != FrameEnd {
		return Frame{}, 0, Errorf(FrameError, 0, "a frame of type %d with %d octets ends in %d, not %d", in[0], len(f.Payload), in[end], FrameEnd)
	}
	switch f.Type {
	case FrameMethod, FrameHeader, FrameBody:
	case FrameHeartbeat:
		if len(f.Payload) != 0 {
			return Frame{}, 0, Errorf(FrameError, 0, "a heartbeat with %d octets", len(f.Payload))
		}
	default:
		return Frame{}, 0, Errorf(FrameError, 0, "a frame of unknown type %d", in[0])
	}
	return f, end + 1, nil
}

// AppendFrameHead appends the head of a frame whose payload has so many bytes. After the payload follows FrameEnd.
func AppendFrameHead(to []byte, t FrameType, channel uint16, payloadBytes int) []byte {
	to = append(to, byte(t))
	to = appendShort(to, channel)
	return appendLong(to, uint32(payloadBytes))
}

// AppendFrame appends a whole frame.
func AppendFrame(to []byte, f Frame) []byte {
	to = AppendFrameHead(to, f.Type, f.Channel, len(f.Payload))
	return append(append(to, f.Payload...), FrameEnd)
}

// AppendHeartbeat appends a heartbeat.
func AppendHeartbeat(to []byte) []byte { return AppendFrame(to, Frame{Type: FrameHeartbeat}) }

// AppendMethodFrame appends a method as a frame.
func AppendMethodFrame(to []byte, channel uint16, m Method) []byte {
	start := len(to)
	to = AppendFrameHead(to, FrameMethod, channel, 0)
	return closeFrame(AppendMethod(to, m), start)
}

// AppendHeaderFrame appends a content header as a frame.
func AppendHeaderFrame(to []byte, channel uint16, h *ContentHeader) []byte {
	start := len(to)
	to = AppendFrameHead(to, FrameHeader, channel, 0)
	return closeFrame(h.AppendTo(to), start)
}

// AppendBodyFrames appends a body as frames of at most frameMax bytes each (0: no limit). An empty body has none.
func AppendBodyFrames(to []byte, channel uint16, body []byte, frameMax uint32) []byte {
	for len(body) > 0 {
		n := BodyFrameBytes(len(body), frameMax)
		to = AppendFrame(to, Frame{Type: FrameBody, Channel: channel, Payload: body[:n]})
		body = body[n:]
	}
	return to
}

// BodyFrameBytes is how many bytes of a body the next frame takes: for those who send bodies without copying them.
func BodyFrameBytes(left int, frameMax uint32) int {
	if frameMax == 0 {
		frameMax = 1 << 31 // the length of a frame has 32 bits
	}
	invariant.Check(frameMax >= FrameBytesMin, "BUG: frame-max %d is below %d", frameMax, FrameBytesMin)
	return int(min(int64(left), int64(frameMax)-FrameOverheadBytes))
}

// closeFrame writes the length of the frame that began at start, now that it is known, and its end.
func closeFrame(to []byte, start int) []byte {
	binary.BigEndian.PutUint32(to[start+3:], uint32(len(to)-start-frameHeadBytes))
	return append(to, FrameEnd)
}

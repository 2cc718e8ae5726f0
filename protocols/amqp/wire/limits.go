package wire

import "github.com/tallymq/tallymq/internal/invariant"

// What is fixed, each with its reason.
const (
	// ShortStringBytesMax is what the length octet of a short string can say.
	ShortStringBytesMax = 255
	// FrameOverheadBytes is a frame's head (type, channel, length) and its end.
	FrameOverheadBytes = frameHeadBytes + 1
	// frameHeadBytes are read before a frame's length is known.
	frameHeadBytes = 7
	// frameFudgeBytes is by how much a payload may exceed the agreed frame-max: clients get the overhead wrong, and
	// RabbitMQ forgives as much.
	frameFudgeBytes = FrameOverheadBytes
	// tableDepthMax bounds tables and arrays inside of each other: what checks them is recursive. RabbitMQ's clients
	// for Go allow as much; dead-letter histories nest three deep.
	tableDepthMax = 32
	// valueTextBytesMax bounds what one string contributes to a printed method or table.
	valueTextBytesMax = 128
	// headerBytesMin is a content header without properties: class, weight, body size, flags.
	headerBytesMin = 14
)

func init() {
	invariant.Check(FrameBytesMin > FrameOverheadBytes+headerBytesMin, "BUG: the least frame, %d bytes, holds no content header", FrameBytesMin)
}

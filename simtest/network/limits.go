package network

import "time"

const (
	// windowBytes is how much one direction of a stream holds before Write blocks:
	// small enough that back-pressure is common, large enough for a Kafka request header.
	windowBytes = 64 << 10
	// segmentBytesMax is how much of a Write arrives at once.
	segmentBytesMax = 16 << 10
	// backlogConns is how many connections wait for Accept before dials are refused.
	backlogConns = 128
	// dialHangMax ends a dial that nobody answers when its context has no deadline,
	// as an operating system's SYN retries end.
	dialHangMax = 2 * time.Minute
	// raftDialMax is how long dragonboat's own transport tries to connect.
	raftDialMax = 5 * time.Second
	// synRetryMax bounds when a dial that waited for a cut link tries again: an
	// operating system repeats its SYN after a second, then ever more rarely.
	synRetryMax = time.Second
	// raftFrameDelayMax bounds what a single draw of delay may become.
	raftFrameDelayMax = 30 * time.Second
)

package rafttcp

import "time"

const (
	kib = 1 << 10
	mib = 1 << 20

	// frameBytesMax bounds a payload. dragonboat closes a batch at 64 MiB and lets one more message in.
	frameBytesMax = 256 * mib
	// pieceBytes is how much of a frame is written, or read, under one deadline, and by how much a receive buffer
	// grows while a frame arrives.
	pieceBytes = 1 * mib
	// keepBytes is the largest buffer that a connection keeps from one frame to the next.
	keepBytes = 1 * mib
	// readBytes is a receiver's buffer: several small frames are taken with one read.
	readBytes = 64 * kib
	// connectionsMax bounds incoming connections: each peer has one per queue (four) and one per snapshot on its way.
	connectionsMax = 1024

	// dialWait bounds a dial.
	dialWait = 5 * time.Second
	// writeWait and readWait bound the time for one piece.
	writeWait = 10 * time.Second
	readWait  = 10 * time.Second
	// acceptAgain is the pause after an accept that failed, when descriptors ran out for instance.
	acceptAgain = 100 * time.Millisecond
	// complainEvery spaces out lines in the log about peers that do not speak this protocol.
	complainEvery = 10 * time.Second
)

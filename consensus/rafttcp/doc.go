// Package rafttcp carries dragonboat's messages and snapshot chunks between node hosts over byte streams.
//
// It takes the place of dragonboat's own TCP module, which spends three writes, three reads and five deadlines on each
// batch of messages: on one machine with three nodes that was a quarter of all CPU time under small writes, and each
// of the three packets woke the receiver.
//
// It promises: (1) a batch or a chunk is handed to its handler whole, with the bytes that were sent (CRC32C over kind,
// length and payload), or not at all; (2) what one connection sent arrives in that order, without gaps up to the point
// where the connection breaks; (3) a small frame costs one write, and one read or less; (4) a frame's memory grows with what
// arrived of it, not with what its header claims; (5) a peer that does not take bytes for writeWait costs its
// connection, a peer that speaks something else costs its connection and a line in the log; (6) after Close nothing of it runs.
//
// It asks of the caller: (a) Listen and Dial give reliable byte streams, encrypted if they are to be; (b) handlers may
// be called by several goroutines at once, and do not keep a chunk's or a batch's buffers of ours: there are none, both
// are decoded into memory of their own.
//
// It does not retry: dragonboat's queues, circuit breakers and Raft itself do. It does not authenticate.
//
// A frame is
//
//	0     magic "TQR1"
//	4     kind: 1 messages, 2 snapshot chunk; then three zero bytes
//	8     length of the payload, little-endian
//	12    CRC32C of bytes 4 to 11 and the payload
//	16    payload: raftpb.MessageBatch or raftpb.Chunk
//
// Read frame.go first, then connection.go (sending) and serve.go (receiving).
package rafttcp

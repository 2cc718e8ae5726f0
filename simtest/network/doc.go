// Package network is the network of a simulated world: hosts, the links between
// them, stream connections and Raft messages, and everything that goes wrong with
// them.
//
// It promises: (1) a stream delivers its bytes in order, once, or is reset: bytes
// are never lost in the middle, doubled or swapped; (2) Raft messages may be lost,
// doubled and reordered, as the link's profile says; snapshot chunks arrive in order
// or their connection fails; (3) all delay, loss and cutting is drawn from the stream
// of random numbers handed in, and every frame and fault is in the trace; (4) what
// arrives at a host runs as that host's goroutine, so that it stops when the host is
// killed or paused.
//
// It asks of the caller: (a) to run inside a bubble with simulated time; (b) to say
// Down when a host dies, and Up with its new number when it starts again.
//
// It does not simulate packets: a cut link holds a stream's bytes back, as TCP's
// retransmission does, and delivers them when it heals, if nobody gave up before.
//
//	Host n1 ──Dial──▶ link n1>n2 (profile, cut, clog) ──▶ Listener of n2
//	        ◀──────── link n2>n1 (a direction of its own)
//
// Read link.go for the faults, stream.go for what a connection does under them, and
// raft.go for the transport.
package network

package journal

import "context"

// Liveness is asked by garbage collection which payloads the state machine still names. All methods may be called
// concurrently with applies. What is dead at an applied index must stay dead: a name may be copied only while it is live.
type Liveness interface {
	// Live yields, ascending by index then position, the live names of entries lo..hi (both included) as the machine's
	// state is NOW; it stops when yield returns false. A replica not known to the machine: ErrUnknownReplica keeps everything.
	Live(shard, replica, lo, hi uint64, yield func(Name) bool) error
	// Flushed makes the state that Live judged durable and returns the durable applied index.
	Flushed(ctx context.Context, shard, replica uint64) (applied uint64, err error)
}

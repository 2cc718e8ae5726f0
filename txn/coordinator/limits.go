package coordinator

import (
	"github.com/tallymq/tallymq/internal/invariant"
	"github.com/tallymq/tallymq/txn"
)

// EpochClientMax is the last epoch that a client gets. One more is left to fence it with.
const EpochClientMax = txn.EpochMax - 1

// ParticipantsMax bounds, in partitions and groups, one transaction: its decision is one entry that closes all of those on
// the coordinator's own shard.
const ParticipantsMax = 10_000

// DecisionsMax bounds, in transactions, how many decided ones of one id may wait for participants before the next is
// refused as Concurrent: a participant whose shard is down for long must not make its peers' grants ever longer.
const DecisionsMax = 8

// unmeasured is when a transaction began that was opened by a command without the time.
const unmeasured = -1

// Options are a shard's bounds on transactional ids. The zero value is not valid; see Default.
type Options struct {
	IDsMax      int   // transactional ids; beyond it new ones are refused, none is dropped
	TimeoutMax  int64 // ms: transaction.max.timeout.ms
	RetentionMs int64 // ms that an idle id is kept: transactional.id.expiration.ms
}

// Default has Kafka's values: fifteen minutes, seven days.
func Default() Options {
	return Options{IDsMax: 100_000, TimeoutMax: 15 * 60 * 1000, RetentionMs: 7 * 24 * 60 * 60 * 1000}
}

func (o Options) check() {
	invariant.Check(o.IDsMax > 0 && o.TimeoutMax > 0 && o.RetentionMs > o.TimeoutMax, "options %+v", o)
}

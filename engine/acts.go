package engine

import (
	"time"

	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/internal/point"
)

// Where the simulator may have this package do what may happen anyway (internal/point, Act).
var (
	actLeadershipHandedOver = point.NewAct("engine/leadership-handed-over") // to any voter
	actGroupStoreUnknown    = point.NewAct("engine/group-store-unknown")    // a group's state was stored, and nobody can tell
	actCatalogDoubted       = point.NewAct("engine/catalog-doubted")        // the cache does not know a topic, though it does
	actFollowsLate          = point.NewAct("engine/follows-late")           // a change of the catalog is acted upon late
	actSweepSmall           = point.NewAct("engine/sweep-small")            // a slice of what is freed is small
	actReadShort            = point.NewAct("engine/read-short")             // a read returns less than there is room for
	actGrantLate            = point.NewAct("engine/grant-late")             // a transaction's participant was added, its grant is not on its way
	actDecisionLost         = point.NewAct("engine/decision-lost")          // a shard is not told of a decision this time, as if it could not be reached
	actDecisionLate         = point.NewAct("engine/decision-late")          // a transaction is decided, other shards are not told yet
	actAcknowledgedLate     = point.NewAct("engine/acknowledged-late")      // a participant has taken a decision, its coordinator is not told yet
	actGrantOrphaned        = point.NewAct("engine/grant-orphaned")         // the coordinator moves between a participant and its grant
	actDecisionOrphaned     = point.NewAct("engine/decision-orphaned")      // the coordinator moves between a decision and its delivery
	actAcknowledgedOrphaned = point.NewAct("engine/acknowledged-orphaned")  // the coordinator moves between a delivery and its acknowledgement
	actPartsPrepared        = point.NewAct("engine/parts-prepared")         // all shards hold their parts of a commit, nothing is decided
	actShardsTold           = point.NewAct("engine/shards-told")            // a commit is decided, the other shards are not told yet
	actPrepareHasty         = point.NewAct("engine/prepare-hasty")          // a commit has no patience with the shards that are to hold its parts
	actDecideHasty          = point.NewAct("engine/decide-hasty")           // a commit has no patience with its coordinator
	actPublishHasty         = point.NewAct("engine/publish-hasty")          // a publish has no patience with its shards
	actPartLost             = point.NewAct("engine/part-lost")              // nobody hears whether a shard holds its part of a commit
	actQueuesFold           = point.NewAct("engine/queues-fold")            // heads and chunks of queues are written early
	actKeysFew              = point.NewAct("engine/keys-few")               // a pass of compaction has room for few keys
	actSliceSmall           = point.NewAct("engine/slice-small")            // a command of a pass of compaction is small
	actBarrierLate          = point.NewAct("engine/barrier-late")           // a read waits before it asks for the read index
)

// The longest that an act lets anybody wait.
const (
	actWaitShort = 50 * time.Millisecond
	actWaitLong  = 500 * time.Millisecond
)

// maybeHandOver gives the leadership away, as any election may.
func (l *lead) maybeHandOver(act point.Act) {
	if !act.Now() {
		return
	}
	s, ok := l.e.view.Load().Shard(l.shard)
	if !ok {
		return
	}
	for _, r := range s.Replicas {
		if r.Node != l.e.opt.Node && r.State == catalog.ReplicaVoting && l.e.peers.alive(r.Node) {
			if err := l.e.host.TransferLeader(uint64(l.shard), r.ID); err != nil {
				l.e.log.Warn("hand over", "shard", l.shard, "err", err)
			}
			return
		}
	}
}

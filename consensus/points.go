package consensus

import "github.com/tallymq/tallymq/internal/point"

// The rare places of this package (internal/point); docs/SIMULATOR.md lists those that no world reaches.
var (
	atStreamOpened          = point.New("consensus/stream-opened")            // a stream is opened, or the open is sent again
	atLeaderStartSent       = point.New("consensus/leader-start-sent")        // a term is begun, or its leader-start is sent again
	atAttemptRepeated       = point.New("consensus/attempt-repeated")         // a request to Raft failed for a reason that passes
	atDamageBeyondRepair    = point.New("consensus/damage-beyond-repair")     // damage that no peer can put right
	atDamagedPayloadPulled  = point.New("consensus/damaged-payload-pulled")   // a damaged payload is pulled from a peer
	atRepairFailed          = point.New("consensus/repair-failed")            // no peer had a good copy of an entry yet
	atStartDamaged          = point.New("consensus/start-damaged")            // a replica is not started for its damage
	atStartPayloadsDamaged  = point.New("consensus/start-payloads-damaged")   // a replica starts with payloads to be pulled
	atStartRepairsEntry     = point.New("consensus/start-repairs-entry")      // an entry is repaired before its replica starts
	atEntryRepaired         = point.New("consensus/entry-repaired")           // an entry was repaired from a peer
	atEntryNotApplied       = point.New("consensus/entry-not-applied")        // a peer asks for an entry that is not known to be committed here
	atFlagFileTorn          = point.New("consensus/flag-file-torn")           // the very first start was cut short
	atForwarderRetired      = point.New("consensus/forwarder-retired")        // a replica took over from the forwarder meanwhile
	atForwarderLeft         = point.New("consensus/forwarder-left")           // the host at the end of the stream gave its replica up
	atForwardNextHost       = point.New("consensus/forward-next-host")        // a host could not be forwarded to, the next is tried
	atForwardNowhere        = point.New("consensus/forward-nowhere")          // no host of a shard could be reached
	atForwardBroke          = point.New("consensus/forward-broke")            // a stream broke with commands on it
	atForwardExpired        = point.New("consensus/forward-expired")          // a forwarded command ran out of time
	atForwarderWaited       = point.New("consensus/forwarder-waited")         // a forwarder waited for the one before it
	atForwardRefused        = point.New("consensus/forward-refused")          // a node is asked to propose to a shard that it does not host
	atForwardTooLate        = point.New("consensus/forward-too-late")         // the replica left while commands were forwarded to it
	atLogShortened          = point.New("consensus/log-shortened")            // a snapshot lets the log go
	atSnapshotNotTaken      = point.New("consensus/snapshot-not-taken")       // a snapshot that was asked for failed
	atLeaderWordOld         = point.New("consensus/leader-word-old")          // news of a leader that is older than what is known
	atTermBegun             = point.New("consensus/term-begun")               // this node leads and began its term
	atMemberRemovedBefore   = point.New("consensus/member-removed-before")    // a replica id that was removed is to be added
	atMembershipChanged     = point.New("consensus/membership-changed")       // a removal was decided on another membership
	atPromoted              = point.New("consensus/promoted")                 // a follower is to become a voter
	atChangeRepeated        = point.New("consensus/change-repeated")          // a membership change has no outcome yet and is looked at again
	atPromotionTooEarly     = point.New("consensus/promotion-too-early")      // a replica that lacks payloads is not promoted
	atOutcomeJumpedOver     = point.New("consensus/outcome-jumped-over")      // a snapshot jumped over the outcome of a command
	atStoppedInFlight       = point.New("consensus/stopped-in-flight")        // the replica stops with commands in flight
	atStoppedUnsent         = point.New("consensus/stopped-unsent")           // the replica stops with commands that were not sent
	atReplicaReturns        = point.New("consensus/replica-returns")          // a replica that was here before is started
	atJoinedAsVoter         = point.New("consensus/joined-as-voter")          // the log says that the replica joined as a voter
	atJoinedAsFollower      = point.New("consensus/joined-as-follower")       // the log says that the replica joined as a follower
	atSnapshotOfFollower    = point.New("consensus/snapshot-of-follower")     // the log begins with a snapshot in which the replica follows
	atLeaderAsked           = point.New("consensus/leader-asked")             // a node without a replica asked who leads
	atEntrySentAgain        = point.New("consensus/entry-sent-again")         // an entry was dropped or is late
	atProposeRefused        = point.New("consensus/propose-refused")          // dragonboat did not take an entry
	atLeaderChangedInFlight = point.New("consensus/leader-changed-in-flight") // the leader changed with entries in flight
	atOutcomeLate           = point.New("consensus/outcome-late")             // a command ran out of time in flight
	atForwarderDrained      = point.New("consensus/forwarder-drained")        // a replica that just started waited for what was forwarded before
	atPullResumed           = point.New("consensus/pull-resumed")             // a replica starts with a pull to finish
	atPullInterrupted       = point.New("consensus/pull-interrupted")         // a pull could not go on at once
	atPullOvertaken         = point.New("consensus/pull-overtaken")           // another reason to look came while a pull ended
	atReplicaWhole          = point.New("consensus/replica-whole")            // the last missing payload came
	atPullNextPeer          = point.New("consensus/pull-next-peer")           // a peer could not be asked for payloads
	atPullFoundNowhere      = point.New("consensus/pull-found-nowhere")       // no peer has a payload that is missing here
	atPayloadsPulled        = point.New("consensus/payloads-pulled")          // payloads came from a peer
	atApplyFailed           = point.New("consensus/apply-failed")             // a machine cannot apply what is committed
	atStaleTerm             = point.New("consensus/stale-term")               // a command of a leadership that ended is refused
	atSnapshotSent          = point.New("consensus/snapshot-sent")            // rows are streamed to a peer
	atSnapshotSendBroke     = point.New("consensus/snapshot-send-broke")      // the stream of rows to a peer broke
	atSnapshotSendStopped   = point.New("consensus/snapshot-send-stopped")    // the replica stopped while it sent a snapshot
	atSnapshotReceived      = point.New("consensus/snapshot-received")        // rows of a peer are to be installed
	atInstallStopped        = point.New("consensus/install-stopped")          // the replica stopped while it installed a snapshot
	atSnapshotInstalled     = point.New("consensus/snapshot-installed")       // rows of a peer were installed
	atWrongCluster          = point.New("consensus/wrong-cluster")            // a node of another cluster calls
	atRowsAheadOfLog        = point.New("consensus/rows-ahead-of-log")        // the log of a replica is older than its rows
	atRowsBehindLog         = point.New("consensus/rows-behind-log")          // the rows of a replica are older than where its log begins
	atStartTooEarly         = point.New("consensus/start-too-early")          // a replica is started while it is still being stopped
	atStartRemoved          = point.New("consensus/start-removed")            // a replica is started that was removed
	atStartPulls            = point.New("consensus/start-pulls")              // a replica starts with a pull for damaged payloads
	atRemoveWaits           = point.New("consensus/remove-waits")             // the data of a replica that is still unloading is to be removed
	atSnapshotWaitsForPull  = point.New("consensus/snapshot-waits-for-pull")  // no snapshot before the pull is done
	atSnapshotTaken         = point.New("consensus/snapshot-taken")           // a local snapshot was taken
	atReplicaRemoved        = point.New("consensus/replica-removed")          // Raft tells a replica that it was removed
)
